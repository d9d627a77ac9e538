// Law S6: the end of an executor's scope, and of its last handle.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

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

constexpr Law kLaws[] = {
    law<leaving_a_scope>("S6", "LeavingAScope"),
    law<an_older_exception_is_another_scopes>("S6", "AnOlderExceptionIsAnotherScopes"),
    law<the_callable_held_the_last_handle>("S6", "TheCallableHeldTheLastHandle", kNoExecutor),
    law<a_cancelled_callable_held_the_last_handle>("S6", "ACancelledCallableHeldTheLastHandle", kNoExecutor),
};

}  // namespace

absl::Span<const Law> lifetime_laws() { return kLaws; }

}  // namespace futures::spec_tests
