// Calls that end or cancel the thread they run on (law E3), on every schedule of small programs, for the code of the
// thread pool and of the reference.
#include <pthread.h>

#include <functional>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/pool_schedules.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/executor.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures {
namespace {

using simulator::expect;
using simulator::together;

void end_thread() { pthread_exit(nullptr); }

// Whether the call got BrokenExecutor, as one that ended its thread does, and one for which no thread was left.
bool is_broken(const Call& call) {
  try {
    call.future.result();
    return false;
  } catch (const BrokenExecutor&) {
    return true;
  }
}

// The last thread may have ended and not been replaced: then the pool is broken (law T5), and refuses.
void submit_unless_broken(Executor& executor, Call& call, const std::function<void()>& body = [] {}) {
  try {
    submit(executor, call, body);
  } catch (const BrokenExecutor&) {
  }
}

void expect_broken(const Call& call) {
  if (call.accepted) expect(is_broken(call), "E3: a call that ended its thread has no BrokenExecutor");
}

// Ran, or there was no thread for it (law T5).
void expect_ran_or_broken(const Call& call) {
  if (!call.accepted) return;
  const bool broken = is_broken(call);
  expect(call.runs == (broken ? 0 : 1), "E2: a call did not run exactly once");
}

// As many calls run at once as there are workers: each waits until all have begun.
void expect_all_workers(Executor& executor, int workers) {
  std::vector<Promise<void>> begun(workers);
  std::vector<Call> calls(workers);
  for (int i = 0; i < workers; ++i) {
    submit(executor, calls[i], [&begun, i] {
      begun[i].set_result();
      for (const Promise<void>& other : begun) other.future().wait();
    });
  }
  for (const Call& call : calls) call.future.result();
}

TEST_P(PoolSchedules, E3_ACallThatEndsItsThread) {
  on_all_schedules([] {
    Call ends;
    Call next;
    {
      const auto executor = make_executor();
      together(
          {[&] { submit_unless_broken(*executor, ends, end_thread); }, [&] { submit_unless_broken(*executor, next); }});
      expect_broken(ends);
      expect_ran_or_broken(next);
    }
    if (ends.accepted) expect(ends.runs <= 1, "E2: a call ran twice");
  });
}

TEST_P(PoolSchedules, E3_ThePoolKeepsItsWorkers) {
  const auto program = [] {
    const auto executor = make_executor();
    std::vector<Call> ending(2);
    for (Call& call : ending) submit_unless_broken(*executor, call, end_thread);
    expect_all_workers(*executor, workers());
    for (const Call& call : ending) expect_broken(call);
  };
  on_all_schedules(program, /*faults_happen=*/false);
}

// What a thread that ends leaves behind would add up.
TEST_P(PoolSchedules, E3_ThePoolKeepsItsWorkersTheFortiethTime) {
  const auto program = [](bool faults_happen) {
    const auto executor = make_executor();
    for (int i = 0; i < 40; ++i) {
      Call call;
      submit_unless_broken(*executor, call, end_thread);
      expect_broken(call);
    }
    if (!faults_happen) expect_all_workers(*executor, workers());
  };
  const auto require = [&](bool faults_happen, simulator::Strategy&& strategy) {
    const simulator::Exploration explored = simulator::explore(
        testing::UnitTest::GetInstance()->current_test_info()->name(), [&] { program(faults_happen); },
        std::move(strategy));
    EXPECT_TRUE(explored.ok()) << explored.report();
    if (explored.ok()) std::cout << explored.report();
  };
  require(false, simulator::Exhaustive({.preemptions = 0}));
  require(false, simulator::RandomWalk({.runs = 300, .faults = false}));
  require(false, simulator::Pct({.runs = 300}));
  require(true, simulator::Exhaustive({.preemptions = 0, .faults = 1}));
  require(true, simulator::RandomWalk({.runs = 300, .faults = true}));
}

// Each of two calls ends its thread while a shutdown drains; the third one needs a new thread.
TEST_P(PoolSchedules, E3_AThreadIsReplacedWhileDraining) {
  on_all_schedules([] {
    std::vector<Call> calls(3);
    const auto executor = make_executor();
    submit_unless_broken(*executor, calls[0], end_thread);
    submit_unless_broken(*executor, calls[1], end_thread);
    submit_unless_broken(*executor, calls[2]);
    expect(executor->shutdown(), "S1: the executor has not ended");
    for (const Call& call : calls) {
      if (call.accepted) expect(call.future.done(), "S1: a shutdown that waits has not waited");
    }
    expect_broken(calls[0]);
    expect_broken(calls[1]);
    expect_ran_or_broken(calls[2]);
  });
}

TEST_P(PoolSchedules, E8_TheCallableIsGoneThoughItEndsItsThread) {
  on_all_schedules([] {
    const auto captured = std::make_shared<int>(0);
    const auto executor = make_executor();
    Future<void> future;
    try {
      future = executor->submit([held = captured] { end_thread(); });
    } catch (const std::system_error&) {
      return;
    }
    future.wait();
    expect(captured.use_count() == 1, "E8: the callable is alive though its future is finished");
  });
}

// The callbacks behind it still run, and the worker is replaced.
TEST_P(PoolSchedules, F10_ACallbackThatEndsItsThread) {
  on_all_schedules([] {
    int callbacks = 0;
    Call first;
    Call next;
    {
      const auto executor = make_executor();
      submit_unless_broken(*executor, first, [] { simulator::pass_time(); });
      if (!first.accepted) return;
      together({[&] {
                  first.future.add_done_callback([](const Future<void>&) { end_thread(); });
                  first.future.add_done_callback([&](const Future<void>&) { ++callbacks; });
                },
                [&] { submit_unless_broken(*executor, next); }});
      if (callbacks == 0) first.future.add_done_callback([&](const Future<void>&) { ++callbacks; });
      expect_ran_or_broken(next);
    }
    expect(callbacks >= 1, "F8: a callback has not run");
  });
}

// --- Cancellation.

// The next call has a cancellation point, and is not touched.
TEST_P(PoolSchedules, E3_ACallThatCancelsItsThread) {
  on_all_schedules([] {
    Call cancels;
    Call next;
    bool next_ended = false;
    {
      const auto executor = make_executor();
      const auto cancel = [] { pthread_cancel(pthread_self()); };
      const auto pass_a_cancellation_point = [&next_ended] {
        sync::end_if_cancelled();
        next_ended = true;
      };
      together({[&] { submit_unless_broken(*executor, cancels, cancel); },
                [&] { submit_unless_broken(*executor, next, pass_a_cancellation_point); }});
      expect_ran_or_broken(cancels);
      expect_ran_or_broken(next);
    }
    expect(next_ended == (next.runs == 1), "E3: the cancellation of one call has ended another");
  });
}

// Wherever in its work, or in its wait for more, the cancellation meets the worker.
TEST_P(PoolSchedules, E7_AWorkerThatIsCancelledIsReplaced) {
  on_all_schedules([] {
    Call first;
    Call next;
    int worker = 0;
    {
      const auto executor = make_executor();
      submit_unless_broken(*executor, first, [&worker] { worker = simulator::this_thread(); });
      if (!first.accepted) return;
      first.future.wait();
      together({[&] { simulator::cancel(worker); }, [&] { submit_unless_broken(*executor, next); }});
      expect_ran_or_broken(next);
    }
    expect_ended(first);
  });
}

TEST_P(PoolSchedules, T4_AnInitializerThatEndsItsThreadBreaksThePool) {
  const absl::ScopedStderrThreshold quiet(absl::LogSeverityAtLeast::kInfinity);
  on_all_schedules([] {
    const auto executor = make_executor(&end_thread);
    Call first;
    Call next;
    submit(*executor, first);
    if (!first.accepted) return;
    expect_broken(first);
    try {
      submit(*executor, next);
      expect(!next.accepted, "T4: a broken pool took a call");
    } catch (const BrokenExecutor&) {
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, PoolSchedules, testing::ValuesIn(candidates()), name_of);

}  // namespace
}  // namespace futures
