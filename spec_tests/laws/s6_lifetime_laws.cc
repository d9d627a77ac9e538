// Laws S6 and S7: the end of an executor's scope, of its last handle, and of its own threads.
#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

int count_cancelled(const Ints& futures) {
  return static_cast<int>(std::count_if(futures.begin(), futures.end(), [](const auto& f) { return f.cancelled(); }));
}

// --- S6

// Leaves the scope of an executor with one running and three pending calls. The running one ends when the destructor
// has done to the others what it should.
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

// --- S6, S7: what runs while one of the executor's own threads ends. It is an own one until it has really ended.

constexpr AtEnd kEnds[] = {AtEnd::kThreadLocal, AtEnd::kKey};

// The executor's last owner, to be given up by one of its own threads.
using Box = std::shared_ptr<std::unique_ptr<Executor>>;

// Has an own thread run `last_words` when it ends, which a done callback ends at once if told so. Returns the call that
// has this callback; it waits at the gate.
Future<void> give_last_words(Executor& executor, const Gate& gate, AtEnd where, bool ends_at_once,
                             std::function<void()> last_words) {
  const Future<void> call = executor.submit(pass, gate.entrance());
  call.add_done_callback([=](const Future<void>&) {
    when_this_thread_ends(where, last_words);
    if (ends_at_once) pthread_exit(nullptr);
  });
  return call;
}

void a_thread_local_held_the_last_handle(LawRun& run) {
  for (const AtEnd where : kEnds) {
    const Gate first;
    const Gate held;
    const SharedCount destroyed;
    const Box box = std::make_shared<std::unique_ptr<Executor>>(run.make(1));
    give_last_words(**box, first, where, /*ends_at_once=*/true, [box, destroyed] {
      box->reset();
      destroyed.add();
    });
    const Future<void> running = (*box)->submit(pass, held.entrance());
    const Ints queued = submit_some(**box, 3);
    first.open();
    run.expect(destroyed.reaches(1) && !running.done(),
               "the end of an own thread may destroy its executor: the destructor waits for no call");
    held.open();
    expect_done(run, running, "what was running ends");
    for (const Future<int>& future : queued) expect_done(run, future, "what was pending still completes");
    run.expect(count_cancelled(queued) == 0, "and none is cancelled");
  }
}

void the_destructor_does_not_wait_for_the_end_of_a_thread(LawRun& run) {
  for (const AtEnd where : kEnds) {
    const Box box = std::make_shared<std::unique_ptr<Executor>>(run.make(1));
    const Gate call;
    const Gate end;
    give_last_words(**box, call, where, /*ends_at_once=*/false, [at = end.entrance()] { at.pass(); });
    (*box)->shutdown({.wait = false});
    call.open();
    run.expect(end.await_arrivals(1), "the own thread ends when the work is done");
    const WatchedThread destroyer(run, "after a shutdown without wait the destructor waits for no thread_local",
                                  [box] { box->reset(); });
    run.expect(destroyer.ends(), "after a shutdown without wait the destructor waits for no thread_local");
  }
}

void a_thread_local_shuts_down_while_its_thread_is_joined(LawRun& run) {
  for (const AtEnd where : kEnds) {
    const auto executor = open(run, 1);
    const Gate gate;
    const SharedCount refused;
    give_last_words(*executor, gate, where, /*ends_at_once=*/false, [run, executor = executor.get(), refused] {
      expect_throws<DeadlockError>(
          run, [&] { executor->shutdown(); },
          "shutdown with wait by an own thread throws DeadlockError until it has ended");
      refused.add();
    });
    const Ints queued = submit_some(*executor, 3);
    gate.open();
    run.expect(shut_down(run, executor, {}) == true, "a shutdown elsewhere, which joins the thread, returns");
    run.expect(refused.reaches(1), "the thread has ended by then");
    for (const Future<int>& future : queued) run.expect(future.done(), "and all calls are done");
  }
}

void a_thread_local_shuts_down_and_cancels(LawRun& run) {
  for (const AtEnd where : kEnds) {
    const auto executor = open(run, 1);
    const Gate first;
    const auto held = std::make_shared<Gate>();
    const SharedCount refused;
    give_last_words(*executor, first, where, /*ends_at_once=*/true, [run, executor = executor.get(), held, refused] {
      held->await_arrivals(1);
      expect_throws<DeadlockError>(
          run, [&] { executor->shutdown({.cancel_futures = true}); },
          "shutdown with wait by an own thread throws DeadlockError until it has ended");
      refused.add();
    });
    const Future<void> running = executor->submit(pass, held->entrance());
    const Ints queued = submit_some(*executor, 3);
    first.open();
    run.expect(refused.reaches(1) && !running.done(), "it waits for no call");
    run.expect(count_cancelled(queued) == 3, "and has done the rest: what was pending is cancelled");
    expect_throws<ShutdownError>(run, [&] { executor->submit(unchanged, 1); }, "and has closed the intake");
    held->open();
    expect_done(run, running, "what was running ends");
  }
}

constexpr Law kLaws[] = {
    law<leaving_a_scope>("S6", "LeavingAScope"),
    law<an_older_exception_is_another_scopes>("S6", "AnOlderExceptionIsAnotherScopes"),
    law<the_callable_held_the_last_handle>("S6", "TheCallableHeldTheLastHandle", kNoExecutor),
    law<a_cancelled_callable_held_the_last_handle>("S6", "ACancelledCallableHeldTheLastHandle", kNoExecutor),
    law<a_thread_local_held_the_last_handle>("S6", "AThreadLocalHeldTheLastHandle"),
    law<the_destructor_does_not_wait_for_the_end_of_a_thread>("S6", "TheDestructorDoesNotWaitForTheEndOfAThread"),
    law<a_thread_local_shuts_down_while_its_thread_is_joined>("S7", "AThreadLocalShutsDownWhileItsThreadIsJoined"),
    law<a_thread_local_shuts_down_and_cancels>("S7", "AThreadLocalShutsDownAndCancels"),
};

}  // namespace

absl::Span<const Law> lifetime_laws() { return kLaws; }

}  // namespace futures::spec_tests
