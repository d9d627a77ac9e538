// A lambda that owns something can only be moved, and std::move is missing.
// expect: submit: the callable and every argument are stored, so each must be copyable or given with std::move
#include <memory>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor) {
  auto read = [number = std::make_unique<int>(1)] { return *number; };
  futures::Future<int> value = executor.submit(read);
}
