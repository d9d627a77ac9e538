#include <cmath>
#include <iostream>

#include "concurrent_futures.h"

int main() {
  futures::ThreadPoolExecutor executor({.max_workers = 4});
  futures::Future<double> power = executor.submit([](double x, double y) { return std::pow(x, y); }, 323.0, 2.0);
  futures::Future<double> root = executor.submit([](double x) { return std::sqrt(x); }, 323.0 * 323.0);
  std::cout << power.result() << " " << root.result() << "\n";  // 104329 323
}
