// The laws of submit, cancel and shutdown on every schedule of small programs, for the code of the thread pool and of
// the reference: two clients, one or two workers.
#include "spec_tests/simulator/pool_schedules.h"

#include <functional>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/executor.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures {
namespace {

using simulator::expect;
using simulator::together;

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

// Plain variables: what the executor does not order is a data race.
TEST_P(PoolSchedules, E9_WhatHappenedBeforeIsVisible) {
  on_all_schedules([] {
    const auto executor = make_executor();
    struct Seen {
      int before = 0;
      int in_the_call = 0;
    } seen;
    Call call;
    const auto look = [&seen] { expect(seen.in_the_call == 2, "E9: what the call did is not visible"); };
    together({[&] {
      seen.before = 1;
      submit(*executor, call, [&seen] { seen.in_the_call = seen.before + 1; });
      if (!call.accepted) return;
      call.future.add_done_callback([&look](const Future<void>&) { look(); });
      call.future.wait();
      look();
    }});
    if (call.accepted && call.future.done()) look();
  });
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
        {
          const simulator::Bookkeeping bookkeeping;
          expect(++running <= workers_max, "E6: more calls run than there are workers");
        }
        simulator::pass_time();
        const simulator::Bookkeeping bookkeeping;
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
    const auto captured = sync::make_shared<int>(0);
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

INSTANTIATE_TEST_SUITE_P(All, PoolSchedules, testing::ValuesIn(candidates()), name_of);

}  // namespace
}  // namespace futures
