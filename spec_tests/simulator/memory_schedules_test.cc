// What promises, the thread pool and the reference do when memory is short, on every schedule of small programs: any
// allocation may fail, one in a run at least, and two where it says so.
//
// Whoever asked gets std::bad_alloc, and has changed nothing. What must go on, goes on.
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
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
#include "spec_tests/simulator/sync.h"

namespace futures {
namespace {

using simulator::Bookkeeping;
using simulator::Exhaustive;
using simulator::expect;
using simulator::Exploration;
using simulator::explore;
using simulator::RandomWalk;
using simulator::together;

constexpr simulator::Limits kMemoryIsShort = {.allocations_fail = true};

void on_all_schedules(const std::function<void()>& program, Exhaustive::Bounds bounds) {
  const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const absl::ScopedStderrThreshold quiet(absl::LogSeverityAtLeast::kInfinity);
  const auto require = [](const Exploration& explored) {
    EXPECT_TRUE(explored.ok()) << explored.report();
    if (explored.ok()) std::cout << explored.report();
  };
  require(explore(name, program, Exhaustive(bounds), kMemoryIsShort));
  require(explore(name, program, RandomWalk({.runs = 3000, .fault_one_in = 10}), kMemoryIsShort));
}

struct MakeExecutor {
  std::string name;
  std::unique_ptr<Executor> (*make)(std::function<void()> initializer);
};

class MemorySchedules : public testing::TestWithParam<MakeExecutor> {
 protected:
  // Nothing if there is no memory for it.
  static std::unique_ptr<Executor> make_executor(const std::function<void()>& initializer = nullptr) {
    try {
      return GetParam().make(initializer);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }
};

struct Call {
  int runs = 0;
  bool accepted = false;
  Future<void> future;
};

template <typename F>
void submit(Executor& executor, Call& call, F&& body) {
  try {
    call.future = executor.submit(std::forward<F>(body));
    call.accepted = true;
  } catch (const std::bad_alloc&) {
  } catch (const std::system_error&) {
  }
}

void expect_ended(const Call& call) {
  if (!call.accepted) return expect(call.runs == 0, "E4: a call ran that was not accepted");
  expect(call.future.done(), "E7: a call is not done");
  expect(call.runs == 1, "E2: an accepted call did not run exactly once");
}

TEST_P(MemorySchedules, E4_ASubmitThatThrowsHasAcceptedNothing) {
  const auto program = [] {
    Call one;
    Call two;
    {
      const auto executor = make_executor();
      if (executor == nullptr) return;
      submit(*executor, one, [&] { ++one.runs; });
      submit(*executor, two, [&] { ++two.runs; });
    }
    for (const Call* call : {&one, &two}) expect_ended(*call);
  };
  on_all_schedules(program, {.preemptions = 1, .faults = 1});
  on_all_schedules(program, {.preemptions = 0, .faults = 2});
}

// The worker lists the call before it runs it.
TEST_P(MemorySchedules, T8_ACallThatTakesATokenRuns) {
  on_all_schedules(
      [] {
        Call one;
        Call two;
        {
          const auto executor = make_executor();
          if (executor == nullptr) return;
          submit(*executor, one, [&](sync::stop_token) { ++one.runs; });
          submit(*executor, two, [&](sync::stop_token) { ++two.runs; });
        }
        for (const Call* call : {&one, &two}) expect_ended(*call);
      },
      {.preemptions = 1, .faults = 1});
}

TEST_P(MemorySchedules, F10_ACallbackThatThrows) {
  on_all_schedules(
      [] {
        Call call;
        int callbacks = 0;
        {
          const auto executor = make_executor();
          if (executor == nullptr) return;
          submit(*executor, call, [&] { ++call.runs; });
          if (!call.accepted) return;
          for (int i = 0; i < 2; ++i) {
            try {
              call.future.add_done_callback([&, counted = ++callbacks](const Future<void>&) {
                --callbacks;
                throw std::runtime_error("a callback throws");
              });
            } catch (const std::bad_alloc&) {
              --callbacks;
            }
          }
        }
        expect_ended(call);
        expect(callbacks == 0, "F10: a callback did not run");
      },
      {.preemptions = 1, .faults = 1});
}

TEST_P(MemorySchedules, T4_APoolThatBreaksEndsEveryCall) {
  const auto program = [] {
    Call one;
    Call two;
    int callbacks = 0;
    {
      const auto executor = make_executor([] { throw 1; });
      if (executor == nullptr) return;
      for (Call* const call : {&one, &two}) {
        try {
          submit(*executor, *call, [call] { ++call->runs; });
        } catch (const BrokenExecutor&) {
          continue;
        }
        if (!call->accepted) continue;
        try {
          call->future.add_done_callback([&callbacks](const Future<void>&) { --callbacks; });
          ++callbacks;
        } catch (const std::bad_alloc&) {
        }
      }
    }
    for (const Call* const call : {&one, &two}) {
      if (call->accepted) expect(call->future.done() && call->future.exception() != nullptr, "T4: a call did not fail");
    }
    expect(callbacks == 0, "F8: a callback did not run once");
  };
  on_all_schedules(program, {.preemptions = 1, .faults = 1});
  on_all_schedules(program, {.preemptions = 0, .faults = 2});
}

TEST_P(MemorySchedules, S3_AShutdownThatCancels) {
  on_all_schedules(
      [] {
        Call one;
        Call two;
        const auto executor = make_executor();
        if (executor == nullptr) return;
        submit(*executor, one, [&] { ++one.runs; });
        submit(*executor, two, [&] { ++two.runs; });
        executor->shutdown({.wait = true, .cancel_futures = true});
        for (const Call* const call : {&one, &two}) {
          if (call->accepted) expect(call->future.done(), "S4: a call is not done");
        }
      },
      {.preemptions = 1, .faults = 1});
}

template <typename E, typename Options>
std::unique_ptr<Executor> make(std::function<void()> initializer) {
  return std::make_unique<E>(Options{.max_workers = 1, .initializer = std::move(initializer)});
}

INSTANTIATE_TEST_SUITE_P(All, MemorySchedules,
                         testing::Values(MakeExecutor{"thread_pool", &make<ThreadPoolExecutor, ThreadPoolOptions>},
                                         MakeExecutor{"reference", &make<ReferenceExecutor, ReferenceOptions>}),
                         [](const auto& info) { return info.param.name; });

// A promise that dies while memory is short: its waiter wakes, and the destructor throws nothing.
TEST(MemoryFutureSchedules, F12_ADroppedPromiseWakesTheWaiter) {
  on_all_schedules(
      [] {
        std::unique_ptr<Promise<int>> promise;
        Future<int> future;
        try {
          promise = std::make_unique<Promise<int>>();
          future = promise->future();
        } catch (const std::bad_alloc&) {
          return;
        }
        std::vector<std::function<void()>> clients;
        {
          const Bookkeeping memory_is_there;
          clients = {[&] {
                       try {
                         future.result();
                         expect(false, "F12: no error");
                       } catch (const BrokenExecutor&) {
                       } catch (const std::bad_alloc&) {
                       }
                     },
                     [&] { promise.reset(); }};
        }
        together(std::move(clients));
      },
      {.preemptions = 2, .faults = 1});
}

TEST(MemoryFutureSchedules, F6_ADonePromiseDies) {
  on_all_schedules(
      [] {
        try {
          Promise<int> promise;
          promise.set_result(1);
        } catch (const std::bad_alloc&) {
        }
      },
      {.preemptions = 0, .faults = 1});
}

}  // namespace
}  // namespace futures
