// expect: a count is a whole number
#include "concurrent_futures.h"

void set(futures::MapOptions& options) { options.buffersize = 2.9; }
