// Everything through the front door.
#include <chrono>
#include <iostream>
#include <vector>

#include "concurrent_futures.h"

int main() {
  using namespace std::chrono_literals;
  futures::ThreadPoolExecutor executor({.max_workers = 2});
  const futures::Future<int> product = executor.submit([](int x, int y) { return x * y; }, 6, 7);
  int squares = 0;
  for (int square : executor.map([](int x) { return x * x; }, std::vector<int>{1, 2, 3}, {.timeout = 60s}))
    squares += square;
  std::cout << product.result() << " " << squares << "\n";
}
