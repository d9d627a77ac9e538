// The laws of submit, cancel and shutdown on every schedule of small programs, for the code of the thread pool and of
// the reference: two clients, one or two workers.
#include <chrono>
#include <cstddef>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/executor.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.h"
#include "spec_tests/simulator/simulated/reference/reference_executor.h"
#include "spec_tests/simulator/simulator.h"

namespace futures {
namespace {

using simulator::Exhaustive;
using simulator::expect;
using simulator::Exploration;
using simulator::explore;
using simulator::Memory;
using simulator::Pct;
using simulator::RandomWalk;
using simulator::Strategy;
using simulator::together;

// The executors whose code is explored.
struct Candidate {
  std::string name;
  std::unique_ptr<Executor> (*make)(int max_workers, std::function<void()> initializer);
};

template <typename E>
std::unique_ptr<Executor> make(int max_workers, std::function<void()> initializer) {
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
  // millions of schedules. Weak memory comes without faults. `faults_happen`: false if the law does not hold then.
  static void on_all_schedules(const std::function<void()>& program, bool faults_happen = true) {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    const auto require = [](const Exploration& explored) {
      EXPECT_TRUE(explored.ok()) << explored.report();
      if (explored.ok()) std::cout << explored.report();
    };
    const int faults = faults_happen && workers() == 1 ? 1 : 0;
    require(explore(test.name(), program, Exhaustive({.preemptions = 1, .faults = faults})));
    require(explore(test.name(), program, RandomWalk({.runs = 3000, .faults = faults_happen})));
    require(explore(test.name(), program, Pct({.runs = 3000})));
    const auto explore_weak = [&](Strategy&& strategy) {
      require(explore(std::string(test.name()) + "/weak", program, std::move(strategy), {}, Memory::kWeak));
    };
    explore_weak(Exhaustive({.preemptions = 1, .faults = 0, .reorderings = 1}));
    explore_weak(RandomWalk({.runs = 1000, .faults = faults_happen}));
    explore_weak(Pct({.runs = 1000}));
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
void submit(Executor& executor, Call& call, const std::function<void()>& body = [] {}) {
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

void cancel(Call& call) {
  if (!call.accepted) return;
  call.cancelled_by_us = call.future.cancel();
  if (call.cancelled_by_us) expect(call.runs == 0, "F2: a call was cancelled that had begun");
}

// In this order: a running call may get done in between.
bool has_left_pending(const Future<void>& future) { return future.running() || future.done(); }

// After the executor's end.
void expect_ended(const Call& call) {
  if (!call.accepted) return expect(call.runs == 0, "E4: a call ran that was not accepted");
  expect(call.future.done(), "E7: a call is not done");
  expect(call.runs == (call.future.cancelled() ? 0 : 1), "E2: a call that was not cancelled did not run exactly once");
  if (call.cancelled_by_us) expect(call.future.cancelled(), "F2: cancel has said what is not so");
}

TEST_P(PoolSchedules, E7_EveryCallEnds) {
  on_all_schedules([] {
    Call one;
    Call two;
    {
      const auto executor = make_executor();
      together({[&] { submit(*executor, one); }, [&] { submit(*executor, two); }});
    }
    for (const Call* call : {&one, &two}) expect_ended(*call);
  });
}

TEST_P(PoolSchedules, E7_AResultComesWithoutAnEnd) {
  on_all_schedules([] {
    const auto executor = make_executor();
    Call one;
    Call two;
    const auto client = [&](Call& call) {
      submit(*executor, call);
      if (call.accepted) call.future.result();
      expect(call.runs == (call.accepted ? 1 : 0), "E2: an accepted call did not run, or another one did");
    };
    together({[&] { client(one); }, [&] { client(two); }});
  });
}

// The worker is started for the first call, woken for the second, and woken again.
TEST_P(PoolSchedules, E7_TheThirdCallComesToo) {
  on_all_schedules([] {
    const auto executor = make_executor();
    for (int i = 0; i < 4; ++i) {
      Call call;
      submit(*executor, call);
      if (call.accepted) call.future.result();
    }
  });
}

// Two calls that need each other: neither worker may idle beside a pending call. A worker that cannot be started would
// be missing (law T5), so nothing fails here.
TEST_P(PoolSchedules, E6_AFreeWorkerTakesThePendingCall) {
  if (workers() != 2) GTEST_SKIP() << "it takes two workers";
  const auto program = [] {
    const auto executor = make_executor();
    std::vector<Promise<void>> met(2);
    std::vector<Call> calls(2);
    const auto client = [&](int own) {
      submit(*executor, calls[own], [&met, own] {
        met[own].set_result();
        met[1 - own].future().wait();
      });
    };
    together({[&] { client(0); }, [&] { client(1); }});
    for (const Call& call : calls) call.future.result();
  };
  on_all_schedules(program, /*faults_happen=*/false);
}

TEST_P(PoolSchedules, F2_ACancelledCallNeverRuns) {
  on_all_schedules([] {
    Call one;
    Call two;
    {
      const auto executor = make_executor();
      submit(*executor, one);
      submit(*executor, two);
      together({[&] { cancel(one); }, [&] { cancel(two); }});
    }
    for (const Call* call : {&one, &two}) expect_ended(*call);
  });
}

TEST_P(PoolSchedules, E5_CallsStartInTheOrderOfTheirSubmits) {
  if (workers() != 1) GTEST_SKIP() << "with two workers the bodies may begin in another order";
  on_all_schedules([] {
    std::vector<int> order;
    std::vector<int> accepted;
    std::vector<Call> calls(3);
    {
      const auto executor = make_executor();
      for (int i = 0; i < 3; ++i) {
        submit(*executor, calls[i], [&order, i] { order.push_back(i); });
        if (calls[i].accepted) accepted.push_back(i);
      }
    }
    expect(order == accepted, "E5: calls began out of order");
  });
}

TEST_P(PoolSchedules, E6_NeverMoreAtOnceThanWorkers) {
  on_all_schedules([] {
    int running = 0;
    const int workers_max = workers();
    std::vector<Call> calls(3);
    const auto executor = make_executor();
    for (Call& call : calls) {
      submit(*executor, call, [&running, workers_max] {
        expect(++running <= workers_max, "E6: more calls run than there are workers");
        simulator::pass_time();
        --running;
      });
    }
  });
}

TEST_P(PoolSchedules, S3_NothingIsPendingAfterAShutdownThatCancels) {
  on_all_schedules([] {
    Call before;
    Call during;
    {
      const auto executor = make_executor();
      submit(*executor, before);
      together({[&] { submit(*executor, during); },
                [&] {
                  executor->shutdown({.wait = false, .cancel_futures = true});
                  if (before.accepted) {
                    expect(has_left_pending(before.future), "S3: a call is pending after the shutdown");
                  }
                }});
      if (during.accepted) expect(has_left_pending(during.future), "S3: an accepted call is pending");
    }
    for (const Call* call : {&before, &during}) {
      if (call->accepted) call->future.wait();  // Nobody else has: it was left to itself.
      expect_ended(*call);
    }
  });
}

TEST_P(PoolSchedules, S5_WhoeverWaitsSeesAllDone) {
  on_all_schedules([] {
    Call one;
    Call two;
    const auto executor = make_executor();
    submit(*executor, one);
    submit(*executor, two);
    const auto client = [&](bool cancel_futures) {
      executor->shutdown({.wait = true, .cancel_futures = cancel_futures});
      for (const Call* call : {&one, &two}) {
        if (call->accepted) expect(call->future.done(), "S1, S5: a shutdown that waits has not waited");
      }
    };
    together({[&] { client(false); }, [&] { client(true); }});
    for (const Call* call : {&one, &two}) expect_ended(*call);
  });
}

TEST_P(PoolSchedules, S1_AShutdownThatWaitsHasJoinedTheWorkers) {
  on_all_schedules([] {
    const auto executor = make_executor();
    Call one;
    Call two;
    submit(*executor, one);
    submit(*executor, two);
    executor->shutdown();
    expect(simulator::live_threads() == 1, "S1: a worker's thread has not ended");
  });
}

// A done callback of a call that the broken pool fails uses the pool: with its lock held, it would wait for itself.
TEST_P(PoolSchedules, T4_NoLockIsHeldWhenThePoolBreaks) {
  const absl::ScopedStderrThreshold quiet(absl::LogSeverityAtLeast::kInfinity);  // Each run would log what it throws.
  on_all_schedules([] {
    const auto executor = make_executor([] { throw std::runtime_error("no worker can be initialised"); });
    bool refused = false;
    Future<void> future;
    try {
      future = executor->submit([] {});
    } catch (const std::system_error&) {
      return;  // No thread could be started.
    }
    future.add_done_callback([&refused, own = executor.get()](const Future<void>&) {
      try {
        own->submit([] {});
      } catch (const BrokenExecutor&) {
        refused = true;
      }
    });
    executor->shutdown();
    expect(refused, "T4: a pool whose initializer threw took a call");
  });
}

TEST_P(PoolSchedules, S2_WithoutWaitTheWorkStillCompletes) {
  on_all_schedules([] {
    Call one;
    auto executor = make_executor();
    submit(*executor, one);
    executor->shutdown({.wait = false});
    together({[&] { executor.reset(); },
              [&] {
                if (one.accepted) one.future.wait();
              }});
    expect_ended(one);
  });
}

TEST_P(PoolSchedules, S7_ACallThatWaitsForItsExecutorIsRefused) {
  on_all_schedules([] {
    const auto executor = make_executor();
    Executor* const own = executor.get();
    bool refused = false;
    Call call;
    submit(*executor, call, [&refused, own] {
      try {
        own->shutdown();
      } catch (const DeadlockError&) {
        refused = true;
      }
    });
    expect(executor->shutdown(), "S1: the executor has not ended");
    expect(refused == call.accepted, "S7: a worker that waits for itself got no DeadlockError");
  });
}

TEST_P(PoolSchedules, E8_TheCallableIsGoneBeforeTheFutureIsDone) {
  on_all_schedules([] {
    const auto captured = std::make_shared<int>(0);
    const auto executor = make_executor();
    Call call;
    submit(*executor, call, [held = captured] {});
    if (!call.accepted) return expect(captured.use_count() == 1, "T5: the callable of a refused call is alive");
    together({[&] {
                if (call.future.wait() && !call.future.cancelled()) {
                  expect(captured.use_count() == 1, "E8: the callable is alive though its future is finished");
                }
              },
              [&] {
                cancel(call);
                if (call.cancelled_by_us) expect(captured.use_count() == 1, "E8: a cancelled call keeps its callable");
              }});
    expect_ended(call);
  });
}

std::vector<std::pair<Candidate, int>> candidates() {
  std::vector<std::pair<Candidate, int>> all;
  for (const int workers : {1, 2}) {
    all.push_back({{"thread_pool", &make<ThreadPoolExecutor>}, workers});
    all.push_back({{"reference", &make<ReferenceExecutor>}, workers});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, PoolSchedules, testing::ValuesIn(candidates()), [](const auto& info) {
  return info.param.first.name + "_" + std::to_string(info.param.second);
});

}  // namespace
}  // namespace futures
