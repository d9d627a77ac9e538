// Law S8: the end of the program, in a child of the check. What needs a program of its own from main to its end is in
// //spec_tests/programs.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/child.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// --- S8. In a child: pools are made there, since the threads of the parent's are not.

void exit_waits_for_pending_calls(LawRun& run) {
  expect_exit(
      run, 7, 5,
      [&](const ChildReport& report) {
        const auto executor = run.make(1);
        submit_notes(*executor, report, 5);
        std::exit(7);
      },
      "std::exit waits for the pending calls");
  expect_exit(
      run, 0, 5,
      [&](const ChildReport& report) {
        auto executor = run.make(2);
        submit_notes(*executor, report, 5);
        executor->shutdown({.wait = false});
        executor.reset();
        std::exit(0);
      },
      "std::exit waits for the pending calls also after a shutdown without wait");
}

void exit_in_a_call(LawRun& run) {
  for (const int max_workers : {1, 2}) {
    expect_exit(
        run, 7, 4,
        [&](const ChildReport& report) {
          const auto executor = run.make(max_workers);
          const auto submitted = std::make_shared<std::atomic<bool>>(false);
          const Future<void> exits = executor->submit([submitted] {
            soon([&] { return submitted->load(); });
            std::exit(7);
          });
          submit_notes(*executor, report, 4);
          *submitted = true;
          exits.result();
        },
        "std::exit in a call waits for the other calls, not for that one");
  }
}

// Fills the worker with a call that ends once the intake is closed, and adds three that note.
void submit_until_closed(const std::shared_ptr<Executor>& executor, const ChildReport& report) {
  const SharedCount running;
  const SharedCount closed;
  executor->submit(
      [](const ChildReport& said_by, const SharedCount& begun, const SharedCount& ends) {
        begun.add();
        ends.reaches(1);
        said_by.note("call");
      },
      report, running, closed);
  running.reaches(1);
  submit_notes(*executor, report, 3);
  std::thread([executor, closed] {
    soon([&] {
      try {
        executor->submit([] {});
        return false;
      } catch (const ShutdownError&) {
        return true;
      }
    });
    closed.add();
  }).detach();
}

void exit_policies(LawRun& run) {
  const auto exit_with = [&run](ExitPolicy policy) {
    return [&run, policy](const ChildReport& report) {
      const std::shared_ptr<Executor> executor = run.make({.max_workers = 1, .exit_policy = policy});
      submit_until_closed(executor, report);
      std::exit(7);
    };
  };
  expect_exit(run, 7, 4, exit_with(ExitPolicy::kDrain), "policy drain: all calls are done first");
  expect_exit(run, 7, 1, exit_with(ExitPolicy::kCancelPending), "policy cancel pending: only what runs is done first");
  expect_exit(run, 7, 0, exit_with(ExitPolicy::kAbandon), "policy abandon: the exit does not wait");
}

constexpr Law kLaws[] = {
    law<exit_waits_for_pending_calls>("S8", "ExitWaitsForPendingCalls"),
    law<exit_in_a_call>("S8", "ExitInACall", "does not apply: an exit in a call is one of its worker"),
    law<exit_policies>("S8", "ExitPolicies"),
};

}  // namespace

absl::Span<const Law> exit_laws() { return kLaws; }

}  // namespace futures::spec_tests
