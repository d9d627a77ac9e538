// The laws of futures on every schedule of small programs: two or three threads on one Promise and its Future.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/futures/wait.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures {
namespace {

using simulator::Bookkeeping;
using simulator::Exhaustive;
using simulator::expect;
using simulator::Exploration;
using simulator::explore;
using simulator::Memory;
using simulator::Pct;
using simulator::RandomWalk;
using simulator::Strategy;
using simulator::together;

// Every schedule within `bounds`, and a thousand of each kind beyond. The same under weak memory, with one preemption
// less: there are many more.
void on_all_schedules(const std::function<void()>& program,
                      Exhaustive::Bounds bounds = {.preemptions = 2, .faults = 1}) {
  const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const auto require = [](const Exploration& explored) {
    EXPECT_TRUE(explored.ok()) << explored.report();
    if (explored.ok()) std::cout << explored.report();
  };
  require(explore(name, program, Exhaustive(bounds)));
  require(explore(name, program, RandomWalk({.runs = 1000})));
  require(explore(name, program, Pct({.runs = 1000})));
  const auto explore_weak = [&](Strategy&& strategy) {
    require(explore(name + "/weak", program, std::move(strategy), {}, Memory::kWeak));
  };
  bounds.preemptions = std::min(bounds.preemptions, 1);
  explore_weak(Exhaustive(bounds));
  explore_weak(RandomWalk({.runs = 1000}));
  explore_weak(Pct({.runs = 1000}));
}

// Whether `function` throws an E.
template <typename E, typename F>
bool throws(F&& function) {
  try {
    function();
  } catch (const E&) {
    return true;
  }
  return false;
}

TEST(FutureSchedules, F2_ClaimOrCancelNeverBoth) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    bool cancelled = false;
    bool claimed = false;
    together({[&] { cancelled = future.cancel(); },
              [&] {
                claimed = promise.set_running_or_notify_cancel();
                if (claimed) promise.set_result(1);
              }});
    expect(cancelled != claimed, "F2: a call was cancelled and claimed, or neither");
    expect(future.done(), "F1: it is not done");
    expect(future.cancelled() == cancelled, "F2: cancel has said what is not so");
  });
}

TEST(FutureSchedules, F2_RacingCancelsAgree) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    std::vector<bool> answers;
    const auto cancel = [&] {
      const bool answer = future.cancel();
      const Bookkeeping bookkeeping;
      answers.push_back(answer);
    };
    together({cancel, cancel, [&] {
                if (promise.set_running_or_notify_cancel()) promise.set_result(1);
              }});
    expect(answers[0] == answers[1] && answers[0] == future.cancelled(), "F2: two cancels disagree");
  });
}

TEST(FutureSchedules, F6_OneOfTwoOutcomesWins) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    std::vector<int> winners;
    const auto set = [&](int value) {
      if (throws<InvalidStateError>([&] { promise.set_result(value); })) return;
      const Bookkeeping bookkeeping;
      winners.push_back(value);
    };
    together({[&] { set(1); }, [&] { set(2); }});
    expect(winners.size() == 1, "F6: not exactly one outcome was accepted");
    expect(future.result() == winners[0], "F6: the outcome is that of the loser");
  });
}

TEST(FutureSchedules, F6_AnOutcomeAndACancel) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    bool cancelled = false;
    bool refused = false;
    together({[&] { cancelled = future.cancel(); },
              [&] { refused = throws<InvalidStateError>([&] { promise.set_result(1); }); }});
    expect(cancelled == refused, "F6: an outcome was accepted after a cancel, or refused without one");
  });
}

// A value that cannot be made leaves the future running: it can no longer be cancelled, and still wants an outcome.
TEST(FutureSchedules, F6_AnOutcomeThatFailsLeavesTheFutureRunning) {
  struct Unmakeable {
    explicit Unmakeable(bool fails) {
      if (fails) throw std::runtime_error("it cannot be made");
    }
  };
  on_all_schedules([] {
    Promise<Unmakeable> promise;
    const Future<Unmakeable> future = promise.future();
    bool failed = false;
    bool cancelled = false;
    together({[&] { cancelled = future.cancel(); },
              [&] {
                failed = throws<std::runtime_error>([&] {
                  if (promise.set_running_or_notify_cancel()) promise.set_result(true);
                });
              }});
    expect(failed != cancelled, "F2: a call was cancelled and claimed, or neither");
    if (!failed) return;
    expect(future.running() && !future.cancel(), "F6: a future whose outcome failed is not running");
    promise.set_result(false);
    expect(future.done(), "F6: the second outcome was not taken");
  });
}

TEST(FutureSchedules, F5_AnOutcomeWakesEveryWaiter) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    const auto wait = [&] { expect(future.result() == 7, "F3: another value"); };
    together({wait, wait, [&] { promise.set_result(7); }});
  });
}

TEST(FutureSchedules, F5_ACancelWakesEveryWaiter) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    const auto wait = [&] { expect(throws<CancelledError>([&] { future.result(); }), "F3: no CancelledError"); };
    together({wait, wait, [&] { expect(future.cancel(), "F2: not cancelled"); }});
  });
}

TEST(FutureSchedules, F12_ADroppedPromiseWakesTheWaiter) {
  on_all_schedules([] {
    auto promise = std::make_unique<Promise<int>>();
    const Future<int> future = promise->future();
    together({[&] { expect(throws<BrokenExecutor>([&] { future.result(); }), "F12: no BrokenExecutor"); },
              [&] { promise.reset(); }});
  });
}

TEST(FutureSchedules, F3_ATimedWaitSaysWhetherItIsDone) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    together({[&] {
                const bool done = future.wait(std::chrono::seconds(1));
                if (done) expect(future.result(std::chrono::seconds(0)) == 7, "F3: done without a value");
              },
              [&] { promise.set_result(7); }});
    expect(future.result() == 7, "F3: another value");
  });
}

TEST(FutureSchedules, F3_AValueIsTakenOnce) {
  on_all_schedules([] {
    Promise<std::unique_ptr<int>> promise;
    int taken = 0;
    const auto take = [&, future = promise.future()] {
      if (throws<InvalidStateError>([&] { expect(*future.take() == 7, "F3: another value"); })) return;
      const Bookkeeping bookkeeping;
      ++taken;
    };
    together({take, take, [&] { promise.set_result(std::make_unique<int>(7)); }});
    expect(taken == 1, "F3: the value was not taken exactly once");
  });
}

// An rvalue handle moves the value out only if it is the last.
TEST(FutureSchedules, F3_TheLastHandleMovesTheValueOut) {
  on_all_schedules([] {
    const std::string value = "long enough to be on the heap";
    auto promise = std::make_unique<Promise<std::string>>();
    Future<std::string> one = promise->future();
    Future<std::string> other = promise->future();
    promise->set_result(value);
    promise.reset();  // It has a handle, too.
    together({[&] { expect(std::move(one).result() == value, "F3: the value was gone"); },
              [&] { expect(std::move(other).result() == value, "F3: the value was gone"); }});
  });
}

TEST(FutureSchedules, F8_CallbacksRunOnce) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    int runs = 0;
    const auto add = [&] {
      future.add_done_callback([&](const Future<int>& f) {
        expect(f.done(), "F8: a callback of a future that is not done");
        const Bookkeeping bookkeeping;
        ++runs;
      });
    };
    add();
    together({[&] {
                add();
                add();
              },
              [&] { promise.set_result(1); }});
    expect(runs == 3, "F8: a callback did not run exactly once");
  });
}

// Those that were registered before the future was done run in their order, on the thread that made it done.
TEST(FutureSchedules, F8_TheOrderOfRegistration) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    std::vector<int> order;
    for (int i = 0; i < 2; ++i) future.add_done_callback([&, i](const Future<int>&) { order.push_back(i); });
    together({[&] { future.cancel(); },
              [&] {
                if (promise.set_running_or_notify_cancel()) promise.set_result(1);
              }});
    expect(order == std::vector<int>({0, 1}), "F8: callbacks out of order, or not once");
  });
}

// A callback waits for a thread that uses the same future: with a lock held, both would wait for ever.
TEST(FutureSchedules, F8_NoLockIsHeld) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    sync::atomic<std::uint32_t> used{0};
    future.add_done_callback([&](const Future<int>&) {
      while (used.load() == 0) sync::futex_wait(used, 0, std::nullopt);
    });
    together({[&] { promise.set_result(1); },
              [&] {
                future.wait();
                future.add_done_callback([](const Future<int>&) {});
                used.store(1);
                sync::futex_wake_all(used);
              }});
  });
}

// The same with an operation that needs the future's lock also when it is done: letting go of a listener.
TEST(FutureSchedules, F8_NoLockIsHeldThatAWaitNeeds) {
  on_all_schedules([] {
    Promise<int> promise;
    const std::vector<Future<int>> one = {promise.future()};
    sync::atomic<std::uint32_t> used{0};
    one[0].add_done_callback([&](const Future<int>&) {
      while (used.load() == 0) sync::futex_wait(used, 0, std::nullopt);
    });
    together({[&] { promise.set_result(1); },
              [&] {
                wait(one);
                used.store(1);
                sync::futex_wake_all(used);
              }});
  });
}

TEST(FutureSchedules, F9_ACallbackAddedInACallbackRuns) {
  on_all_schedules([] {
    Promise<int> promise;
    const Future<int> future = promise.future();
    int inner = 0;
    const auto add = [&] {
      future.add_done_callback(
          [&](const Future<int>& f) { f.add_done_callback([&](const Future<int>&) { ++inner; }); });
    };
    together({[&] { promise.set_result(1); }, add});
    expect(inner == 1, "F9: the inner callback did not run exactly once");
  });
}

TEST(FutureSchedules, W3_TheFirstCompleted) {
  on_all_schedules(
      [] {
        Promise<int> a;
        Promise<int> b;
        const std::vector<Future<int>> both = {a.future(), b.future()};
        together({[&] {
                    const auto result = wait(both, {.return_when = ReturnWhen::kFirstCompleted});
                    expect(!result.done.empty(), "W3: nothing is done");
                    expect(result.done.size() + result.not_done.size() == 2, "W2: no partition");
                  },
                  [&] { a.set_result(1); }, [&] { both[1].cancel(); }});
      },
      {.preemptions = 1, .faults = 0});
}

TEST(FutureSchedules, W4_ACancelEndsTheWait) {
  on_all_schedules([] {
    Promise<int> promise;
    const std::vector<Future<int>> one = {promise.future()};
    together({[&] { expect(wait(one).done.size() == 1, "W4: a cancelled future does not count as done"); },
              [&] { one[0].cancel(); }});
  });
}

// The waiter leaves while futures get done: nothing of it may be used afterwards.
TEST(FutureSchedules, W7_LeavingWhileFuturesGetDone) {
  on_all_schedules([] {
    Promise<int> promise;
    const std::vector<Future<int>> one = {promise.future()};
    together({[&] { wait(one, {.timeout = std::chrono::seconds(0)}); }, [&] { promise.set_result(1); }});
  });
  on_all_schedules([] {
    Promise<int> promise;
    const std::vector<Future<int>> one = {promise.future()};
    together({[&] { wait(one, {.timeout = std::chrono::seconds(1)}); }, [&] { one[0].cancel(); }});
  });
}

// What is seen done before another one gets done comes first.
TEST(FutureSchedules, W5_WhatIsSeenDoneFirstComesFirst) {
  on_all_schedules(
      [] {
        Promise<int> a;
        Promise<int> b;
        auto range = as_completed(std::vector<Future<int>>{b.future(), a.future()});
        bool a_was_first = false;
        together({[&] { a.set_result(1); },
                  [&] {
                    a_was_first = a.future().done();
                    b.set_result(2);
                  },
                  [&] {
                    std::vector<int> order;
                    for (const Future<int>& future : range) order.push_back(future.result());
                    expect(order.size() == 2, "W5: not each future once");
                    expect(!a_was_first || order[0] == 1, "W5: what was seen done first comes later");
                  }});
      },
      {.preemptions = 2, .faults = 0});
}

// The same of a cancel, which is decided in one step and heard of in another.
TEST(FutureSchedules, W5_ACancelThatIsSeenFirstComesFirst) {
  on_all_schedules(
      [] {
        Promise<int> a;
        Promise<int> b;
        auto range = as_completed(std::vector<Future<int>>{b.future(), a.future()});
        bool a_was_first = false;
        together({[&] { a.future().cancel(); },
                  [&] {
                    a_was_first = a.future().done();
                    b.set_result(2);
                  },
                  [&] {
                    std::vector<bool> order;
                    for (const Future<int>& future : range) order.push_back(future.cancelled());
                    expect(order.size() == 2, "W5: not each future once");
                    expect(!a_was_first || order[0], "W5: a cancel that was seen first comes later");
                  }});
      },
      {.preemptions = 2, .faults = 0});
}

// Whoever is told that a future is cancelled, or finds it so, sees it cancelled from then on.
TEST(FutureSchedules, F2_WhoHearsOfACancelSeesIt) {
  on_all_schedules(
      [] {
        Promise<int> a;
        auto range = as_completed(std::vector<Future<int>>{a.future()});
        const auto cancel = [&] {
          if (a.future().cancel()) expect(a.future().cancelled(), "F2: cancelled, and not seen so");
        };
        together({cancel, cancel, [&] {
                    if (!a.set_running_or_notify_cancel()) {
                      expect(a.future().cancelled(), "F7: refused as cancelled, and not seen so");
                    } else {
                      a.set_result(1);
                    }
                  }});
        expect(a.future().done(), "F2: neither cancelled nor finished");
        for (const Future<int>& future : range) expect(future.done(), "W5: yielded, and not done");
      },
      {.preemptions = 2, .faults = 0});
}

}  // namespace
}  // namespace futures
