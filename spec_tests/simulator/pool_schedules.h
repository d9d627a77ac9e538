// What tests of executors on schedules share: the executors, and calls that say what became of them.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_POOL_SCHEDULES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_POOL_SCHEDULES_H_

#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/executor.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.h"
#include "spec_tests/simulator/simulated/reference/reference_executor.h"
#include "spec_tests/simulator/simulator.h"

namespace futures {

// The executors whose code is explored.
struct Candidate {
  std::string name;
  std::unique_ptr<Executor> (*make)(int max_workers, std::function<void()> initializer);
};

template <typename E>
std::unique_ptr<Executor> make_candidate(int max_workers, std::function<void()> initializer) {
  return std::make_unique<E>(
      typename std::conditional_t<std::is_same_v<E, ThreadPoolExecutor>, ThreadPoolOptions, ReferenceOptions>{
          .max_workers = max_workers, .initializer = std::move(initializer)});
}

// The number of workers is the second part of the test's name.
class PoolSchedules : public testing::TestWithParam<std::pair<Candidate, int>> {
 protected:
  static std::unique_ptr<Executor> make_executor(std::function<void()> initializer = nullptr) {
    return GetParam().first.make(GetParam().second, std::move(initializer));
  }
  static int workers() { return GetParam().second; }

  // Every schedule with at most one preemption, and with one worker also one fault; and some thousands of each kind
  // beyond. Faults are a thread that cannot be started and a wait that ends for no reason. Two workers and a fault have
  // millions of schedules. Weak memory comes without faults, and with two workers without a preemption: one makes a
  // hundred thousand schedules. `faults_happen`: false if the law does not hold then.
  static void on_all_schedules(const std::function<void()>& program, bool faults_happen = true) {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    const auto require = [](const simulator::Exploration& explored) {
      EXPECT_TRUE(explored.ok()) << explored.report();
      if (explored.ok()) std::cout << explored.report();
    };
    const int faults = faults_happen && workers() == 1 ? 1 : 0;
    const simulator::Limits limits = {.races_one_in = 4};
    const auto explore = [&](simulator::Strategy&& strategy) {
      require(simulator::explore(test.name(), program, std::move(strategy), limits));
    };
    explore(simulator::Exhaustive({.preemptions = 1, .faults = faults}));
    explore(simulator::RandomWalk({.runs = 3000, .faults = faults_happen}));
    explore(simulator::Pct({.runs = 3000}));
    const auto explore_weak = [&](simulator::Strategy&& strategy) {
      require(simulator::explore(std::string(test.name()) + "/weak", program, std::move(strategy), {},
                                 simulator::Memory::kWeak));
    };
    explore_weak(simulator::Exhaustive({.preemptions = workers() == 1 ? 1 : 0, .faults = 0, .reorderings = 1}));
    explore_weak(simulator::RandomWalk({.runs = 1000, .faults = faults_happen}));
    explore_weak(simulator::Pct({.runs = 1000}));
  }
};

// What became of a call, as its body and its future say.
struct Call {
  int runs = 0;
  bool accepted = false;
  bool cancelled_by_us = false;
  Future<void> future;
};

// A submit may be refused: after a shutdown (law E4), and if not even one thread can be started (law T5).
inline void submit(Executor& executor, Call& call, const std::function<void()>& body = [] {}) {
  try {
    call.future = executor.submit([&call, body] {
      ++call.runs;
      body();
    });
    call.accepted = true;
  } catch (const ShutdownError&) {
  } catch (const std::system_error&) {
  }
}

inline void cancel(Call& call) {
  if (!call.accepted) return;
  call.cancelled_by_us = call.future.cancel();
  if (call.cancelled_by_us) simulator::expect(call.runs == 0, "F2: a call was cancelled that had begun");
}

// In this order: a running call may get done in between.
inline bool has_left_pending(const Future<void>& future) { return future.running() || future.done(); }

// After the executor's end.
inline void expect_ended(const Call& call) {
  if (!call.accepted) return simulator::expect(call.runs == 0, "E4: a call ran that was not accepted");
  simulator::expect(call.future.done(), "E7: a call is not done");
  simulator::expect(call.runs == (call.future.cancelled() ? 0 : 1),
                    "E2: a call that was not cancelled did not run exactly once");
  if (call.cancelled_by_us) simulator::expect(call.future.cancelled(), "F2: cancel has said what is not so");
}

inline std::vector<std::pair<Candidate, int>> candidates() {
  std::vector<std::pair<Candidate, int>> all;
  for (const int workers : {1, 2}) {
    all.push_back({{"thread_pool", &make_candidate<ThreadPoolExecutor>}, workers});
    all.push_back({{"reference", &make_candidate<ReferenceExecutor>}, workers});
  }
  return all;
}

inline std::string name_of(const testing::TestParamInfo<std::pair<Candidate, int>>& info) {
  return info.param.first.name + "_" + std::to_string(info.param.second);
}

}  // namespace futures

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_POOL_SCHEDULES_H_
