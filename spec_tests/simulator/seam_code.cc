// All simulated copies as one translation unit, for seam_test: it reads the code that the compiler makes of this file.
// Nothing runs it. A template is code only where it is instantiated, so the functions below use every public one.
#include <list>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "spec_tests/simulator/simulated/futures/errors.cc"
#include "spec_tests/simulator/simulated/futures/internal/completions.cc"
#include "spec_tests/simulator/simulated/futures/internal/cpus.cc"
#include "spec_tests/simulator/simulated/futures/internal/current_exception.cc"
#include "spec_tests/simulator/simulated/futures/internal/executor_life.cc"
#include "spec_tests/simulator/simulated/futures/internal/future_state.cc"
#include "spec_tests/simulator/simulated/futures/internal/worker_threads.cc"
#include "spec_tests/simulator/simulated/futures/task.cc"
#include "spec_tests/simulator/simulated/futures/wait.cc"
#include "spec_tests/simulator/simulated/optimized/thread_pool/thread_pool.cc"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.cc"
#include "spec_tests/simulator/simulated/reference/reference_executor.cc"

namespace futures::seam_code {

using MoveOnly = std::unique_ptr<int>;

template <typename R>
void use_results(Executor& executor, Promise<R> promise, R (*function)()) {
  Future<R> future = promise.future();
  future = executor.submit(function);
  future.add_done_callback([](const Future<R>& done) { done.cancelled(); });
  future.result(std::chrono::seconds(1));
  if (future.cancel() || future.running() || future.done() || future.wait() || future.request_stop()) return;
  if (future.exception() != nullptr || future == promise.future()) return;
  future.take();
  std::move(future).result();
  promise.set_running_or_notify_cancel();
  promise.set_exception(std::make_exception_ptr(1));
}

void use_futures(Executor& executor) {
  static int number = 0;
  use_results<void>(executor, {}, [] {});
  use_results<int>(executor, {}, [] { return 1; });
  use_results<int&>(executor, {}, []() -> int& { return number; });
  use_results<MoveOnly>(executor, {}, [] { return MoveOnly(); });
  Promise<void>().set_result();
  Promise<std::string>().set_result("text");
  Promise<int&>().set_result(number);
  Promise<MoveOnly>().set_result(MoveOnly());
}

template <typename Range>
void use_range(Range&& range) {
  for (auto&& item : range) static_cast<void>(item);
  Range other = std::move(range);
  range = std::move(other);
}

void use_waits(Executor& executor) {
  std::vector<Future<int>> futures;
  futures.push_back(
      executor.submit([](const sync::stop_token& token, int x) { return token.stop_possible() ? x : 0; }, 1));
  const MoveOnly owned;
  futures.push_back(executor.submit([](const MoveOnly& x) { return *x; }, MoveOnly()));
  use_range(as_completed(futures, std::chrono::seconds(1)));
  const auto [done, not_done] = wait(futures, {.return_when = ReturnWhen::kFirstCompleted});
  use_range(as_completed(std::list<Future<MoveOnly>>()));
  wait(done);
  wait(not_done);
}

template <typename Fn, typename Input>
void use_maps(Executor& executor, Fn fn, Input&& input) {
  use_range(executor.map(fn, input));
  use_range(executor.map(fn, input, {.timeout = std::chrono::seconds(1), .buffersize = 2}));
  use_range(executor.map_unordered(fn, input));
  for (const auto& settled : executor.map_settled(fn, input)) {
    if (!settled.has_value()) settled.error();
    settled.value();
  }
  for (auto&& settled : executor.map_settled(fn, input)) settled.take();
}

void use_maps(Executor& executor) {
  std::vector<int> numbers;
  std::istringstream words;
  use_maps(executor, [](int x) { return x; }, numbers);
  use_maps(executor, [](int) {}, numbers);
  use_maps(executor, [](int x) { return std::to_string(x); }, numbers);
  use_maps(executor, [](bool x) { return x; }, std::vector<bool>());
  use_maps(executor, [](const std::string& x) { return x; }, std::views::istream<std::string>(words));
  use_range(executor.map([](int x, int y) { return x + y; }, numbers, std::list<int>()));
  use_range(executor.map([](int, int, int) {}, numbers, numbers, numbers));
}

void use_executors() {
  ThreadPoolExecutor pool({.max_workers = 1});
  ReferenceExecutor reference({.max_workers = 1});
  for (Executor* const executor : {static_cast<Executor*>(&pool), static_cast<Executor*>(&reference)}) {
    use_futures(*executor);
    use_waits(*executor);
    use_maps(*executor);
    executor->shutdown({.timeout = std::chrono::seconds(1)});
    executor->shutdown_now();
  }
}

}  // namespace futures::seam_code
