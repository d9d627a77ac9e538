// There is no shared memory behind a reference.
// expect: ProcessPoolExecutor::submit: an argument cannot travel to another process; pointers, references and views
// never can
#include <functional>

#include "optimized/process_pool_executor.h"

void add(int& sum, int x) { sum += x; }

void misuse(futures::ProcessPoolExecutor& executor, int& sum) { executor.submit(add, std::ref(sum), 1); }
