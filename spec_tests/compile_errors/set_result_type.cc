// The value is of another type than was promised; no cast is made of it.
// expect: set_result: the promised type cannot be made from this value
#include "concurrent_futures.h"

void misuse(futures::Promise<long>& promise) { promise.set_result("text"); }
