// One item instead of a range of items.
// expect: map: after the callable come input ranges
#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor) {
  executor.map([](int x) { return 2 * x; }, 21);
}
