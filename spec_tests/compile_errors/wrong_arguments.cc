// An argument is missing.
// expect: submit: the callable cannot be called with these arguments
#include "concurrent_futures.h"

int add(int a, int b) { return a + b; }

void misuse(futures::ThreadPoolExecutor& executor) { futures::Future<int> sum = executor.submit(add, 1); }
