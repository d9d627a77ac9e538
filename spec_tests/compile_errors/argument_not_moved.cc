// An argument can only be moved, and std::move is missing.
// expect: submit: the callable and every argument are stored, so each must be copyable or given with std::move
#include <memory>

#include "concurrent_futures.h"

int open_box(std::unique_ptr<int> x) { return *x; }

void misuse(futures::ThreadPoolExecutor& executor) {
  auto number = std::make_unique<int>(1);
  futures::Future<int> value = executor.submit(open_box, number);
}
