#include <chrono>
#include <iostream>
#include <latch>
#include <vector>

#include "concurrent_futures.h"

int square(int x) { return x * x; }

int main() {
  using namespace std::chrono_literals;
  futures::ThreadPoolExecutor executor({.max_workers = 1});

  // map: the results in the order of the inputs, each as soon as it is there.
  for (int result : executor.map(square, std::vector{1, 2, 3})) std::cout << result << " ";

  // wait: which of the futures are done, and which are not.
  std::vector<futures::Future<int>> calls = {executor.submit(square, 4), executor.submit(square, 5)};
  auto [done, not_done] = futures::wait(calls, {.timeout = 60s});
  std::cout << "| done " << done.size() << ", not done " << not_done.size();

  // as_completed: the futures in the order in which they get done.
  for (const futures::Future<int>& call : futures::as_completed(calls, 60s)) std::cout << " | " << call.result();

  // cancel: true for a call that has not started. It will never run.
  std::latch latch(1);
  futures::Future<void> running = executor.submit([&latch] { latch.wait(); });  // Keeps the only worker busy.
  futures::Future<int> pending = executor.submit(square, 6);
  std::cout << " | cancelled " << pending.cancel();

  // shutdown: no later submit is accepted. Here it also cancels what has not started; what runs is finished.
  futures::Future<int> last = executor.submit(square, 7);
  latch.count_down();
  executor.shutdown({.wait = true, .cancel_futures = true});
  std::cout << " | all done " << (running.done() && last.done()) << "\n";
}
