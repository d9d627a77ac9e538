// Each call of a map gets a callable of its own.
// expect: map: the callable is copied into each call, so it must be copyable
#include <memory>
#include <vector>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor, const std::vector<int>& numbers) {
  for (int sum : executor.map([held = std::make_unique<int>(1)](int x) { return x + *held; }, numbers)) {
    static_cast<void>(sum);
  }
}
