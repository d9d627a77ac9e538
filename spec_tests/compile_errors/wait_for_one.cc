// One future instead of a range of futures: that is `future.wait()`.
// expect: wait: give a range of futures, such as a vector; for one future call its own wait()
#include "concurrent_futures.h"

void misuse(const futures::Future<int>& future) { futures::wait(future); }
