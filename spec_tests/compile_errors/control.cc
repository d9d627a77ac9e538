// What the files beside this one get wrong, done right. Compiles.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "concurrent_futures.h"
#include "optimized/process_pool_executor.h"

struct Page {
  std::string text;
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
};

void add(int& sum, int x) { sum += x; }
int first(std::vector<int> numbers) { return numbers.at(0); }
Page load(const std::string& url) { return {url}; }

void on_threads(futures::ThreadPoolExecutor& executor) {
  using namespace std::chrono_literals;
  int sum = 0;
  executor.submit(add, std::ref(sum), 1).result(5s);
  auto number = std::make_unique<int>(1);
  executor.submit([](std::unique_ptr<int> x) { return *x; }, std::move(number));
  auto owner = [held = std::make_unique<int>(2)] { return *held; };
  executor.submit(std::move(owner));

  futures::Future<std::unique_ptr<int>> made = executor.submit([] { return std::make_unique<int>(3); });
  const std::unique_ptr<int>& seen = made.result();
  std::unique_ptr<int> taken = made.take();
  auto&& copy = executor.submit([] { return std::string("text"); }).result();
  made.add_done_callback([](const futures::Future<std::unique_ptr<int>>&) {});

  const std::vector<int> numbers = {1, 2};
  for (int doubled : executor.map([](int x) { return 2 * x; }, numbers)) sum += doubled;
  futures::MapOptions options = {.timeout = 5s};
  static_cast<void>(executor.map([](int x, int y) { return x + y; }, numbers, numbers, options));
  static_cast<void>(executor.map([](int x) { return 2 * x; }, numbers, futures::MapOptions{.buffersize = 1}));
  enum { kAhead = 2 };
  const std::atomic<int> chunksize = 3;
  options.buffersize = kAhead;
  options.chunksize = chunksize;
  const std::vector<futures::Future<std::unique_ptr<int>>> all = {made};
  futures::wait(all, {.timeout = 1s});
  for (const auto& future : futures::as_completed(all, 1s)) future.cancel();
  static_cast<void>(seen);
  static_cast<void>(taken);
  static_cast<void>(copy);
}

void on_processes(futures::ProcessPoolExecutor& executor) {
  executor.submit(first, std::vector<int>{1, 2});
  executor.submit([](int x) { return 2 * x; }, 21);
  futures::Future<Page> page = executor.submit(load, std::string("url"));
}

void by_hand() {
  futures::Promise<int> promise;
  promise.set_result(1);
  futures::Promise<void> nothing;
  nothing.set_result();
}
