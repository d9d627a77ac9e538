// Law E3: what a call throws, and a call that ends its thread.
#include <pthread.h>

#include <stdexcept>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

// --- E3

struct NotStandard {
  int number;
};

void whatever_it_throws_goes_to_its_future(LawRun& run) {
  const auto executor = open(run, 1);
  const Future<pid_t> before = executor->submit(own_tid);
  const Future<int> standard = executor->submit([]() -> int { throw std::out_of_range("too far"); });
  const Future<int> structure = executor->submit([]() -> int { throw NotStandard{6}; });
  const Future<void> number = executor->submit([] { throw 7; });
  const Future<pid_t> after = executor->submit(own_tid);
  expect_error<std::out_of_range>(run, standard, "a standard exception arrives as its type");
  if (in_processes(run)) {
    expect_error<RemoteError>(run, structure, "an exception of any class arrives");
    expect_error<RemoteError>(run, number, "an exception that is no class arrives");
  } else {
    expect_error<NotStandard>(run, structure, "an exception of any class arrives as its type");
    expect_error<int>(run, number, "an exception that is no class arrives");
  }
  if (expect_done(run, before, "a call ends") && expect_done(run, after, "a call after one that threw ends")) {
    run.expect(before.result() == after.result(), "the worker lives on after an exception");
  }
}

void exceptions_keep_what_they_say(LawRun& run) {
  const auto executor = open(run, 1);
  const Future<void> future = executor->submit([] { throw std::runtime_error("what it says"); });
  try {
    future.result(kPatience);
    run.expect(false, "the exception is thrown");
  } catch (const std::runtime_error& e) {
    run.expect(std::string_view(e.what()) == "what it says", "the exception is the one that was thrown");
  }
}

// A call that ends its thread, having noted which it was and that its locals were destroyed.
void end_thread(const SharedCount& tid, const SharedCount& unwound) {
  struct Local {
    const SharedCount& unwound;
    ~Local() { unwound.add(); }
  } local{unwound};
  tid.add(own_tid());
  pthread_exit(nullptr);
}

Future<void> submit_end_of_thread(Executor& executor) {
  return executor.submit(end_thread, SharedCount(), SharedCount());
}

bool thread_exists(const LawRun& run, pid_t tid) { return in_processes(run) ? !has_ended(tid) : is_alive(tid); }

void a_call_that_ends_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount tid;
  const SharedCount unwound;
  const BusyWorkers busy(run, *executor);
  const Future<void> broken = executor->submit(end_thread, tid, unwound);
  const Future<pid_t> next = executor->submit(own_tid);
  busy.release();
  expect_error<BrokenExecutor>(run, broken, "the future of a call that ends its thread gets BrokenExecutor");
  run.expect(unwound.reaches(1), "the unwinding destroys what the call has on its stack");
  run.expect_soon([&] { return !thread_exists(run, tid.value()); }, "the unwinding goes on and the thread ends");
  if (expect_done(run, next, "the call after it still runs, the thread being replaced")) {
    run.expect(next.result() != tid.value(), "the call after it runs on another thread");
  }
  expect_result(run, executor->submit([] { return 3; }), 3, "the executor goes on");
}

void a_thread_that_ended_is_replaced_when_needed(LawRun& run) {
  const auto executor = open(run, 1);
  expect_error<BrokenExecutor>(run, submit_end_of_thread(*executor), "the call gets BrokenExecutor");
  expect_result(run, executor->submit([] { return 3; }), 3, "a call submitted after that runs");
}

// The cancellation waits for the next call of the system that can block, which is nobody else's.
void a_call_that_cancels_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const auto cancel_thread = [] { pthread_cancel(pthread_self()); };
  const BusyWorkers busy(run, *executor);
  const Future<void> cancels = executor->submit(cancel_thread);
  const Future<int> next = executor->submit([] {
    sleep_for(std::chrono::microseconds(1));
    return 2;
  });
  busy.release();
  expect_done(run, cancels, "a call that cancels its thread ends");
  expect_result(run, next, 2, "the call after it is not touched");
  expect_done(run, executor->submit(cancel_thread), "another one ends");
  expect_result(run, executor->submit([] { return 3; }), 3, "a call that is submitted once nothing is left runs");
}

void the_pool_keeps_its_size(LawRun& run) {
  const auto executor = open(run, 2);
  std::vector<Future<void>> broken;
  for (int i = 0; i < 4; ++i) broken.push_back(submit_end_of_thread(*executor));
  for (const Future<void>& future : broken) expect_error<BrokenExecutor>(run, future, "the call gets BrokenExecutor");
  const BusyWorkers both(run, *executor, 2);
  run.expect(both.futures().size() == 2, "as many calls run at once as before");
}

void a_thread_is_replaced_while_draining(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<void> broken = submit_end_of_thread(*executor);
  const Future<int> next = executor->submit([] { return 3; });
  executor->shutdown({.wait = false});
  busy.release();
  expect_error<BrokenExecutor>(run, broken, "the call that ends its thread gets BrokenExecutor");
  expect_result(run, next, 3, "accepted calls run on a new thread, also after shutdown");
  run.expect(shut_down(run, executor, {}) == true, "shutdown with wait says that all is done");
}

constexpr Law kLaws[] = {
    law<whatever_it_throws_goes_to_its_future>("E3", "WhateverItThrowsGoesToItsFuture"),
    law<exceptions_keep_what_they_say>("E3", "ExceptionsKeepWhatTheySay"),
    law<a_call_that_ends_its_thread>("E3", "ACallThatEndsItsThread"),
    law<a_thread_that_ended_is_replaced_when_needed>("E3", "AThreadThatEndedIsReplacedWhenNeeded"),
    law<a_call_that_cancels_its_thread>("E3", "ACallThatCancelsItsThread"),
    law<the_pool_keeps_its_size>("E3", "ThePoolKeepsItsSize"),
    law<a_thread_is_replaced_while_draining>("E3", "AThreadIsReplacedWhileDraining"),
};

}  // namespace

absl::Span<const Law> exception_laws() { return kLaws; }

}  // namespace futures::spec_tests
