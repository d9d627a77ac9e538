// A parameter is a reference, and the argument is stored by value.
// expect: so a parameter of type T& needs std::ref
#include "concurrent_futures.h"

void add(int& sum, int x) { sum += x; }

void misuse(futures::ThreadPoolExecutor& executor, int& sum) { executor.submit(add, sum, 1); }
