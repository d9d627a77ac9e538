// The thread pool alone.
#include <iostream>

#include "optimized/thread_pool_executor.h"

int main() {
  futures::ThreadPoolExecutor executor({.max_workers = 2});
  std::cout << executor.submit([](int x) { return 2 * x; }, 21).result() << "\n";
}
