// What a lambda captured cannot be seen from outside, and so cannot be sent: pass it as an argument.
// expect: ProcessPoolExecutor::submit: the callable cannot travel to another process; give a function, a lambda without
// captures
#include "optimized/process_pool_executor.h"

void misuse(futures::ProcessPoolExecutor& executor, int step) {
  executor.submit([step](int x) { return x + step; }, 1);
}
