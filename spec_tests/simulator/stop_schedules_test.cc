// Law T8 on every schedule of small programs: calls that take a stop token, on the code of the thread pool and of the
// reference.
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <vector>

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

// What a call that waits for its stop request has seen.
struct StoppableCall {
  bool accepted = false;
  bool stopped = false;
  Future<void> future;
};

// The call ends once it is asked to. `in_callback` runs when it is asked.
void submit_stoppable(Executor& executor, StoppableCall& call, const std::function<void()>& in_callback = [] {}) {
  try {
    call.future = executor.submit([&call, in_callback](const sync::stop_token& token) {
      sync::atomic<std::uint32_t> asked{0};
      const sync::stop_callback callback(token, [&] {
        in_callback();
        asked.store(1);
        sync::futex_wake_all(asked);
      });
      while (asked.load() == 0) sync::futex_wait(asked, 0, std::nullopt);
      call.stopped = token.stop_requested();
    });
    call.accepted = true;
  } catch (const ShutdownError&) {
  } catch (const std::system_error&) {  // Not even one thread could be started: law T5.
  }
}

TEST_P(PoolSchedules, T8_ACallThatIsAskedEnds) {
  on_all_schedules([] {
    const auto executor = make_executor();
    StoppableCall call;
    submit_stoppable(*executor, call);
    if (!call.accepted) return;
    sync::atomic<int> first_requests{0};
    bool cancelled = false;
    const auto request = [&] {
      if (call.future.request_stop()) first_requests.fetch_add(1);
    };
    together({request, [&] {
                cancelled = call.future.cancel();
                request();
              }});
    call.future.wait();
    expect(first_requests.load() == 1, "T8: not one request was the first one");
    expect(call.future.cancelled() == cancelled, "T8: a stop request has cancelled a call");
    expect(call.stopped == !cancelled, "T8: a call was not asked to stop");
  });
}

TEST_P(PoolSchedules, T8_ACancelOfARunningCallAsksNobody) {
  on_all_schedules([] {
    const auto executor = make_executor();
    bool asked = false;
    Future<void> future;
    try {
      future = executor->submit([&](const sync::stop_token& token) {
        simulator::pass_time();
        asked = token.stop_requested();
      });
    } catch (const std::system_error&) {
      return;
    }
    future.cancel();
    future.wait();
    expect(!asked, "T8: cancel has set the token");
  });
}

// Every accepted call, whether it is queued, just taken, or runs.
TEST_P(PoolSchedules, T8_AShutdownAsksEveryCall) {
  on_all_schedules([] {
    std::vector<StoppableCall> calls(2);
    const auto executor = make_executor();
    submit_stoppable(*executor, calls[0]);
    together({[&] { submit_stoppable(*executor, calls[1]); }, [&] { executor->shutdown({.request_stop = true}); }});
    for (const StoppableCall& call : calls) {
      if (call.accepted) expect(call.future.done() && call.stopped, "T8: a shutdown has not asked a call to stop");
    }
  });
}

// A callback of a token is code of the user.
TEST_P(PoolSchedules, T8_NoLockIsHeldWhileCallbacksRun) {
  on_all_schedules([] {
    const auto executor = make_executor();
    StoppableCall call;
    bool refused = false;
    submit_stoppable(*executor, call, [&refused, own = executor.get()] {
      try {
        own->submit([] {});
      } catch (const ShutdownError&) {
        refused = true;
      }
    });
    executor->shutdown({.request_stop = true});
    expect(refused == call.accepted, "E4: a callback has submitted after the shutdown");
  });
}

// A callback that runs uses variables of the call, whose end must wait for it.
TEST_P(PoolSchedules, T8_ACallWaitsForItsCallback) {
  on_all_schedules([] {
    const auto executor = make_executor();
    Future<void> future;
    try {
      future = executor->submit([](const sync::stop_token& token) {
        bool lives = true;
        {
          const sync::stop_callback callback(token, [&lives] {
            simulator::pass_time();
            expect(lives, "T8: a callback runs after its destructor");
          });
          simulator::pass_time();
        }
        lives = false;
      });
    } catch (const std::system_error&) {
      return;
    }
    future.request_stop();
    future.wait();
  });
}

INSTANTIATE_TEST_SUITE_P(All, PoolSchedules, testing::ValuesIn(candidates()), name_of);

}  // namespace
}  // namespace futures
