// Others may hold the same future, so its value is only lent; a move-only one has to be taken: `made.take()`.
// expect: call to deleted constructor of 'std::unique_ptr<int>' | use of deleted function 'std::unique_ptr<
#include <memory>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor) {
  futures::Future<std::unique_ptr<int>> made = executor.submit([] { return std::make_unique<int>(1); });
  std::unique_ptr<int> value = made.result();
}
