// Laws S9, S10: what becomes of every call at a shutdown, and a shutdown with a deadline.
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

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

// --- S9

void submit_and_cancel_just_before(LawRun& run) {
  for (int i = 0; i < 12; ++i) {
    const auto executor = open(run, 1 + i % 2);
    const SharedCount ran;
    const Future<void> future = executor->submit([](const SharedCount& runs) { runs.add(); }, ran);
    const bool cancelled = future.cancel();
    if (!run.expect(shut_down(run, executor, {.cancel_futures = i % 3 == 0}) == true, "shutdown returns")) return;
    run.expect(future.done(), "the call is done");
    if (cancelled) run.expect(ran.value() == 0, "and has not run if it was cancelled");
  }
}

void waiters_get_the_outcome(LawRun& run) {
  for (const bool cancel_futures : {true, false}) {
    const auto executor = open(run, 1);
    const BusyWorkers busy(run, *executor);
    const Future<int> pending = executor->submit([] { return 2; });
    const WatchedThread waiter(run, "a waiter is woken", [run, pending, cancel_futures] {
      try {
        run.expect(pending.result() == 2 && !cancel_futures, "a waiter gets the value of a call that was drained");
      } catch (const CancelledError&) {
        run.expect(cancel_futures, "a waiter gets CancelledError for a call that shutdown cancelled");
      }
    });
    run.expect(waiter.falls_asleep(), "a waiter sleeps until the call is done");
    executor->shutdown({.wait = false, .cancel_futures = cancel_futures});
    if (!cancel_futures) busy.release();
    run.expect(waiter.ends(), "a waiter is woken by the shutdown's outcome");
  }
}

// --- S10

void a_deadline_says_whether_all_is_done(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  for (const Timeout& timeout : {Timeout(-1s), Timeout(0s), Timeout(2ms)}) {
    run.expect(shut_down(run, executor, {.timeout = timeout}) == false,
               "when time is up, shutdown says that calls are left");
  }
  expect_throws<ShutdownError>(run, [&] { executor->submit([] {}); }, "the intake is closed even so");
  run.expect(!all_done(queued), "and nothing is cancelled");
  busy.release();
  run.expect(shut_down(run, executor, {.timeout = std::chrono::hours::max()}) == true,
             "in time, it says that all is done");
  run.expect(all_done(queued), "and it is");
  expect_results(run, queued, "the calls that were left complete");
}

void a_deadline_with_cancel_futures(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  run.expect(shut_down(run, executor, {.cancel_futures = true, .timeout = 2ms}) == false, "a call is left");
  run.expect(all_cancelled(queued), "what has not started is cancelled although time is up");
  busy.release();
  run.expect(shut_down(run, executor, {.timeout = kPatience}) == true, "in time, shutdown says that all is done");
}

void shutdown_now_counts_what_it_cancels(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 5);
  queued[1].cancel();
  run.expect(executor->shutdown_now() == 4, "shutdown_now says how many calls it cancelled, not how many were");
  run.expect(all_cancelled(queued), "and has cancelled what had not started");
  run.expect(busy.futures()[0].running(), "it waits for no call");
  run.expect(executor->shutdown_now() == 0, "a second one finds nothing to cancel");
  expect_throws<ShutdownError>(run, [&] { executor->submit([] {}); }, "the intake is closed");
}

constexpr Law kLaws[] = {
    racing_law<submit_and_cancel_just_before>("S9", "SubmitAndCancelJustBefore"),
    law<waiters_get_the_outcome>("S9", "WaitersGetTheOutcome"),
    law<a_deadline_says_whether_all_is_done>("S10", "ADeadlineSaysWhetherAllIsDone"),
    law<a_deadline_with_cancel_futures>("S10", "ADeadlineWithCancelFutures"),
    law<shutdown_now_counts_what_it_cancels>("S10", "ShutdownNowCountsWhatItCancels"),
};

}  // namespace

absl::Span<const Law> deadline_laws() { return kLaws; }

}  // namespace futures::spec_tests
