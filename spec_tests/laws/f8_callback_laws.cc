// Group F, the done callbacks.
#include <pthread.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/log_capture.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

// Which callbacks ran, in order, and on which threads.
class CallbackLog {
 public:
  void add(int name) {
    const sync::mutex_lock lock(mutex_);
    names_.push_back(name);
    tids_.push_back(own_tid());
    called_.add();
  }
  // Waits for the n-th call. Returns whether there were that many.
  bool reaches(int n) const { return called_.reaches(n); }
  std::vector<int> names() const {
    const sync::mutex_lock lock(mutex_);
    return names_;
  }
  bool all_on(pid_t tid) const {
    const sync::mutex_lock lock(mutex_);
    return !tids_.empty() && std::all_of(tids_.begin(), tids_.end(), [tid](pid_t each) { return each == tid; });
  }
  bool none_on(pid_t tid) const {
    const sync::mutex_lock lock(mutex_);
    return !tids_.empty() && std::none_of(tids_.begin(), tids_.end(), [tid](pid_t each) { return each == tid; });
  }

 private:
  mutable sync::mutex mutex_;
  std::vector<int> names_ ABSL_GUARDED_BY(mutex_);
  std::vector<pid_t> tids_ ABSL_GUARDED_BY(mutex_);
  SharedCount called_;
};

// A callback that writes its name down.
auto note(const std::shared_ptr<CallbackLog>& log, int name) {
  return [log, name](const auto&) { log->add(name); };
}

// --- F8

void callbacks_run_in_order_on_the_worker(LawRun& run) {
  const auto executor = open(run, 2);
  const auto log = std::make_shared<CallbackLog>();
  const Gate gate;
  const Future<pid_t> future = executor->submit(
      [](const Gate::Entrance& at) {
        at.pass();
        return own_tid();
      },
      gate.entrance());
  const Future<pid_t> copy = future;  // NOLINT(performance-unnecessary-copy-initialization): another handle.
  for (int i = 0; i < 5; ++i) (i % 2 == 0 ? future : copy).add_done_callback(note(log, i));
  run.expect(log->names().empty(), "no callback runs before the future is done");
  gate.open();
  run.expect(log->reaches(5), "every callback runs");
  if (!expect_done(run, future, "the call ends")) return;
  run.expect(log->names() == std::vector<int>{0, 1, 2, 3, 4}, "callbacks run in the order of registration");
  // The thread that ran the call is not in this process.
  if (in_processes(run)) {
    run.expect(log->none_on(own_tid()), "callbacks run on a thread of the pool");
  } else {
    run.expect(log->all_on(future.result()), "callbacks run on the thread that ran the call");
  }
}

void callbacks_of_a_cancelled_call_run_in_the_canceller(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const BusyWorkers busy(run, *executor);
  const Future<int> future = executor->submit([] { return 2; });
  for (int i = 0; i < 3; ++i) future.add_done_callback(note(log, i));
  future.cancel();
  run.expect(log->names() == std::vector<int>{0, 1, 2}, "callbacks have run, in order, when cancel returns");
  run.expect(log->all_on(own_tid()), "callbacks run on the thread that cancelled");
  busy.release();
  shut_down(run, executor, {});
  run.expect(log->names().size() == 3, "and do not run a second time");
}

void callbacks_of_a_promise_run_in_the_producer(LawRun& run) {
  const auto log = std::make_shared<CallbackLog>();
  Promise<int> promise;
  for (int i = 0; i < 3; ++i) promise.future().add_done_callback(note(log, i));
  promise.set_result(1);
  run.expect(log->names() == std::vector<int>{0, 1, 2}, "callbacks have run, in order, when set_result returns");
  run.expect(log->all_on(own_tid()), "callbacks run on the thread that set the outcome");
}

void once_per_registration(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const auto callback = note(log, 7);
  const BusyWorkers busy(run, *executor);
  busy.futures()[0].add_done_callback(callback);
  busy.futures()[0].add_done_callback(callback);
  busy.release();
  run.expect(log->reaches(2), "a callback registered twice runs twice");
  shut_down(run, executor, {});
  run.expect(log->names().size() == 2, "and not more often");
}

void registrations_racing_with_completion(LawRun& run) {
  constexpr int kClients = 2;
  constexpr int kCallbacks = 10;
  const auto executor = open(run, 1);
  for (int round = 0; round < 5; ++round) {
    const SharedCount called;
    {
      const BusyWorkers busy(run, *executor);
      std::vector<std::unique_ptr<WatchedThread>> clients;
      for (int i = 0; i < kClients; ++i) {
        clients.push_back(
            std::make_unique<WatchedThread>(run, "add_done_callback returns", [called, future = busy.futures()[0]] {
              for (int j = 0; j < kCallbacks; ++j) future.add_done_callback([called](const auto&) { called.add(); });
            }));
      }
      busy.release();
    }
    run.expect(called.reaches(kClients * kCallbacks), "each callback runs, whenever it was added");
    expect_result(run, executor->submit([] { return 3; }), 3, "the executor goes on");
    run.expect(called.value() == kClients * kCallbacks, "each callback runs once");
  }
}

// Uses the future in every way from another thread, which a lock held by this one would stop.
void use_fully(const LawRun& run, Executor& executor, const Future<int>& future) {
  const WatchedThread elsewhere(run, "a callback runs with no lock held: others can use the future and the executor",
                                [future, executor = &executor] {
                                  future.wait();
                                  future.cancel();
                                  future.add_done_callback([](const Future<int>&) {});
                                  try {
                                    executor->submit([] {});
                                  } catch (const ShutdownError&) {
                                  }
                                  executor->shutdown({.wait = false, .cancel_futures = false});
                                });
}

void no_lock_is_held_on_the_worker(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount called;
  const BusyWorkers busy(run, *executor);
  busy.futures()[0].add_done_callback([run, executor = executor.get(), called](const Future<int>& future) {
    use_fully(run, *executor, future);
    called.add();
  });
  busy.release();
  run.expect(called.reaches(1), "the callback runs");
}

void no_lock_is_held_in_the_canceller(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const SharedCount called;
  const auto callback = [run, executor = executor.get(), called](const Future<int>& future) {
    use_fully(run, *executor, future);
    called.add();
  };
  const Future<int> by_cancel = executor->submit([] { return 2; });
  const Future<int> by_shutdown = executor->submit([] { return 3; });
  by_cancel.add_done_callback(callback);
  by_shutdown.add_done_callback(callback);
  by_cancel.cancel();
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(called.value() == 2, "the callbacks run");
}

void a_blocking_callback_delays_no_call_elsewhere(LawRun& run) {
  const auto executor = open(run, 2);
  const Gate gate;
  {
    const BusyWorkers busy(run, *executor);
    busy.futures()[0].add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  }
  run.expect(gate.await_arrivals(1), "the callback runs");
  for (int i = 0; i < 5; ++i) {
    expect_result(run, executor->submit(unchanged, i), i, "calls start and end while a callback blocks elsewhere");
  }
  // The callback keeps a worker busy where calls run on threads.
  const BusyWorkers others(run, *executor, in_processes(run) ? 2 : 1);
  const Future<int> pending = executor->submit([] { return 2; });
  run.expect(pending.cancel(), "calls can be cancelled while a callback blocks elsewhere");
}

void a_blocking_callback_in_a_shutdown_delays_no_call(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> first = executor->submit([] { return 2; });
  const Future<int> second = executor->submit([] { return 3; });
  const Gate gate;
  first.add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  const WatchedThread canceller(run, "shutdown without wait returns",
                                [executor] { executor->shutdown({.wait = false, .cancel_futures = true}); });
  run.expect(gate.await_arrivals(1), "the callback runs");
  expect_error<CancelledError>(run, second, "the other calls are cancelled although a callback blocks");
  busy.release();
  expect_result(run, busy.futures()[0], 1, "a running call ends although a callback blocks in the shutdown");
  gate.open();
}

// --- F9

void added_when_done_runs_at_once(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const Future<int> finished = executor->submit([] { return 1; });
  if (!expect_done(run, finished, "the call ends")) return;
  finished.add_done_callback(note(log, 0));
  run.expect(log->names().size() == 1, "a callback added to a finished future has run when the adding returns");
  const BusyWorkers busy(run, *executor);
  const Future<int> cancelled = executor->submit([] { return 1; });
  cancelled.cancel();
  cancelled.add_done_callback(note(log, 1));
  run.expect(log->names().size() == 2, "a callback added to a cancelled future has run when the adding returns");
  run.expect(log->all_on(own_tid()), "both run in the adder's thread");
}

void added_while_earlier_ones_run(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const Gate gate;
  const BusyWorkers busy(run, *executor);
  const Future<int>& future = busy.futures()[0];
  future.add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  busy.release();
  run.expect(gate.await_arrivals(1), "the first callback runs");
  const WatchedThread adder(run, "adding a callback returns while an earlier one blocks", [run, future, log] {
    future.add_done_callback(note(log, 0));
    run.expect(log->all_on(own_tid()), "it runs at once in the adder's thread");
  });
  run.expect(adder.ends(), "a callback does not wait for earlier ones that run elsewhere");
}

void added_inside_a_callback_runs_once(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const auto add_another = [log](const Future<int>& future) {
    log->add(0);
    future.add_done_callback([log](const Future<int>& same) {
      log->add(1);
      same.add_done_callback(note(log, 2));
    });
  };
  const BusyWorkers busy(run, *executor);
  const Future<int> cancelled = executor->submit([] { return 2; });
  cancelled.add_done_callback(add_another);
  cancelled.cancel();
  run.expect(log->names() == std::vector<int>{0, 1, 2}, "callbacks added inside callbacks run, once each");
  busy.futures()[0].add_done_callback(add_another);
  busy.release();
  run.expect(log->reaches(6), "callbacks added inside callbacks run on a worker too");
  shut_down(run, executor, {});
  run.expect(log->names() == std::vector<int>{0, 1, 2, 0, 1, 2}, "once each");
}

// --- F10

void throw_standard(const Future<int>&) { throw std::runtime_error("thrown by a callback"); }
void throw_other(const Future<int>&) { throw 5; }

void a_callback_that_throws_on_the_worker(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  const LogCapture logged;
  const Future<pid_t> before = executor->submit(own_tid);
  {
    const BusyWorkers busy(run, *executor);
    const Future<int>& future = busy.futures()[0];
    future.add_done_callback(throw_standard);
    future.add_done_callback(note(log, 0));
    future.add_done_callback(throw_other);
    future.add_done_callback(note(log, 1));
  }
  run.expect(log->reaches(2), "the other callbacks run");
  run.expect(log->names() == std::vector<int>{0, 1}, "in their order");
  const Future<pid_t> after = executor->submit(own_tid);
  if (expect_done(run, before, "a call ends") && expect_done(run, after, "a call after a callback that threw ends")) {
    run.expect(before.result() == after.result(), "the worker lives on");
  }
  run.expect(logged.holds("thrown by a callback"), "what a callback throws is logged");
  run.expect(logged.holds("int"), "what is no std::exception is logged with its type");
}

void a_callback_that_throws_in_a_client(LawRun& run) {
  const auto executor = open(run, 1);
  const LogCapture logged;
  const BusyWorkers busy(run, *executor);
  const Future<int> future = executor->submit([] { return 2; });
  future.add_done_callback(throw_standard);
  run.expect(future.cancel(), "cancel passes on nothing that a callback throws");
  future.add_done_callback(throw_other);
  run.expect(logged.holds("thrown by a callback") && logged.holds("int"), "it is logged");

  const Future<int> by_shutdown = executor->submit([] { return 3; });
  by_shutdown.add_done_callback(throw_standard);
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(by_shutdown.cancelled(), "shutdown passes on nothing that a callback throws");

  Promise<int> promise;
  promise.future().add_done_callback(throw_other);
  promise.set_result(1);
  run.expect(promise.future().done(), "set_result passes on nothing that a callback throws");
}

void a_callback_that_ends_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const auto log = std::make_shared<CallbackLog>();
  {
    const BusyWorkers busy(run, *executor);
    const Future<int>& future = busy.futures()[0];
    future.add_done_callback(note(log, 0));
    future.add_done_callback([](const Future<int>&) { pthread_exit(nullptr); });
    future.add_done_callback(note(log, 1));
    future.add_done_callback(throw_standard);
    future.add_done_callback(note(log, 2));
  }
  run.expect(log->reaches(3), "the callbacks after one that ends its thread run");
  run.expect(log->names() == std::vector<int>{0, 1, 2}, "in their order, once each");
  expect_result(run, executor->submit([] { return 3; }), 3, "the worker is replaced");
}

// --- F11

void result_does_not_wait_for_callbacks(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const BusyWorkers busy(run, *executor);
  const Future<int>& future = busy.futures()[0];
  future.add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  busy.release();
  expect_result(run, future, 1, "result returns while a callback still runs");
  expect_done(run, future, "wait returns while a callback still runs");
  run.expect(gate.await_arrivals(1), "the callback runs");
}

constexpr Law kLaws[] = {
    law<callbacks_run_in_order_on_the_worker>("F8", "CallbacksRunInOrderOnTheWorker"),
    law<callbacks_of_a_cancelled_call_run_in_the_canceller>("F8", "CallbacksOfACancelledCallRunInTheCanceller"),
    law<callbacks_of_a_promise_run_in_the_producer>("F8", "CallbacksOfAPromiseRunInTheProducer"),
    law<once_per_registration>("F8", "OncePerRegistration"),
    racing_law<registrations_racing_with_completion>("F8", "RegistrationsRacingWithCompletion"),
    law<no_lock_is_held_on_the_worker>("F8", "NoLockIsHeldOnTheWorker"),
    law<no_lock_is_held_in_the_canceller>("F8", "NoLockIsHeldInTheCanceller"),
    law<a_blocking_callback_delays_no_call_elsewhere>("F8", "ABlockingCallbackDelaysNoCallElsewhere"),
    law<a_blocking_callback_in_a_shutdown_delays_no_call>("F8", "ABlockingCallbackInAShutdownDelaysNoCall"),
    law<added_when_done_runs_at_once>("F9", "AddedWhenDoneRunsAtOnce"),
    law<added_while_earlier_ones_run>("F9", "AddedWhileEarlierOnesRun"),
    law<added_inside_a_callback_runs_once>("F9", "AddedInsideACallbackRunsOnce"),
    law<a_callback_that_throws_on_the_worker>("F10", "ACallbackThatThrowsOnTheWorker"),
    law<a_callback_that_throws_in_a_client>("F10", "ACallbackThatThrowsInAClient"),
    law<a_callback_that_ends_its_thread>("F10", "ACallbackThatEndsItsThread"),
    law<result_does_not_wait_for_callbacks>("F11", "ResultDoesNotWaitForCallbacks"),
};

}  // namespace

absl::Span<const Law> callback_laws() { return kLaws; }

}  // namespace futures::spec_tests
