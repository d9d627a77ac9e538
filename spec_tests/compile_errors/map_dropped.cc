// A map whose range is dropped at once, which cancels what has not started.
// expect: a map that is dropped cancels what has not started
#include <vector>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor, const std::vector<int>& numbers) {
  executor.map([](int x) { return 2 * x; }, numbers);
}
