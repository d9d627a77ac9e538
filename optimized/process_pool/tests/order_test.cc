// Who is next, and that nobody waits in vain: the order in which outcomes become known, calls beside idle workers,
// calls that wait for room. Laws E6, W5, T1, P5, for pools of processes.
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "futures/internal/cpus.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::GateFile;
using testing::own_pid;
using testing::pass;
using testing::pass_text;
using testing::soon;
using testing::twice;

using ProcessPoolOrder = testing::ProcessPoolTest;

// What one worker runs gets done in the order in which it ran, whoever finds it: for many second looks of the pool,
// with calls in every slot.
TEST_P(ProcessPoolOrder, W5_OneWorkersOutcomesStayInOrderUnderLoad) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  constexpr int kCalls = 10'000;
  std::atomic<int> announced = 0;
  int out_of_order = 0;  // The callbacks run one after the other.
  const auto until = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < until) {
    announced = 0;
    GateFile gate;
    const Future<int> first = executor.submit(pass, gate.path(), 0);  // Until all callbacks are there.
    std::vector<Future<int>> calls;
    for (int i = 0; i < kCalls; ++i) {
      calls.push_back(executor.submit(twice, i));
      calls.back().add_done_callback([&, i](const Future<int>&) { out_of_order += announced++ == i ? 0 : 1; });
    }
    gate.open();
    EXPECT_TRUE(soon([&] { return announced == kCalls; }));
  }
  EXPECT_EQ(out_of_order, 0);
}

// The thread that reads a large result while it is written takes its outcome, and others those before and behind it.
TEST_P(ProcessPoolOrder, W5_AResultThatIsReadEarlyIsNotOvertaken) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  constexpr int kCalls = 60;
  std::atomic<int> announced = 0;
  int out_of_order = 0;  // The callbacks run one after the other.
  const auto note = [&](int i) { out_of_order += announced++ == i ? 0 : 1; };
  const auto make_text = [](std::size_t bytes) { return std::string(bytes, 't'); };
  const auto until = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < until) {
    announced = 0;
    GateFile gate;
    const Future<int> first = executor.submit(pass, gate.path(), 0);  // Until all callbacks are there.
    std::vector<Future<std::string>> large;
    for (int i = 0; i < kCalls; ++i) {
      if (i % 3 == 1) {
        large.push_back(executor.submit(make_text, std::size_t{300'000}));
        large.back().add_done_callback([&note, i](const auto&) { note(i); });
      } else {
        executor.submit(twice, i).add_done_callback([&note, i](const auto&) { note(i); });
      }
    }
    gate.open();
    for (const Future<std::string>& future : large) future.wait();
    EXPECT_TRUE(soon([&] { return announced == kCalls; }));
  }
  EXPECT_EQ(out_of_order, 0);
}

// A submit wakes one worker, and that one wakes another if there are more calls. One that is not woken costs 100 ms,
// until the pool looks again.
TEST_P(ProcessPoolOrder, E6_ABurstWakesAsManyWorkersAsItNeeds) {
  ProcessPoolExecutor executor({.max_workers = 3, .isolation = GetParam()});
  constexpr int kRounds = 40;
  int late = 0;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(soon([&] { return testing::all_others_sleep(executor); }));
    GateFile gate;
    std::vector<Future<int>> calls;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) calls.push_back(executor.submit(pass, gate.path(), i));
    for (const Future<int>& call : calls) EXPECT_TRUE(soon([&] { return call.running(); }));
    late += std::chrono::steady_clock::now() - start >= 90ms ? 1 : 0;
    gate.open();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(calls[i].result(20s), i);
  }
  EXPECT_LT(late, kRounds / 4);
}

// Calls behind the first that waits for room give theirs up for it, also while others run.
TEST_P(ProcessPoolOrder, E6_NoWorkerIdlesWhileThoseBehindHaveTheRoom) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam(), .payload_bytes_max = 64 << 10});
  GateFile long_gate;
  GateFile short_gate;
  const auto call = [&](const GateFile& gate, std::size_t bytes) {
    return executor.submit(&pass_text, gate.path(), std::string(bytes, 'a'));
  };
  const Future<std::size_t> lasting = call(long_gate, 10'000);
  const Future<std::size_t> brief = call(short_gate, 40'000);
  EXPECT_TRUE(soon([&] { return lasting.running() && brief.running(); }));
  const Future<std::size_t> first_in_line = call(short_gate, 48'000);
  const Future<std::size_t> behind = call(short_gate, 8'000);
  short_gate.open();
  EXPECT_EQ(first_in_line.result(20s), 48'000u);
  EXPECT_EQ(behind.result(20s), 8'000u);
  EXPECT_FALSE(lasting.done());
  long_gate.open();
  EXPECT_EQ(lasting.result(20s), 10'000u);
}

// However the submits meet.
TEST_P(ProcessPoolOrder, E6_TheLineForRoomMovesBesideACallThatLasts) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam(), .payload_bytes_max = 1 << 20});
  GateFile gate;
  const Future<int> lasting = executor.submit(pass, gate.path(), 7);
  EXPECT_TRUE(soon([&] { return lasting.running(); }));
  std::vector<std::thread> clients;
  std::atomic<int> late = 0;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      const auto size = [](const std::string& text) { return text.size(); };
      for (int i = 0; i < 50 && late == 0; ++i) {
        late += executor.submit(size, std::string(600 << 10, 'y')).wait(10s) ? 0 : 1;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(late, 0);
  gate.open();
}

TEST_P(ProcessPoolOrder, T1_AsManyCallsRunAsThereAreWorkers) {
  constexpr int kWorkers = 300;
  ProcessPoolExecutor executor({.max_workers = kWorkers, .isolation = GetParam(), .payload_bytes_max = 4096});
  GateFile gate;
  std::vector<Future<int>> calls;
  for (int i = 0; i < kWorkers + 20; ++i) calls.push_back(executor.submit(pass, gate.path(), i));
  for (int i = 0; i < kWorkers; ++i) EXPECT_TRUE(soon([&] { return calls[i].running(); })) << i;
  for (int i = kWorkers; i < kWorkers + 20; ++i) EXPECT_FALSE(calls[i].running());
  gate.open();
  for (int i = 0; i < kWorkers + 20; ++i) EXPECT_EQ(calls[i].result(20s), i);
}

TEST_P(ProcessPoolOrder, T1_OptionsThatMakeNoPoolAreRefused) {
  const auto make = [](ProcessPoolOptions options) {
    options.isolation = GetParam();
    ProcessPoolExecutor executor(options);
  };
  constexpr long long kAnIntWouldBeOne = (1LL << 32) + 1;
  for (const long long workers : {0LL, -1LL, 1001LL, kAnIntWouldBeOne, std::numeric_limits<long long>::max()}) {
    EXPECT_THROW(make({.max_workers = workers}), std::invalid_argument) << workers;
  }
  for (const auto timeout : {0ns, -1ns}) {
    EXPECT_THROW(make({.max_workers = 1, .call_timeout = timeout}), std::invalid_argument);
  }
  EXPECT_THROW(make({.max_workers = 1, .terminate_grace = -1ns}), std::invalid_argument);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{4095}, (std::size_t{1} << 46) + 1}) {
    EXPECT_THROW(make({.max_workers = 1, .payload_bytes_max = bytes}), std::invalid_argument) << bytes;
  }
}

// As many as there are CPUs for this process, and no more however many calls there are.
TEST_P(ProcessPoolOrder, T1_ByDefaultThereIsAWorkerForEachCpu) {
  ProcessPoolExecutor executor({.isolation = GetParam()});
  const auto cpus = static_cast<std::size_t>(internal::available_cpus());
  std::vector<Future<pid_t>> calls;
  GateFile gate;
  const auto pid_behind = [](const std::string& path) {
    pass(path, 0);
    return own_pid();
  };
  for (std::size_t i = 0; i < 3 * cpus; ++i) calls.push_back(executor.submit(pid_behind, gate.path()));
  for (std::size_t i = 0; i < cpus; ++i) EXPECT_TRUE(soon([&] { return calls[i].running(); }));
  EXPECT_EQ(executor.worker_pids().size(), cpus);
  gate.open();
  std::set<pid_t> workers;
  for (const Future<pid_t>& call : calls) workers.insert(call.result(20s));
  EXPECT_LE(workers.size(), cpus);
}

// Whose decoding is held up where a client does it.
struct HeldUp {
  static inline std::atomic<std::thread::id> client{};
  static inline std::atomic<pid_t> held_worker = 0;
  static inline std::atomic<bool> may_go = false;
  pid_t worker = 0;

  template <typename Archive>
  void save(Archive& archive) const {
    archive(worker);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(worker);
    if (client != std::this_thread::get_id()) return;
    held_worker = worker;
    while (!may_go) std::this_thread::sleep_for(1ms);
  }
};

int die_after(const std::string& gate) {
  pass(gate, 0);
  return raise(SIGKILL);
}

// A call's outcome waits in its slot, until those before it of the same worker have been told, when another worker's
// death breaks the pool.
TEST_P(ProcessPoolOrder, P5_WhatWasDeliveredBeforeThePoolBrokeCounts) {
  ProcessPoolExecutor executor(
      {.max_workers = 2, .isolation = GetParam(), .on_worker_death = OnWorkerDeath::kBreakPool});
  GateFile death;
  const Future<int> dying = executor.submit(die_after, death.path());
  EXPECT_TRUE(soon([&] { return dying.running(); }));
  HeldUp::held_worker = 0;
  HeldUp::may_go = false;
  HeldUp::client = std::this_thread::get_id();
  std::optional<GateFile> begun;  // Opened by the second call.
  std::thread breaker([&] {
    while (HeldUp::held_worker == 0) std::this_thread::sleep_for(1ms);
    const auto is_delivered = [&] {  // Then its worker has nothing left to do.
      return access(begun->path().c_str(), F_OK) != 0 && testing::state_of(HeldUp::held_worker) == 'S';
    };
    EXPECT_TRUE(soon(is_delivered));
    death.open();
    EXPECT_TRUE(soon([&] { return dying.done(); }));
    HeldUp::may_go = true;
  });
  while (HeldUp::held_worker == 0) {  // Until it is the client that takes the first outcome.
    begun.emplace();
    const Future<HeldUp> first = executor.submit([] {
      std::this_thread::sleep_for(1ms);
      return HeldUp{.worker = getpid()};
    });
    const Future<int> second =
        executor.submit([](const std::string& path) { return unlink(path.c_str()); }, begun->path());
    while (!first.wait(1us)) {
    }
    EXPECT_EQ(first.exception(), nullptr);
    EXPECT_EQ(second.exception(), nullptr);
  }
  breaker.join();
  EXPECT_THROW(dying.result(), BrokenProcessPool);
  EXPECT_THROW(executor.submit(twice, 1), BrokenProcessPool);
}

FOR_BOTH_ISOLATIONS(ProcessPoolOrder);

}  // namespace
}  // namespace futures
