// Law M6 on processes: the inputs of a map travel in chunks, and that changes nothing but the number of calls.
#include "futures/map.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <any>
#include <atomic>
#include <climits>
#include <exception>
#include <latch>
#include <map>
#include <memory>
#include <ranges>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/internal/time.h"
#include "futures/task.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/map_testing.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"
#include "optimized/thread_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using namespace futures::testing;

using ProcessPoolMap = testing::ProcessPoolTest;

pid_t pid_at(int) { return getpid(); }

// 0, 1, 2, ...; counts how many have been taken.
auto endless(std::atomic<int>& taken) {
  return std::views::iota(0) | std::views::transform([&taken](int i) { return ++taken, i; });
}

// --- M6: the results

TEST_P(ProcessPoolMap, M6_ChunksizeChangesNoResult) {
  ProcessPoolExecutor processes({.max_workers = 2, .isolation = GetParam()});
  Executor& executor = processes;
  const Ints input = {1, 2, 3, 4, 5, 6, 7};
  const Ints expected = {2, 4, 6, 8, 10, 12, 14};
  for (const int chunksize : {1, 2, 3, 7, 8, INT_MAX}) {
    const MapOptions options{.chunksize = chunksize};
    EXPECT_EQ(outcome_of(executor.map(twice, input, options)), Outcome(expected, ""));
    EXPECT_EQ(outcome_of(processes.map(twice, input, options)), Outcome(expected, ""));
    EXPECT_EQ(settled_as<std::exception>(executor.map_settled(twice, input, options)), expected);
    Ints unordered = outcome_of(executor.map_unordered(twice, input, options)).first;
    std::ranges::sort(unordered);
    EXPECT_EQ(unordered, expected);
    EXPECT_EQ(outcome_of(executor.map(twice, Ints(), options)), Outcome(Ints(), ""));
  }
}

TEST_P(ProcessPoolMap, M6_ItemsAndResultsOfEveryKind) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const MapOptions options{.chunksize = 2};
  const std::vector<std::string> words = {"a", "", "ccc"};
  std::vector<std::string> doubled;
  for (std::string& word : executor.map([](const std::string& w) { return w + w; }, words, options)) {
    doubled.push_back(std::move(word));
  }
  EXPECT_EQ(doubled, (std::vector<std::string>{"aa", "", "cccccc"}));
  EXPECT_EQ(outcome_of(
                executor.map([](const std::string& w, int times) { return w.size() * static_cast<std::size_t>(times); },
                             words, Ints{1, 2, 3, 4}, options))
                .first,
            (Ints{1, 0, 9}));
  std::vector<bool> flags;
  const bool given[] = {true, false, true};
  for (bool& flag :
       executor.map([](bool b, double d) { return b && d > 0; }, given, std::vector<double>{1, 1, -1}, options)) {
    flags.push_back(flag);
  }
  EXPECT_EQ(flags, (std::vector<bool>{true, false, false}));
  const GateFile log;
  int rounds = 0;
  for ([[maybe_unused]] const auto& nothing :
       executor.map([](const Step& s) { take_step(s); }, steps(3, log), options)) {
    ++rounds;
  }
  EXPECT_EQ(rounds, 3);
  EXPECT_EQ(logged(log).size(), 3u);
  const std::map<std::string, Ints> table = {{"x", {1, 2}}};
  for (const auto& copy :
       executor.map([](std::map<std::string, Ints> t) { return t; }, std::vector{table, table}, options)) {
    EXPECT_EQ(copy, table);
  }
}

TEST_P(ProcessPoolMap, M6_ItemsOfAStdMap) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  using Table = std::map<std::string, int>;
  const Table table = {{"a", 1}, {"b", 2}, {"c", 3}};
  for (const int chunksize : {1, 2}) {
    const MapOptions options{.chunksize = chunksize};
    EXPECT_EQ(outcome_of(executor.map([](const Table::value_type& item) { return item.second; }, table, options)),
              Outcome({1, 2, 3}, ""));
    Table copy;
    for (const auto& item : executor.map([](Table::value_type item) { return item; }, table, options)) {
      copy.insert(item);
    }
    EXPECT_EQ(copy, table);
  }
}

TEST_P(ProcessPoolMap, M6_LargeChunks) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  long long sum = 0;
  for (const int x : executor.map(twice, std::views::iota(0, 100'000), {.chunksize = 9'999})) sum += x;
  EXPECT_EQ(sum, 100'000LL * 99'999);
  const std::vector<std::string> texts(7, std::string(300'000, 'x'));
  for (const std::string& text : executor.map([](std::string t) { return t + "y"; }, texts, {.chunksize = 3})) {
    EXPECT_EQ(text.size(), 300'001u);
  }
}

// A function object that changes as it is called.
struct Counter {
  int calls = 0;
  int operator()(int x) { return x + 100 * ++calls; }
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(calls);
  }
};

TEST_P(ProcessPoolMap, M6_EachItemHasACallableOfItsOwn) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  EXPECT_EQ(outcome_of(executor.map(Counter{5}, Ints{1, 2, 3}, {.chunksize = 3})).first, (Ints{601, 602, 603}));
}

// --- M6: the calls

// With one call per worker, the number of workers is that of the calls.
TEST_P(ProcessPoolMap, M6_AChunkIsOneCall) {
  ProcessPoolExecutor processes({.max_workers = 1, .isolation = GetParam(), .max_calls_per_worker = 1});
  Executor& executor = processes;
  const auto check = [](const Ints& pids) {
    EXPECT_EQ(std::set<int>(pids.begin(), pids.end()).size(), 4u);
    EXPECT_EQ(pids.size(), 10u);
    for (std::size_t i = 0; i < pids.size(); ++i) EXPECT_EQ(pids[i], pids[i / 3 * 3]);
  };
  const MapOptions options{.chunksize = 3};
  check(outcome_of(executor.map(pid_at, std::views::iota(0, 10), options)).first);
  check(outcome_of(executor.map_unordered(pid_at, std::views::iota(0, 10), options)).first);
  check(settled_as<std::exception>(executor.map_settled(pid_at, std::views::iota(0, 10), options)));
  check(outcome_of(processes.map(pid_at, std::views::iota(0, 10), {.chunksize = 3, .buffersize = 6})).first);
}

// Runs each call at once, in this process, and counts.
class CountingExecutor final : public Executor {
 public:
  explicit CountingExecutor(bool calls_travel) : calls_travel_(calls_travel) {}
  int calls() const { return calls_; }

 private:
  void schedule(Task task) override {
    ++calls_;
    if (task.claim()) task.run();
  }
  void check_intake() override {}
  ShutdownResult do_shutdown(const ShutdownOptions&) override { return {}; }
  bool calls_travel() const noexcept override { return calls_travel_; }

  const bool calls_travel_;
  int calls_ = 0;
};

TEST(Map, M6_ChunksAreForCallsThatTravel) {
  for (const int inputs : {0, 1, 5, 6, 7}) {
    for (const int chunksize : {1, 2, 3, 100}) {
      const MapOptions options{.chunksize = chunksize};
      CountingExecutor travels(true);
      CountingExecutor stays(false);
      for (CountingExecutor* const executor : {&travels, &stays}) {
        EXPECT_EQ(outcome_of(executor->map(twice, std::views::iota(0, inputs), options)).first.size(),
                  static_cast<std::size_t>(inputs));
      }
      EXPECT_EQ(travels.calls(), (inputs + chunksize - 1) / chunksize);
      EXPECT_EQ(stays.calls(), inputs);
    }
  }
  CountingExecutor executor(true);
  int captured = 1;
  const auto cannot_travel = [&captured](int x) { return x + captured; };
  EXPECT_EQ(outcome_of(executor.map(cannot_travel, Ints{1, 2, 3}, {.chunksize = 3})).first, (Ints{2, 3, 4}));
  EXPECT_EQ(executor.calls(), 3);
}

TEST(Map, M6_ThreadsIgnoreChunksize) {
  ThreadPoolExecutor executor({.max_workers = 2});
  static std::latch both(2);
  const auto meet = [](int x) { return both.arrive_and_wait(), x; };  // Two calls of one chunk would never meet.
  EXPECT_EQ(outcome_of(executor.map(meet, Ints{1, 2}, {.timeout = 20s, .chunksize = 2})), Outcome(Ints{1, 2}, ""));
}

struct Unmovable {
  explicit Unmovable(int x) : value(x) {}
  Unmovable(Unmovable&&) = delete;
  const int value;
};

// What could never be in a chunk is as welcome as before.
TEST(Map, M1_ThreadsGiveAnyResult) {
  ThreadPoolExecutor executor({.max_workers = 1});
  const auto unmovable = [](int x) { return Unmovable(x); };
  const MapOptions options{.chunksize = 2};
  int sum = 0;
  for (const Unmovable& result : executor.map(unmovable, Ints{1, 2, 3}, options)) sum += result.value;
  for (const Unmovable& result : executor.map_unordered(unmovable, Ints{1, 2, 3}, options)) sum += result.value;
  for (const auto& settled : executor.map_settled(unmovable, Ints{1, 2, 3}, options)) sum += settled.value().value;
  EXPECT_EQ(sum, 18);
  std::vector<std::any> all;
  const auto in_any = [](int x) { return std::any(x); };
  for (std::any& result : executor.map(in_any, Ints{4, 5}, options)) all.push_back(std::move(result));
  EXPECT_EQ(std::any_cast<int>(all.at(1)), 5);
  for (auto& settled : executor.map_settled([](int x) { return std::make_unique<int>(x); }, Ints{6}, options)) {
    const Settled<std::unique_ptr<int>> copy = settled;
    EXPECT_EQ(*copy.value(), 6);
    EXPECT_EQ(*settled.take(), 6);
  }
}

TEST_P(ProcessPoolMap, P2_WhatCannotTravelFailsItemByItem) {
  ProcessPoolExecutor processes({.max_workers = 1, .isolation = GetParam()});
  Executor& executor = processes;
  int captured = 1;
  const MapOptions options{.chunksize = 2};
  const auto with_capture = [captured](int x) { return x + captured; };
  EXPECT_EQ(settled_as<SerializationError>(executor.map_settled(with_capture, Ints{1, 2, 3}, options)),
            (Ints{-1, -1, -1}));
  const auto with_token = [](std::stop_token, int x) { return x; };
  EXPECT_EQ(settled_as<SerializationError>(executor.map_settled(with_token, Ints{1, 2, 3}, options)),
            (Ints{-1, -1, -1}));
  const auto gives_pointer = [](int) -> const char* { return ""; };
  for (const auto& settled : executor.map_settled(gives_pointer, Ints{1, 2, 3}, options)) {
    EXPECT_TRUE(has_error<SerializationError>(settled));
  }
}

// --- M2

TEST_P(ProcessPoolMap, M2_ReadyItemsOfAChunkComeOutAfterTheDeadline) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  executor.submit(twice, 1).result();  // The worker is up.
  std::vector<Step> input = steps(7, log);
  input[3].gate = gate.path();
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  auto results = executor.map(take_step, input, {.timeout = 2s, .chunksize = 3});
  EXPECT_EQ(*results.begin(), 0);  // So the first chunk is done.
  std::this_thread::sleep_until(deadline);
  EXPECT_EQ(outcome_of(results), Outcome(Ints{0, 1, 2}, "TimeoutError"));
  gate.open();
  executor.shutdown();
  const Ints ran = logged(log);
  EXPECT_EQ(ran, (Ints{0, 1, 2, 3, 4, 5})) << "the chunk that had not started was cancelled";
}

TEST_P(ProcessPoolMap, M2_SettledWhenTimeIsUp) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<int> held = executor.submit(pass, gate.path(), 0);
  EXPECT_TRUE(soon([&] { return held.running(); }));
  EXPECT_EQ(settled_as<TimeoutError>(executor.map_settled(take_step, steps(5, log), {.timeout = 0s, .chunksize = 2})),
            Ints(5, -1));
  // An input that was taken and whose call was not yet submitted is an item like any other.
  std::atomic<int> taken = 0;
  EXPECT_EQ(settled_as<TimeoutError>(
                executor.map_settled(twice, endless(taken), {.timeout = 0s, .chunksize = 3, .buffersize = 4})),
            Ints(4, -1));
  EXPECT_EQ(taken, 4);
  auto unordered = executor.map_unordered(take_step, steps(5, log), {.timeout = 0s, .chunksize = 2});
  EXPECT_EQ(outcome_of(unordered), Outcome(Ints(), "TimeoutError"));
  gate.open();
  executor.shutdown();
  EXPECT_EQ(logged(log), Ints());
}

// --- M4, M5, M7, M8, M9

TEST_P(ProcessPoolMap, M4_DestroyingTheRangeCancelsTheChunksThatHaveNotStarted) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Step> input = steps(8, log);
  input[3].gate = gate.path();
  {
    auto results = executor.map(take_step, input, {.chunksize = 2});
    EXPECT_EQ(*results.begin(), 0);
    EXPECT_TRUE(soon([&] { return logged(log).size() == 4; }));
    const auto never_advanced = executor.map_settled(take_step, input, {.chunksize = 2});
    const auto neither = executor.map_unordered(take_step, input, {.chunksize = 2});
  }
  gate.open();
  executor.shutdown();
  EXPECT_EQ(logged(log), (Ints{0, 1, 2, 3}));
}

TEST_P(ProcessPoolMap, M5_BuffersizeCountsInputs) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const auto check = [](auto results, const std::atomic<int>& taken, int buffersize) {
    EXPECT_EQ(taken, buffersize);
    auto it = results.begin();
    for (int step = 1; step <= 20; ++step, ++it) {
      static_cast<void>(*it);
      EXPECT_EQ(taken, buffersize + step);
    }
  };
  for (const int buffersize : {1, 3, 4, 9}) {
    for (const int chunksize : {2, 3, 100}) {
      const MapOptions options{.chunksize = chunksize, .buffersize = buffersize};
      std::atomic<int> taken = 0;
      check(executor.map(twice, endless(taken), options), taken, buffersize);
      taken = 0;
      check(executor.map_unordered(twice, endless(taken), options), taken, buffersize);
      taken = 0;
      check(executor.map_settled(twice, endless(taken), options), taken, buffersize);
      EXPECT_EQ(outcome_of(executor.map(twice, Ints{1, 2, 3, 4, 5}, options)).first, (Ints{2, 4, 6, 8, 10}));
    }
  }
}

TEST_P(ProcessPoolMap, M7_AnInputThatThrows) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<int> held = executor.submit(pass, gate.path(), 0);
  EXPECT_TRUE(soon([&] { return held.running(); }));
  const std::vector<Step> all = steps(9, log);
  const auto input = all | std::views::transform([](const Step& step) {
                       return step.value == 5 ? throw std::logic_error("input 5") : step;
                     });
  EXPECT_THROW(static_cast<void>(executor.map(take_step, input, {.chunksize = 2})), std::logic_error);
  EXPECT_THROW(static_cast<void>(executor.map_unordered(take_step, input, {.chunksize = 100})), std::logic_error);
  gate.open();
  executor.submit(twice, 1).result();
  EXPECT_EQ(logged(log), Ints());
  // In a step: the third, which takes the sixth input.
  EXPECT_EQ(outcome_of(executor.map(take_step, input, {.chunksize = 2, .buffersize = 3})),
            Outcome(Ints{0, 1}, "input 5"));
}

TEST_P(ProcessPoolMap, M8_AfterShutdown) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::atomic<int> taken = 0;
  auto results = executor.map(twice, endless(taken), {.chunksize = 2, .buffersize = 4});
  EXPECT_EQ(*results.begin(), 0);
  executor.shutdown();
  EXPECT_EQ(outcome_of(results).second, "ShutdownError");
  EXPECT_THROW(static_cast<void>(executor.map(twice, Ints(), {.chunksize = 2})), ShutdownError);
  EXPECT_THROW(static_cast<void>(executor.map(twice, Ints{1}, {.chunksize = 2})), ShutdownError);
}

TEST_P(ProcessPoolMap, M9_UnorderedComesByChunks) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  std::vector<Step> input = steps(5, log);
  input[1].gate = gate.path();
  Ints seen;
  for (const int value : executor.map_unordered(take_step, input, {.chunksize = 2})) {
    seen.push_back(value);
    if (seen.size() == 3) gate.open();
  }
  EXPECT_EQ(seen, (Ints{2, 3, 4, 0, 1}));
}

TEST_P(ProcessPoolMap, M9_SettledItemsOutliveTheRange) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Settled<std::string>> all;
  for (const auto& settled : executor.map_settled([](int x) { return std::string(100, static_cast<char>('a' + x)); },
                                                  Ints{0, 1, 2}, {.chunksize = 2})) {
    all.push_back(settled);
  }
  Settled<std::string> copy = all[1];
  EXPECT_EQ(copy.value(), std::string(100, 'b'));
  EXPECT_EQ(all[1].take(), std::string(100, 'b'));
  EXPECT_THROW(copy.value(), InvalidStateError);
  EXPECT_THROW(copy.take(), InvalidStateError);
  EXPECT_EQ(all[0].value(), std::string(100, 'a'));
  EXPECT_EQ(all[2].value(), std::string(100, 'c'));
}

FOR_BOTH_ISOLATIONS(ProcessPoolMap);

}  // namespace
}  // namespace futures
