// expect: a count is a whole number
#include "concurrent_futures.h"

futures::ThreadPoolExecutor make() { return futures::ThreadPoolExecutor({.max_workers = 2.5}); }
