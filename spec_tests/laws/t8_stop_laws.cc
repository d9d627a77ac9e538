// Law T8: stop requests.
#include <sys/types.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

// --- T8

void a_call_may_take_a_stop_token(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<int> call = executor->submit(
      [run, at = gate.entrance()](sync::stop_token token, int argument) {
        run.expect(token.stop_possible() && !token.stop_requested(), "a call that takes a stop token gets one");
        at.pass();
        run.expect(token.stop_requested(), "request_stop sets the token of a running call");
        return argument;
      },
      5);
  run.expect(gate.await_arrivals(1), "the call runs");
  run.expect(!call.cancel() && call.running(), "cancel on a running call returns false and changes nothing");
  run.expect(call.request_stop(), "the first request is made");
  run.expect(!call.request_stop(), "the second one changes nothing");
  run.expect(call.running() && !call.cancel(), "a request cancels nothing");
  gate.open();
  expect_result(run, call, 5, "the call ends as it likes");
  run.expect(!call.cancelled(), "a call that was asked to stop is finished");
}

void cancel_of_a_running_call_sets_no_token(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<bool> call = executor->submit([at = gate.entrance()](const sync::stop_token& token) {
    at.pass();
    return token.stop_requested();
  });
  run.expect(gate.await_arrivals(1) && !call.cancel(), "cancel on a running call returns false");
  gate.open();
  expect_result(run, call, false, "cancel on a running call does not ask it to stop");
}

void a_pending_call_finds_its_token_set(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const auto stopped = [](sync::stop_token token) { return token.stop_requested(); };
  const Future<bool> asked = executor->submit(stopped);
  const Future<bool> not_asked = executor->submit(stopped);
  const Future<bool> cancelled = executor->submit(stopped);
  run.expect(asked.request_stop() && !asked.done(), "a pending call can be asked to stop, and stays pending");
  run.expect(cancelled.request_stop() && cancelled.cancel(), "a pending call that was asked to stop can be cancelled");
  busy.release();
  expect_result(run, asked, true, "a call that was asked before it started runs and finds its token set");
  expect_result(run, not_asked, false, "the tokens of other calls are not set");
}

void a_call_without_a_token(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> call = executor->submit([] { return 1; });
  run.expect(!call.request_stop(), "a call that takes no token cannot be asked");
  busy.release();
  expect_result(run, call, 1, "a call that takes no token is not affected");
}

void token_callbacks_run_in_the_asker(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const auto stopped_by = std::make_shared<sync::atomic<pid_t>>(0);
  const Future<void> call = executor->submit([stopped_by, at = gate.entrance()](sync::stop_token token) {
    const sync::stop_callback callback(token, [stopped_by] { stopped_by->store(own_tid()); });
    at.pass();
  });
  run.expect(gate.await_arrivals(1), "the call runs");
  call.request_stop();
  run.expect(stopped_by->load() == own_tid(), "the token's callbacks run where the request is made, before it returns");
  gate.open();
  expect_done(run, call, "the call ends");
}

void shutdown_may_stop_all(LawRun& run) {
  const auto executor = open(run, 2);
  const Gate gate;
  const SharedCount begun;
  const auto waits_for_stop = [begun](sync::stop_token token) {
    begun.add();
    return soon([&] { return token.stop_requested(); });
  };
  const Future<int> without_token = executor->submit([at = gate.entrance()] {
    at.pass();
    return 1;
  });
  const Future<bool> running = executor->submit(waits_for_stop);
  const Future<bool> pending = executor->submit(waits_for_stop);
  run.expect(gate.await_arrivals(1) && begun.reaches(1), "two calls run");
  executor->shutdown({.wait = false});
  run.expect(!running.done(), "a shutdown asks nobody to stop by itself");
  executor->shutdown({.wait = false, .request_stop = true});
  expect_result(run, running, true, "the shutdown sets the token of a running call");
  expect_result(run, pending, true, "and of a pending one, which still runs");
  run.expect(without_token.running(), "a call without a token is not affected");
  gate.open();
  expect_result(run, without_token, 1, "a call without a token is not affected");
}

bool asked(sync::stop_token token) { return token.stop_requested(); }
bool asked_by_reference(const sync::stop_token& token) { return token.stop_requested(); }

struct Overloaded {
  bool operator()() const { return false; }
  bool operator()(sync::stop_token token) const { return token.stop_requested(); }
};

// Submits behind a busy worker and asks the call to stop. The call returns whether it has a token that says so.
template <typename... Submitted>
void expect_token(LawRun& run, bool expected, const char* what, Submitted&&... submitted) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const auto call = executor->submit(std::forward<Submitted>(submitted)...);
  run.expect(call.request_stop() == expected, absl::StrCat("request_stop says whether there is a token: ", what));
  busy.release();
  if (expect_done(run, call, what)) run.expect(static_cast<bool>(call.result()) == expected, what);
}

void who_is_given_a_token(LawRun& run) {
  expect_token(run, true, "a function that takes a token", asked);
  expect_token(run, true, "a function that takes it by reference", asked_by_reference);
  expect_token(run, true, "a lambda that takes it as an rvalue",
               [](sync::stop_token&& t) { return t.stop_requested(); });
  expect_token(
      run, true, "a mutable lambda with an argument behind it",
      [n = 0](sync::stop_token t, int x) mutable { return t.stop_requested() && ++n == x; }, 1);
  expect_token(run, true, "a std::function that takes a token", std::function<bool(sync::stop_token)>(asked));
  expect_token(run, true, "a lambda whose token has a default",
               [](sync::stop_token t = {}) { return t.stop_requested(); });
  expect_token(
      run, true, "a generic lambda that cannot be called without",
      [](auto token, int) { return token.stop_requested(); }, 1);
  expect_token(run, false, "a variadic lambda", [](auto... x) { return sizeof...(x) != 2; }, 1, 2);
  expect_token(run, false, "a bound function without arguments", std::bind([] { return false; }));
  expect_token(run, false, "an overloaded operator() that can be called without", Overloaded());
  expect_token(run, false, "a function that is given the caller's own token", asked, sync::stop_token());
}

constexpr Law kLaws[] = {
    law<who_is_given_a_token>("T8", "WhoIsGivenAToken"),
    law<a_call_may_take_a_stop_token>("T8", "ACallMayTakeAStopToken"),
    law<cancel_of_a_running_call_sets_no_token>("T8", "CancelOfARunningCallSetsNoToken"),
    law<a_pending_call_finds_its_token_set>("T8", "APendingCallFindsItsTokenSet"),
    law<a_call_without_a_token>("T8", "ACallWithoutAToken"),
    law<token_callbacks_run_in_the_asker>("T8", "TokenCallbacksRunInTheAsker"),
    law<shutdown_may_stop_all>("T8", "ShutdownMayStopAll"),
};

}  // namespace

absl::Span<const Law> stop_laws() { return kLaws; }

}  // namespace futures::spec_tests
