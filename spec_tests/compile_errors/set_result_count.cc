// A Promise<void> has no value to set.
// expect: set_result: give one value, or nothing for a Promise<void>
#include "concurrent_futures.h"

void misuse(futures::Promise<void>& promise) { promise.set_result(1); }
