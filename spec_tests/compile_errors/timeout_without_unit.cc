// Python counts seconds; here a timeout carries its unit.
// expect: a timeout needs a unit, as in 5s or std::chrono::milliseconds(20)
#include "concurrent_futures.h"

int misuse(const futures::Future<int>& future) { return future.result(5); }
