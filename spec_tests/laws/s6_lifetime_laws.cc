// S6, T8, T10: the end of an executor's scope, stop requests, and what worker threads are like.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sys/types.h>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/check_helpers.h"

namespace futures::spec_tests {
namespace {

using Ints = std::vector<Future<int>>;

Ints submit_some(Executor& executor, int n) {
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor.submit(unchanged, i));
  return futures;
}

int count_cancelled(const Ints& futures) {
  return static_cast<int>(std::count_if(futures.begin(), futures.end(), [](const auto& f) { return f.cancelled(); }));
}

// --- S6

// Leaves the scope of an executor with one running and three pending calls. The running one ends when the destructor has
// done to the others what it should.
void leave_scope(const LawRun& run, OnUnwind on_unwind, bool by_exception) {
  const bool cancels = on_unwind == OnUnwind::kCancelPending && by_exception;
  const auto gate = std::make_shared<Gate>();
  const auto queued = std::make_shared<Ints>();
  std::unique_ptr<WatchedThread> opener;
  try {
    const auto executor = run.make({.max_workers = 1, .on_unwind = on_unwind});
    const Future<void> running = executor->submit(pass, gate->entrance());
    gate->await_arrivals(1);
    *queued = submit_some(*executor, 3);
    opener = std::make_unique<WatchedThread>(run, "the gate is opened", [=, leaver = own_tid()] {
      soon([&] { return cancels ? count_cancelled(*queued) == 3 : is_asleep(leaver); });
      gate->open();
    });
    if (by_exception) throw std::domain_error("leave");
  } catch (const std::domain_error&) {
  }
  for (const Future<int>& future : *queued) run.expect(future.done(), "the destructor returns when all is done");
  run.expect(count_cancelled(*queued) == (cancels ? 3 : 0),
             "only an exception that leaves the scope cancels what has not started, and only if that was asked for");
}

void leaving_a_scope(LawRun& run) {
  run.expect(ExecutorOptions().on_unwind == OnUnwind::kDrain, "the default is to drain");
  for (const OnUnwind on_unwind : {OnUnwind::kDrain, OnUnwind::kCancelPending}) {
    for (const bool by_exception : {false, true}) {
      const WatchedThread leaver(run, "the destructor returns", [=] { leave_scope(run, on_unwind, by_exception); });
    }
  }
}

void an_older_exception_is_another_scopes(LawRun& run) {
  // The scope of an executor inside a destructor that runs while an exception unwinds: it is left normally, or by an
  // exception of its own.
  struct InDestructor {
    const LawRun& run;
    ~InDestructor() {
      leave_scope(run, OnUnwind::kCancelPending, false);
      leave_scope(run, OnUnwind::kCancelPending, true);
    }
  };
  const WatchedThread unwinding(run, "the destructors return", [run] {
    try {
      const InDestructor in_destructor{run};
      throw std::domain_error("leave");
    } catch (const std::domain_error&) {
    }
  });
}

// An executor whose last owner is a callable of its own, so that the worker destroys it with the callable.
void the_callable_held_the_last_handle(LawRun& run) {
  for (const bool unwinding : {false, true}) {
    std::shared_ptr<Executor> executor = run.make({.max_workers = 1, .on_unwind = OnUnwind::kCancelPending});
    const Gate gate;
    const Future<void> holder = executor->submit([executor, unwinding, at = gate.entrance()]() mutable {
      at.pass();
      if (!unwinding) return;
      const std::shared_ptr<Executor> last = std::move(executor);
      throw std::domain_error("leave");
    });
    const Ints queued = submit_some(*executor, 3);
    executor.reset();
    gate.open();
    expect_done(run, holder, "a call that held the last handle ends: the destructor does not wait for it");
    for (const Future<int>& future : queued) expect_done(run, future, "what was submitted before gets done");
    run.expect(count_cancelled(queued) == (unwinding ? 3 : 0), "on_unwind holds on the own worker, too");
  }
}

void a_cancelled_callable_held_the_last_handle(LawRun& run) {
  const Gate gate;
  const WatchedThread canceller(run, "the cancel that destroys the executor returns", [run, at = gate.entrance()] {
    std::shared_ptr<Executor> executor = run.make(1);
    const Future<void> running = executor->submit([at] { at.pass(); });
    const Future<void> pending = executor->submit([executor] {});
    executor.reset();
    run.expect(pending.cancel(), "a pending call is cancelled");
    run.expect(running.done(), "on any other thread the destructor waits, also when a callable held the last handle");
  });
  run.expect(gate.await_arrivals(1) && canceller.falls_asleep(), "the destructor waits for the running call");
  gate.open();
}

// --- T8

void a_call_may_take_a_stop_token(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<int> call = executor->submit(
      [run, at = gate.entrance()](std::stop_token token, int argument) {
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
  const Future<bool> call = executor->submit([at = gate.entrance()](const std::stop_token& token) {
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
  const auto stopped = [](std::stop_token token) { return token.stop_requested(); };
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
  // Both ways to call it would be possible: without the token nobody pays for it.
  busy.release();
  expect_result(run, call, 1, "a call that takes no token is not affected");
}

void token_callbacks_run_in_the_asker(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const auto stopped_by = std::make_shared<std::atomic<pid_t>>(0);
  const Future<void> call = executor->submit([stopped_by, at = gate.entrance()](std::stop_token token) {
    const std::stop_callback callback(token, [stopped_by] { *stopped_by = own_tid(); });
    at.pass();
  });
  run.expect(gate.await_arrivals(1), "the call runs");
  call.request_stop();
  run.expect(*stopped_by == own_tid(), "the token's callbacks run where the request is made, before it returns");
  gate.open();
  expect_done(run, call, "the call ends");
}

void shutdown_may_stop_all(LawRun& run) {
  const auto executor = open(run, 2);
  const Gate gate;
  const Count begun;
  const auto waits_for_stop = [begun](std::stop_token token) {
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

// --- T10

void workers_block_asynchronous_signals(LawRun& run) {
  const auto executor = open(run, {.max_workers = 1});
  const Future<std::vector<int>> open_signals = executor->submit([] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::vector<int> open;
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
      // What lies between is the C library's own.
      const bool is_ours = signal < __SIGRTMIN || signal >= SIGRTMIN;
      if (is_ours && signal != SIGKILL && signal != SIGSTOP && sigismember(&mask, signal) == 0) open.push_back(signal);
    }
    return open;
  });
  if (!expect_done(run, open_signals, "the call ends")) return;
  std::vector<int> synchronous = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  std::sort(synchronous.begin(), synchronous.end());
  run.expect(open_signals.result() == synchronous, "workers block every signal but the synchronous ones");
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  run.expect(sigismember(&own, SIGUSR1) == 0, "the mask of the thread that submits is left alone");
}

std::size_t own_stack_bytes() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* lowest = nullptr;
  std::size_t bytes = 0;
  pthread_attr_getstack(&attributes, &lowest, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes;
}

void workers_have_the_stack_size_asked_for(LawRun& run) {
  constexpr std::size_t kMargin = 1 << 20;  // The system rounds up, and a sanitizer adds some.
  for (const std::size_t asked : {std::size_t{1} << 20, std::size_t{64} << 20}) {
    const auto executor = open(run, {.max_workers = 1, .stack_bytes = asked});
    const Future<std::size_t> bytes = executor->submit(own_stack_bytes);
    if (!expect_done(run, bytes, "the call ends")) return;
    run.expect(bytes.result() + kMargin / 16 >= asked && bytes.result() <= asked + kMargin,
               "workers have the stack size asked for");
  }
  expect_throws<std::invalid_argument>(
      run, [&] { open(run, {.max_workers = 1, .stack_bytes = 1}); }, "a stack too small for any thread is refused");
}

constexpr Law kLaws[] = {
    law<leaving_a_scope>("S6", "LeavingAScope"),
    law<an_older_exception_is_another_scopes>("S6", "AnOlderExceptionIsAnotherScopes"),
    law<the_callable_held_the_last_handle>("S6", "TheCallableHeldTheLastHandle", kNoExecutor),
    law<a_cancelled_callable_held_the_last_handle>("S6", "ACancelledCallableHeldTheLastHandle", kNoExecutor),
    law<a_call_may_take_a_stop_token>("T8", "ACallMayTakeAStopToken"),
    law<cancel_of_a_running_call_sets_no_token>("T8", "CancelOfARunningCallSetsNoToken"),
    law<a_pending_call_finds_its_token_set>("T8", "APendingCallFindsItsTokenSet"),
    law<a_call_without_a_token>("T8", "ACallWithoutAToken"),
    law<token_callbacks_run_in_the_asker>("T8", "TokenCallbacksRunInTheAsker"),
    law<shutdown_may_stop_all>("T8", "ShutdownMayStopAll"),
    law<workers_block_asynchronous_signals>("T10", "WorkersBlockAsynchronousSignals"),
    law<workers_have_the_stack_size_asked_for>("T10", "WorkersHaveTheStackSizeAskedFor"),
};

}  // namespace

absl::Span<const Law> lifetime_laws() { return kLaws; }

}  // namespace futures::spec_tests
