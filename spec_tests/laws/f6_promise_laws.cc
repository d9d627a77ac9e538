// Laws F6, F7: what a promise is to those who produce an outcome.
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/task.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// --- F6, F7

void a_second_outcome_is_refused(LawRun& run) {
  const auto refuses = [&run](Promise<int>& promise) {
    const std::exception_ptr error = std::make_exception_ptr(std::runtime_error("second"));
    expect_throws<InvalidStateError>(run, [&] { promise.set_result(9); }, "set_result on a done future throws");
    expect_throws<InvalidStateError>(
        run, [&] { promise.set_exception(error); }, "set_exception on a done future throws");
  };
  Promise<int> pending;
  pending.set_result(1);
  refuses(pending);
  expect_result(run, pending.future(), 1, "set_result is legal from pending, and the first outcome stays");
  Promise<int> running;
  running.set_running_or_notify_cancel();
  running.set_exception(std::make_exception_ptr(std::out_of_range("first")));
  refuses(running);
  expect_error<std::out_of_range>(run, running.future(),
                                  "set_exception is legal from running, and the first outcome stays");
  Promise<int> cancelled;
  cancelled.future().cancel();
  refuses(cancelled);
  expect_error<CancelledError>(run, cancelled.future(), "a cancelled future stays cancelled");
}

void one_of_many_outcomes_wins(LawRun& run) {
  const auto promise = std::make_shared<Promise<int>>();
  const auto winner = std::make_shared<sync::atomic<int>>(0);
  const SharedCount wins;
  {
    std::vector<std::unique_ptr<WatchedThread>> producers;
    for (int i = 1; i <= 4; ++i) {
      producers.push_back(std::make_unique<WatchedThread>(run, "set_result returns", [promise, winner, wins, i] {
        try {
          promise->set_result(i);
          winner->store(i);
          wins.add();
        } catch (const InvalidStateError&) {
        }
      }));
    }
  }
  run.expect(wins.value() == 1, "one of several outcomes at once is accepted");
  expect_result(run, promise->future(), winner->load(), "the accepted outcome is the one that is seen");
}

void set_running_or_notify_cancel_by_state(LawRun& run) {
  Promise<int> promise;
  const Future<int> future = promise.future();
  run.expect(promise.set_running_or_notify_cancel() && future.running(), "a pending future becomes running");
  run.expect(!future.cancel() && future.running(), "from then on it cannot be cancelled");
  expect_throws<InvalidStateError>(run, [&] { promise.set_running_or_notify_cancel(); }, "a running future refuses");
  promise.set_result(1);
  expect_throws<InvalidStateError>(run, [&] { promise.set_running_or_notify_cancel(); }, "a finished future refuses");
  Promise<int> cancelled;
  cancelled.future().cancel();
  run.expect(!cancelled.set_running_or_notify_cancel(), "a cancelled future is not to be run");
  run.expect(!cancelled.set_running_or_notify_cancel(), "and says so again when asked again");
  run.expect(cancelled.future().cancelled(), "it stays cancelled");
}

constexpr Law kLaws[] = {
    law<a_second_outcome_is_refused>("F6", "ASecondOutcomeIsRefused"),
    racing_law<one_of_many_outcomes_wins>("F6", "OneOfManyOutcomesWins"),
    law<set_running_or_notify_cancel_by_state>("F7", "SetRunningOrNotifyCancelByState"),
};

}  // namespace

absl::Span<const Law> promise_laws() { return kLaws; }

}  // namespace futures::spec_tests
