// As wrong_arguments.cc; the pool of processes must say it no worse.
// expect: submit: the callable cannot be called with these arguments
#include "optimized/process_pool_executor.h"

int add(int a, int b) { return a + b; }

void misuse(futures::ProcessPoolExecutor& executor) { futures::Future<int> sum = executor.submit(add, 1); }
