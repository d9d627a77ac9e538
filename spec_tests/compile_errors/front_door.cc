// A program that uses threads only. Its list of headers must hold none of what calls need to travel to processes.
#include "concurrent_futures.h"

int answer(futures::Executor& executor) {
  return executor.submit([](int x) { return 2 * x; }, 21).result();
}
