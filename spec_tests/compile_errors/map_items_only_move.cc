// The items stay the vector's, so each call would get a copy; std::make_move_iterator would move them out.
// expect: map: each item is stored in its call: the range's value type must be constructible from what it gives
#include <memory>
#include <vector>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor, std::vector<std::unique_ptr<int>>& boxes) {
  auto numbers = executor.map([](std::unique_ptr<int> box) { return *box; }, boxes);
}
