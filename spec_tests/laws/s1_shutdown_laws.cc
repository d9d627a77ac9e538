// Laws S1 to S7: what a shutdown does, whoever asks for it. The end of a scope, another part of S6, has a file of its
// own.
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <type_traits>
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

// Counts the end of the thread that runs this, when all that it does is done but to vanish. Returns which worker ran
// it.
pid_t stay(const SharedCount& ends, const Gate::Entrance& at) {
  when_this_thread_ends(AtEnd::kThreadLocal, [ends] { ends.add(); });
  at.pass();
  return own_tid();
}

// --- S1

void drains_queued_and_running_calls(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 5);
  const WatchedThread caller(run, "shutdown returns once the calls are done", [run, executor, queued] {
    run.expect(executor->shutdown(), "shutdown with wait says that all is done");
    run.expect(all_done(queued), "shutdown returns when the queued calls are done");
  });
  run.expect(caller.falls_asleep(), "shutdown waits for the running call");
  run.expect(!all_done(queued), "the queued calls wait for the running one");
  busy.release();
  expect_results(run, queued, "a queued call runs although the intake is closed");
}

void closes_the_intake_while_it_waits(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const WatchedThread caller(run, "shutdown returns", [executor] { executor->shutdown(); });
  run.expect_soon(
      [&] {
        try {
          executor->submit([] {});
          return false;
        } catch (const ShutdownError&) {
          return true;
        }
      },
      "the intake closes although shutdown still waits");
  run.expect(!caller.has_ended(), "shutdown waits for the running call");
  busy.release();
}

void joins_the_workers(LawRun& run) {
  constexpr int kWorkers = 3;
  const auto executor = open(run, kWorkers);
  const SharedCount ends;
  std::vector<Future<pid_t>> workers;
  {
    const Gate gate;
    for (int i = 0; i < kWorkers; ++i) {
      workers.push_back(executor->submit(stay, ends, gate.entrance()));
    }
    run.expect(gate.await_arrivals(kWorkers), "each call has a worker of its own");
  }
  run.expect(shut_down(run, executor, {}) == true, "shutdown with wait says that all is done");
  if (!in_processes(run)) {
    run.expect(ends.value() == kWorkers, "the workers have ended when shutdown returns");
    return;
  }
  for (const Future<pid_t>& worker : workers) {
    run.expect(has_ended(worker.result()), "the workers have ended when shutdown returns");
  }
}

void an_executor_that_was_never_used(LawRun& run) {
  const auto executor = open(run, 2);
  run.expect(shut_down(run, executor, {.cancel_futures = true}) == true, "shutdown with nothing to do returns");
  expect_throws<ShutdownError>(run, [&] { executor->submit([] {}); }, "and closes the intake");
}

// --- S2

void without_wait_the_work_still_completes(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount ends;
  const Future<pid_t> first = executor->submit(stay, ends, Gate::Entrance());
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 5);
  run.expect(shut_down(run, executor, {.wait = false}) == false, "shutdown without wait returns while calls are left");
  run.expect(!all_done(queued) && busy.futures()[0].running(), "it waits for no call");
  busy.release();
  expect_results(run, queued, "the work still completes");
  if (!expect_done(run, first, "the work still completes")) return;
  const bool ended = in_processes(run) ? soon([&] { return has_ended(first.result()); }) : ends.reaches(1);
  run.expect(ended, "the workers end by themselves when the last call is done");
}

void without_wait_its_callbacks_have_run_here(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const SharedCount ran_here;
  for (const Future<int>& future : submit_some(*executor, 3)) {
    future.add_done_callback([ran_here, caller = own_tid()](const Future<int>&) {
      if (own_tid() == caller) ran_here.add();
    });
  }
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(ran_here.value() == 3, "the callbacks of what shutdown cancels have run in the caller when it returns");
}

// --- S3, S4

void cancel_futures_cancels_what_has_not_started(LawRun& run) {
  const auto executor = open(run, 2);
  const BusyWorkers busy(run, *executor, 2);
  const std::vector<Future<int>> queued = submit_some(*executor, 5);
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(all_cancelled(queued), "what has not started is cancelled when shutdown returns");
  for (const Future<int>& future : busy.futures()) run.expect(future.running(), "what is running stays so");
  busy.release();
  for (const Future<int>& future : busy.futures()) expect_result(run, future, 1, "what is running finishes");
  shut_down(run, executor, {});
  run.expect(all_cancelled(queued), "what was cancelled stays so");
}

// Calls that count how often they ran.
struct Burst {
  std::vector<Future<void>> futures;
  std::vector<SharedCount> runs;
};

Burst submit_burst(Executor& executor, int calls) {
  Burst burst{{}, std::vector<SharedCount>(calls)};
  for (const SharedCount& count : burst.runs)
    burst.futures.push_back(executor.submit([](const SharedCount& runs) { runs.add(); }, count));
  return burst;
}

void cancel_futures_racing_with_the_workers(LawRun& run) {
  for (int round = 0; round < 5; ++round) {
    const auto executor = open(run, 2);
    const Burst burst = submit_burst(*executor, 20);
    executor->shutdown({.wait = false, .cancel_futures = true});
    std::vector<bool> cancelled;
    for (const Future<void>& future : burst.futures) {
      run.expect(future.running() || future.done(), "no future is pending when shutdown returns");
      cancelled.push_back(future.cancelled());
    }
    shut_down(run, executor, {});
    for (std::size_t i = 0; i < burst.runs.size(); ++i) {
      run.expect(burst.futures[i].cancelled() == cancelled[i], "nothing is cancelled, or revived, later");
      run.expect(burst.runs[i].value() == (cancelled[i] ? 0 : 1), "a cancelled call does not run, any other one does");
    }
  }
}

void cancel_futures_racing_with_submits(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const auto accepted = std::make_shared<std::vector<Future<void>>>();
  {
    const SharedCount submitted;
    const WatchedThread client(run, "submit returns", [executor, accepted, submitted] {
      try {
        for (int i = 0; i < 2'000; ++i) {
          accepted->push_back(executor->submit([] {}));
          submitted.add();
        }
      } catch (const ShutdownError&) {
      }
    });
    submitted.reaches(20);
    executor->shutdown({.wait = false, .cancel_futures = true});
  }
  for (const Future<void>& future : *accepted) {
    if (!run.expect(future.cancelled(), "what was accepted before the intake closed is cancelled")) return;
  }
}

void both_leave_every_call_finished_or_cancelled(LawRun& run) {
  for (int round = 0; round < 5; ++round) {
    const auto executor = open(run, 2);
    const Burst burst = submit_burst(*executor, 20);
    run.expect(shut_down(run, executor, {.wait = true, .cancel_futures = true}) == true,
               "shutdown says that all is done");
    for (std::size_t i = 0; i < burst.runs.size(); ++i) {
      const Future<void>& future = burst.futures[i];
      run.expect(future.done(), "every call is done on return");
      run.expect(burst.runs[i].value() == (future.cancelled() ? 0 : 1),
                 "every started call is finished, the others cancelled");
    }
  }
}

void both_wait_for_the_running_call(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  const WatchedThread caller(
      run, "shutdown returns once the call is done", [run, executor, running = busy.futures()[0]] {
        executor->shutdown({.wait = true, .cancel_futures = true});
        run.expect(running.done() && !running.cancelled(), "the running call is finished on return");
      });
  run.expect(caller.falls_asleep(), "shutdown waits for the running call");
  run.expect_soon([&] { return all_cancelled(queued); }, "what has not started is cancelled meanwhile");
  busy.release();
}

// --- S5

void shutdown_again(LawRun& run) {
  const auto executor = open(run, 1);
  const std::vector<Future<int>> futures = submit_some(*executor, 3);
  for (int i = 0; i < 3; ++i) {
    run.expect(shut_down(run, executor, {.wait = true}) == true, "each shutdown with wait says that all is done");
    run.expect(all_done(futures), "and it is");
    shut_down(run, executor, {.wait = false, .cancel_futures = true});
  }
  expect_results(run, futures, "finished calls stay finished");
}

void shutdown_from_several_threads(LawRun& run) {
  const auto executor = open(run, 2);
  const BusyWorkers busy(run, *executor, 2);
  const std::vector<Future<int>> queued = submit_some(*executor, 5);
  std::vector<std::unique_ptr<WatchedThread>> callers;
  for (int i = 0; i < 4; ++i) {
    callers.push_back(std::make_unique<WatchedThread>(run, "shutdown returns", [run, executor, queued] {
      run.expect(executor->shutdown(), "each shutdown with wait says that all is done");
      run.expect(all_done(queued), "each shutdown with wait returns when all is done");
    }));
  }
  for (const auto& caller : callers) run.expect(caller->falls_asleep(), "each of them waits");
  busy.release();
  for (const auto& caller : callers) run.expect(caller->ends(), "each of them returns");
  expect_results(run, queued, "none of them cancels");
}

void a_later_cancel_futures_still_cancels(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  const WatchedThread waits(run, "the earlier shutdown returns", [executor] { executor->shutdown(); });
  executor->shutdown({.wait = false});
  run.expect(!queued.back().done(), "a plain shutdown cancels nothing");
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(all_cancelled(queued), "a later cancel_futures cancels what is still pending");
  executor->shutdown({.wait = false});
  run.expect(all_cancelled(queued), "a later plain shutdown undoes nothing");
  busy.release();
  expect_result(run, busy.futures()[0], 1, "the running call finishes");
}

void whichever_cancels_none_is_pending(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 4);
  std::vector<std::unique_ptr<WatchedThread>> callers;
  for (int i = 0; i < 2; ++i) {
    callers.push_back(std::make_unique<WatchedThread>(run, "shutdown returns", [run, executor, queued] {
      executor->shutdown({.wait = false, .cancel_futures = true});
      run.expect(all_cancelled(queued), "when any of several cancelling shutdowns returns, all is cancelled");
    }));
  }
  for (const auto& caller : callers) run.expect(caller->ends(), "each of them returns");
}

// --- S6

void the_destructor_waits(LawRun& run) {
  auto executor = run.make(1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  const WatchedThread destroyer(run, "the destructor returns once the calls are done",
                                [run, queued, executor = executor.release()] {
                                  delete executor;
                                  run.expect(all_done(queued), "the destructor returns when the calls are done");
                                });
  run.expect(destroyer.falls_asleep(), "the destructor waits for the running call");
  busy.release();
  expect_results(run, queued, "the destructor cancels nothing");
}

void the_destructor_does_not_wait_after_shutdown_without_wait(LawRun& run) {
  auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  executor->shutdown({.wait = false});
  executor.reset();  // Waits no longer than the patience; that it did not is a violation.
  run.expect(busy.futures()[0].running() && !all_done(queued), "the destructor waits for no call");
  busy.release();
  expect_results(run, queued, "the work still completes, without an executor");
}

// The executor's last owner, to be given up by one of its own threads.
using Box = std::shared_ptr<std::unique_ptr<Executor>>;

void destroyed_by_a_call(LawRun& run) {
  const Box box = std::make_shared<std::unique_ptr<Executor>>(run.make(1));
  const Gate gate;
  const Future<int> destroys = (*box)->submit([box, at = gate.entrance()] {
    at.pass();
    box->reset();
    return 1;
  });
  const std::vector<Future<int>> queued = submit_some(**box, 3);
  gate.open();
  expect_result(run, destroys, 1, "a call may destroy its own executor: the destructor returns and throws nothing");
  expect_results(run, queued, "and what was submitted before still completes");
}

void destroyed_by_a_callback(LawRun& run) {
  const Box box = std::make_shared<std::unique_ptr<Executor>>(run.make(1));
  const Gate gate;
  const SharedCount destroyed;
  const Future<void> call = (*box)->submit(pass, gate.entrance());
  call.add_done_callback([box, destroyed](const Future<void>&) {
    box->reset();
    destroyed.add();
  });
  const std::vector<Future<int>> queued = submit_some(**box, 3);
  gate.open();
  run.expect(destroyed.reaches(1), "a callback may destroy its own executor: the destructor returns");
  expect_results(run, queued, "and what was submitted before still completes");
}

// --- S7

// On one of the executor's own workers.
void shut_down_from_inside(const LawRun& run, Executor& executor, const ShutdownOptions& options) {
  expect_throws<DeadlockError>(
      run, [&] { executor.shutdown(options); }, "shutdown with wait by an own worker throws DeadlockError");
  expect_throws<ShutdownError>(run, [&] { executor.submit([] {}); }, "and has closed the intake");
}

void a_call_shuts_down_its_executor(LawRun& run) {
  static_assert(std::is_base_of_v<std::logic_error, DeadlockError>);
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<int> inside = executor->submit([run, executor = executor.get(), at = gate.entrance()] {
    at.pass();
    shut_down_from_inside(run, *executor, {.wait = true});
    return 1;
  });
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  gate.open();
  expect_result(run, inside, 1, "the call goes on after the error");
  expect_results(run, queued, "what was accepted before still completes");
  run.expect(shut_down(run, executor, {}) == true, "a shutdown from outside still works");
}

void a_callback_shuts_down_its_executor(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount called;
  {
    const BusyWorkers busy(run, *executor);
    busy.futures()[0].add_done_callback([run, executor = executor.get(), called](const Future<int>&) {
      shut_down_from_inside(run, *executor, {.wait = true});
      called.add();
    });
  }
  run.expect(called.reaches(1), "the callback goes on after the error");
}

void a_call_shuts_down_and_cancels(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<int> inside = executor->submit([run, executor = executor.get(), at = gate.entrance()] {
    at.pass();
    shut_down_from_inside(run, *executor, {.wait = true, .cancel_futures = true});
    return 1;
  });
  const std::vector<Future<int>> queued = submit_some(*executor, 3);
  gate.open();
  expect_result(run, inside, 1, "the call goes on after the error");
  run.expect(all_cancelled(queued), "what was pending is cancelled although shutdown threw");
}

void a_call_shuts_down_without_wait(LawRun& run) {
  const auto executor = open(run, 1);
  const Future<int> inside = executor->submit([executor = executor.get()] {
    executor->shutdown({.wait = false});
    return 1;
  });
  expect_result(run, inside, 1, "shutdown without wait by an own worker is no error");
}

void a_call_shuts_down_another_executor(LawRun& run) {
  const auto executor = open(run, 1);
  const auto other = open(run, 1);
  const std::vector<Future<int>> calls = submit_some(*other, 3);
  const Future<bool> inside = executor->submit([other] { return other->shutdown(); });
  expect_result(run, inside, true, "a worker of one executor may shut down another one and wait");
  run.expect(all_done(calls), "and then the other's calls are done");
}

constexpr Law kLaws[] = {
    law<drains_queued_and_running_calls>("S1", "DrainsQueuedAndRunningCalls"),
    law<closes_the_intake_while_it_waits>("S1", "ClosesTheIntakeWhileItWaits"),
    law<joins_the_workers>("S1", "JoinsTheWorkers"),
    law<an_executor_that_was_never_used>("S1", "AnExecutorThatWasNeverUsed"),
    law<without_wait_the_work_still_completes>("S2", "WithoutWaitTheWorkStillCompletes"),
    law<without_wait_its_callbacks_have_run_here>("S2", "WithoutWaitItsCallbacksHaveRunHere"),
    law<cancel_futures_cancels_what_has_not_started>("S3", "CancelFuturesCancelsWhatHasNotStarted"),
    racing_law<cancel_futures_racing_with_the_workers>("S3", "CancelFuturesRacingWithTheWorkers"),
    racing_law<cancel_futures_racing_with_submits>("S3", "CancelFuturesRacingWithSubmits"),
    racing_law<both_leave_every_call_finished_or_cancelled>("S4", "BothLeaveEveryCallFinishedOrCancelled"),
    law<both_wait_for_the_running_call>("S4", "BothWaitForTheRunningCall"),
    law<shutdown_again>("S5", "ShutdownAgain"),
    law<shutdown_from_several_threads>("S5", "ShutdownFromSeveralThreads"),
    law<a_later_cancel_futures_still_cancels>("S5", "ALaterCancelFuturesStillCancels"),
    racing_law<whichever_cancels_none_is_pending>("S5", "WhicheverCancelsNoneIsPending"),
    law<the_destructor_waits>("S6", "TheDestructorWaits"),
    law<the_destructor_does_not_wait_after_shutdown_without_wait>("S6",
                                                                  "TheDestructorDoesNotWaitAfterShutdownWithoutWait"),
    law<destroyed_by_a_call>("S6", "DestroyedByACall", kNoExecutor),
    law<destroyed_by_a_callback>("S6", "DestroyedByACallback"),
    law<a_call_shuts_down_its_executor>("S7", "ACallShutsDownItsExecutor", kNoExecutor),
    law<a_callback_shuts_down_its_executor>("S7", "ACallbackShutsDownItsExecutor"),
    law<a_call_shuts_down_and_cancels>("S7", "ACallShutsDownAndCancels", kNoExecutor),
    law<a_call_shuts_down_without_wait>("S7", "ACallShutsDownWithoutWait", kNoExecutor),
    law<a_call_shuts_down_another_executor>("S7", "ACallShutsDownAnotherExecutor", kNoExecutor),
};

}  // namespace

absl::Span<const Law> shutdown_laws() { return kLaws; }

}  // namespace futures::spec_tests
