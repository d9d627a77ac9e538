// Group E, first half: what is submitted runs, once, in order, on so many workers.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "reference/model.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/check_helpers.h"

namespace futures::spec_tests {
namespace {

// --- E1

void move_only_callable_arguments_and_results(LawRun& run) {
  const auto executor = open(run, 1);
  auto add = bind_travelling([](const MoveOnly& left, MoveOnly right) { return MoveOnly(left.number() + right.number()); },
                      MoveOnly(40));
  static_assert(!std::is_copy_constructible_v<decltype(add)>);
  const Future<MoveOnly> sum = executor->submit(std::move(add), MoveOnly(2));
  if (expect_done(run, sum, "a move-only call ends")) run.expect(sum.result().number() == 42, "move-only values arrive");
}

void arguments_are_decay_copied(LawRun& run) {
  const auto executor = open(run, 1);
  std::string text = "before";
  const BusyWorkers busy(run, *executor);
  const Future<std::string> seen = executor->submit([](std::string argument) { return argument; }, text);
  text = "after";
  busy.release();
  expect_result(run, seen, "before", "the call has its own copy of an argument");
  expect_result(run, executor->submit(unchanged, 5), 5, "functions decay");
}

int length(const char* text) { return static_cast<int>(std::string_view(text).size()); }

void arrays_decay(LawRun& run) {
  const auto executor = open(run, 1);
  expect_result(run, executor->submit(length, "array"), 5, "arrays decay");
}

void one_copy_of_an_lvalue_none_of_an_rvalue(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  const CountedObject counted(counts, 7);
  const auto number_of = [](const CountedObject& argument) { return argument.number(); };
  expect_result(run, executor->submit(number_of, counted), 7, "an lvalue argument arrives");
  run.expect(counts.copies() == 1, "an lvalue argument is copied once");
  expect_result(run, executor->submit(number_of, CountedObject(counts, 8)), 8, "an rvalue argument arrives");
  run.expect(counts.copies() == 1, "an rvalue argument is not copied");
  auto captures = bind_travelling([](const CountedObject& captured) { return captured.number(); }, CountedObject(counts, 9));
  expect_result(run, executor->submit(std::move(captures)), 9, "a callable arrives");
  run.expect(counts.copies() == 1, "an rvalue callable is not copied");
}

struct Account {
  int balance = 0;
  int deposit(int amount) { return balance += amount; }
};

void anything_that_std_invoke_takes(LawRun& run) {
  const auto executor = open(run, 1);
  const auto account = std::make_shared<Account>();
  expect_result(run, executor->submit(&Account::deposit, account, 5), 5, "a member function is called");
  const Future<int> changed = executor->submit([](Account& shared) { return shared.deposit(5); }, std::ref(*account));
  if (expect_result(run, changed, 10, "std::ref passes a reference")) {
    run.expect(account->balance == 10, "the call changed the original");
  }
  const auto negate = std::make_shared<std::function<int(int)>>(std::negate<int>());
  expect_result(run, executor->submit(*negate, 3), -3, "a std::function is called");
}

void reference_results(LawRun& run) {
  const auto executor = open(run, 1);
  const auto variable = std::make_shared<int>(1);
  const Future<int&> reference = executor->submit([variable]() -> int& { return *variable; });
  if (expect_done(run, reference, "a call with a reference result ends")) {
    run.expect(&reference.result() == variable.get(), "a reference result is the object itself");
  }
  const Future<const int&> constant = executor->submit([variable]() -> const int& { return *variable; });
  if (expect_done(run, constant, "a call with a const reference result ends")) {
    run.expect(&constant.result() == variable.get(), "a const reference result is the object itself");
  }
}

void count_run(const Count& runs) { runs.add(); }

void void_and_const_results(LawRun& run) {
  const auto executor = open(run, 1);
  const auto const_value = executor->submit([]() -> const std::string { return "const"; });
  expect_result(run, const_value, "const", "a const result arrives");
  const Count ran;
  const Future<void> nothing = executor->submit(count_run, ran);
  if (expect_done(run, nothing, "a call without result ends")) {
    nothing.result();
    run.expect(ran.value() == 1, "a call without result runs");
  }
}

// --- E2

void each_call_runs_exactly_once(LawRun& run) {
  constexpr int kClients = 4;
  constexpr int kCallsPerClient = 50;
  const auto executor = open(run, 3);
  const std::vector<Count> runs(kClients * kCallsPerClient);
  {
    std::vector<std::unique_ptr<WatchedThread>> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.push_back(std::make_unique<WatchedThread>(run, "submit returns", [executor, runs, client] {
        for (int i = 0; i < kCallsPerClient; ++i) {
          executor->submit(count_run, runs[client * kCallsPerClient + i]);
        }
      }));
    }
  }
  shut_down(run, executor, {});
  run.expect(std::all_of(runs.begin(), runs.end(), [](const Count& n) { return n.value() == 1; }), "each call ran once");
}

void a_cancelled_call_never_runs(LawRun& run) {
  constexpr int kCalls = 60;
  constexpr int kCancellers = 3;
  struct Call {
    Count runs;
    std::atomic<int> cancels{0};
  };
  const auto executor = open(run, 2);
  const auto calls = std::make_shared<std::vector<Call>>(kCalls);
  const auto futures = std::make_shared<std::vector<Future<void>>>();
  {
    const BusyWorkers busy(run, *executor, 2);
    for (int i = 0; i < kCalls; ++i) {
      futures->push_back(executor->submit(count_run, (*calls)[i].runs));
    }
    std::vector<std::unique_ptr<WatchedThread>> cancellers;
    for (int canceller = 0; canceller < kCancellers; ++canceller) {
      cancellers.push_back(std::make_unique<WatchedThread>(run, "cancel returns", [calls, futures, canceller] {
        // From both ends, so that cancels meet each other and the workers.
        for (int i = 0; i < kCalls; ++i) {
          const int call = canceller % 2 == 0 ? i : kCalls - 1 - i;
          if ((*futures)[call].cancel()) ++(*calls)[call].cancels;
        }
      }));
      if (canceller == 0) busy.release();
    }
  }
  shut_down(run, executor, {});
  for (int i = 0; i < kCalls; ++i) {
    const Call& call = (*calls)[i];
    const bool cancelled = (*futures)[i].cancelled();
    run.expect(call.runs.value() == (cancelled ? 0 : 1), "a call runs once, or not at all if it was cancelled");
    run.expect(call.cancels == (cancelled ? kCancellers : 0), "all cancels of one call agree");
  }
}

void a_call_cancelled_by_shutdown_never_runs(LawRun& run) {
  const auto executor = open(run, 1);
  const Count ran;
  {
    const BusyWorkers busy(run, *executor);
    for (int i = 0; i < 5; ++i) executor->submit(count_run, ran);
    executor->shutdown({.wait = false, .cancel_futures = true});
  }
  shut_down(run, executor, {});
  run.expect(ran.value() == 0, "a call that shutdown cancelled does not run");
}

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
void end_thread(const Count& tid, const Count& unwound) {
  struct Local {
    const Count& unwound;
    ~Local() { unwound.add(); }
  } local{unwound};
  tid.add(own_tid());
  pthread_exit(nullptr);
}

Future<void> submit_end_of_thread(Executor& executor) { return executor.submit(end_thread, Count(), Count()); }

bool thread_exists(const LawRun& run, pid_t tid) {
  if (in_processes(run)) return !has_ended(tid);
  return access(absl::StrCat("/proc/self/task/", tid).c_str(), F_OK) == 0;
}

void a_call_that_ends_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const Count tid;
  const Count unwound;
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
    usleep(1);
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

// --- E4

void submit_after_shutdown_throws(LawRun& run) {
  for (const ShutdownOptions& options : {ShutdownOptions{.wait = true}, ShutdownOptions{.wait = false},
                                         ShutdownOptions{.wait = false, .cancel_futures = true}}) {
    const auto executor = open(run, 1);
    expect_result(run, executor->submit([] { return 1; }), 1, "before shutdown, calls are accepted");
    shut_down(run, executor, options);
    const CopyCounts counts = CopyCounts::begin();
    const Count ran;
    expect_throws<ShutdownError>(
        run, [&] { executor->submit(bind_travelling([](const CountedObject&, const Count& runs) { runs.add(); }, CountedObject(counts)), ran); },
        "submit after shutdown throws ShutdownError");
    run.expect(counts.alive() == 0, "a callable that was refused is destroyed");
    shut_down(run, executor, {});
    run.expect(ran.value() == 0, "a callable that was refused never runs");
  }
}

void the_error_is_pythons(LawRun& run) {
  static_assert(std::is_base_of_v<std::runtime_error, ShutdownError>);
  const auto executor = open(run, 1);
  executor->shutdown({.wait = false});
  try {
    executor->submit([] {});
    run.expect(false, "submit after shutdown throws");
  } catch (const std::runtime_error& e) {
    run.expect(std::string_view(e.what()) == "cannot schedule new futures after shutdown", "the text is Python's");
  }
}

void submit_by_a_call_while_draining_throws(LawRun& run) {
  const auto executor = open(run, 1);
  const Count ran;
  const Gate gate;
  const Future<bool> refused = executor->submit([executor = executor.get(), ran, at = gate.entrance()] {
    at.pass();
    try {
      executor->submit([ran] { ran.add(); });
    } catch (const ShutdownError&) {
      return true;
    }
    return false;
  });
  run.expect(gate.await_arrivals(1), "the call starts");
  executor->shutdown({.wait = false});
  gate.open();
  expect_result(run, refused, true, "submit by a call after the intake closed throws ShutdownError");
  shut_down(run, executor, {});
  run.expect(ran.value() == 0, "a callable that was refused never runs");
}

// --- E5

bool promises_order(const LawRun& run) { return run.candidate().policy.start_order == model::StartOrder::kFifo; }

// A call that begins by drawing a number, and returns it: so it is known which calls began before it.
int draw(const Count& begun) { return begun.add(); }

// The numbers of the calls that ran `draw`, in the order in which they began. Those that were cancelled are left out.
std::vector<int> in_order_of_begin(const LawRun& run, const std::vector<Future<int>>& calls) {
  std::vector<std::pair<int, int>> drawn;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].cancelled() || !expect_done(run, calls[i], "the call ends")) continue;
    drawn.emplace_back(calls[i].result(), static_cast<int>(i));
  }
  std::sort(drawn.begin(), drawn.end());
  std::vector<int> numbers;
  for (const auto& [number, call] : drawn) numbers.push_back(call);
  return numbers;
}

void one_worker_runs_in_order_of_submit(LawRun& run) {
  if (!promises_order(run)) return;
  const auto executor = open(run, 1);
  const Count begun;
  const BusyWorkers busy(run, *executor);
  std::vector<Future<int>> calls;
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) {
    calls.push_back(executor->submit(draw, begun));
    if (i % 3 == 2) {
      run.expect(calls.back().cancel(), "a pending call can be cancelled");
    } else {
      expected.push_back(i);
    }
  }
  busy.release();
  shut_down(run, executor, {});
  run.expect(in_order_of_begin(run, calls) == expected,
             "calls start in the order of their submits, leaving out the cancelled");
  run.expect(begun.value() == static_cast<int>(expected.size()), "and no other call starts");
}

void racing_submits_keep_their_order(LawRun& run) {
  if (!promises_order(run)) return;
  constexpr int kClients = 3;
  constexpr int kCallsPerClient = 25;
  struct Ticket {
    int before = 0;  // Drawn before submit was called.
    int after = 0;   // Drawn after it had returned.
  };
  const auto executor = open(run, 1);
  const Count begun;
  const auto calls = std::make_shared<std::vector<Future<int>>>(kClients * kCallsPerClient);
  const auto tickets = std::make_shared<std::vector<Ticket>>(kClients * kCallsPerClient);
  const auto next_ticket = std::make_shared<std::atomic<int>>(0);
  {
    std::vector<std::unique_ptr<WatchedThread>> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.push_back(std::make_unique<WatchedThread>(run, "submit returns", [=] {
        for (int call = client * kCallsPerClient; call < (client + 1) * kCallsPerClient; ++call) {
          (*tickets)[call].before = (*next_ticket)++;
          (*calls)[call] = executor->submit(draw, begun);
          (*tickets)[call].after = (*next_ticket)++;
        }
      }));
    }
  }
  shut_down(run, executor, {});
  const std::vector<int> started = in_order_of_begin(run, *calls);
  run.expect(started.size() == tickets->size(), "every call runs");
  int latest_before = -1;  // Of the calls that have started: none may have been submitted after this one had returned.
  for (const int call : started) {
    run.expect((*tickets)[call].after > latest_before, "a call whose submit returned before another's began starts first");
    latest_before = std::max(latest_before, (*tickets)[call].before);
  }
}

void no_call_overtakes_more_than_the_other_workers_hold(LawRun& run) {
  if (!promises_order(run)) return;
  constexpr int kWorkers = 3;
  constexpr int kCalls = 60;
  const auto executor = open(run, kWorkers);
  const Count begun;
  std::vector<Future<int>> calls;
  {
    const BusyWorkers busy(run, *executor, kWorkers);
    for (int i = 0; i < kCalls; ++i) calls.push_back(executor->submit(draw, begun));
  }
  const std::vector<int> started = in_order_of_begin(run, calls);
  run.expect(started.size() == kCalls, "every call runs");
  for (auto call = started.begin(); call != started.end(); ++call) {
    const auto overtaken = std::count_if(call, started.end(), [call](int other) { return other < *call; });
    run.expect(overtaken < kWorkers, "the calls submitted before it are started, but for one per other worker");
  }
}

// --- E6

void never_more_than_max_workers_at_once(LawRun& run) {
  for (int workers = 1; workers <= 4; ++workers) {
    const auto executor = open(run, workers);
    std::vector<Future<void>> futures;
    const Gate gate;
    for (int i = 0; i < workers + 3; ++i) futures.push_back(executor->submit(pass, gate.entrance()));
    run.expect(gate.await_arrivals(workers), "once quiet, every worker has a call");
    run.expect(!gate.await_arrivals(workers + 1, std::chrono::milliseconds(2)), "no more than max_workers calls have started");
    const auto running = std::count_if(futures.begin(), futures.end(), [](const auto& f) { return f.running(); });
    run.expect(running == workers, "exactly max_workers futures are running");
  }
}

void the_high_water_mark_stays_below(LawRun& run) {
  constexpr int kWorkers = 2;
  const auto executor = open(run, kWorkers);
  const Count inside;
  const Count over;
  const auto body = [](const Count& inside_now, const Count& too_many) {
    if (inside_now.add() > kWorkers) too_many.add();
    std::this_thread::yield();
    inside_now.add(-1);
  };
  const auto client = [=] {
    for (int i = 0; i < 40; ++i) executor->submit(body, inside, over);
  };
  {
    const WatchedThread first(run, "submit returns", client);
    const WatchedThread second(run, "submit returns", client);
  }
  shut_down(run, executor, {});
  run.expect(over.value() == 0, "at no moment are more than max_workers calls inside their bodies");
}

void a_free_worker_takes_the_pending_call(LawRun& run) {
  constexpr int kWorkers = 3;
  const auto executor = open(run, kWorkers);
  for (int round = 0; round < 5; ++round) {
    const BusyWorkers busy(run, *executor, kWorkers - 1);
    Future<int> pending;
    {
      const BusyWorkers last(run, *executor);
      pending = executor->submit([] { return 5; });
      run.expect(!pending.running() && !pending.done(), "a call beyond max_workers is pending");
    }
    // The others are still busy: only the one that has become free can run it.
    expect_result(run, pending, 5, "a worker that becomes free takes the pending call");
  }
}

// --- E7

void nothing_is_lost_when_submits_race_with_shutdown(LawRun& run) {
  struct Accepted {
    absl::Mutex mutex;
    std::vector<std::pair<int, Future<int>>> calls ABSL_GUARDED_BY(mutex);
  };
  const auto executor = open(run, 2);
  const auto accepted = std::make_shared<Accepted>();
  const Count submitted;
  const auto client = [executor, accepted, submitted] {
    try {
      for (int i = 0; i < 2'000; ++i) {
        Future<int> future = executor->submit([](int n) { return n; }, i);
        absl::MutexLock lock(&accepted->mutex);
        accepted->calls.emplace_back(i, std::move(future));
        submitted.add();
      }
    } catch (const ShutdownError&) {
    }
  };
  {
    const WatchedThread first(run, "submit returns", client);
    const WatchedThread second(run, "submit returns", client);
    submitted.reaches(50);
    shut_down(run, executor, {});
  }
  absl::MutexLock lock(&accepted->mutex);
  for (const auto& [number, future] : accepted->calls) {
    if (!run.expect(future.done(), "every accepted call is done when shutdown has returned")) return;
    if (!expect_result(run, future, number, "every accepted call has run")) return;
  }
}

void no_wake_up_is_lost(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 60; ++i) {
    // The workers are on their way to sleep, or asleep, or about to be woken for the call before.
    const Future<int> first = executor->submit(unchanged, i);
    const Future<int> second = executor->submit(unchanged, -i);
    if (!expect_result(run, first, i, "a call ends, whatever its worker was doing")) return;
    if (!expect_result(run, second, -i, "a call ends, whatever its worker was doing")) return;
  }
}

void calls_after_cancelled_ones_end(LawRun& run) {
  const auto executor = open(run, 1);
  std::vector<Future<int>> kept;
  {
    const BusyWorkers busy(run, *executor);
    for (int i = 0; i < 20; ++i) {
      executor->submit([] {}).cancel();
      kept.push_back(executor->submit(unchanged, i));
      executor->submit([] {}).cancel();
    }
  }
  for (int i = 0; i < 20; ++i) expect_result(run, kept[i], i, "a call between cancelled ones ends");
}

constexpr std::string_view kCannotTravel = "does not apply: pointers and references do not travel";

constexpr Law kLaws[] = {
    law<move_only_callable_arguments_and_results>("E1", "MoveOnlyCallableArgumentsAndResults"),
    law<arguments_are_decay_copied>("E1", "ArgumentsAreDecayCopied"),
    law<arrays_decay>("E1", "ArraysDecay", kCannotTravel),
    law<one_copy_of_an_lvalue_none_of_an_rvalue>("E1", "OneCopyOfAnLvalueNoneOfAnRvalue"),
    law<anything_that_std_invoke_takes>("E1", "AnythingThatStdInvokeTakes", kCannotTravel),
    law<void_and_const_results>("E1", "VoidAndConstResults"),
    law<reference_results>("E1", "ReferenceResults", kCannotTravel),
    law<each_call_runs_exactly_once>("E2", "EachCallRunsExactlyOnce"),
    law<a_cancelled_call_never_runs>("E2", "ACancelledCallNeverRuns"),
    law<a_call_cancelled_by_shutdown_never_runs>("E2", "ACallCancelledByShutdownNeverRuns"),
    law<whatever_it_throws_goes_to_its_future>("E3", "WhateverItThrowsGoesToItsFuture"),
    law<exceptions_keep_what_they_say>("E3", "ExceptionsKeepWhatTheySay"),
    law<a_call_that_ends_its_thread>("E3", "ACallThatEndsItsThread"),
    law<a_thread_that_ended_is_replaced_when_needed>("E3", "AThreadThatEndedIsReplacedWhenNeeded"),
    law<a_call_that_cancels_its_thread>("E3", "ACallThatCancelsItsThread"),
    law<the_pool_keeps_its_size>("E3", "ThePoolKeepsItsSize"),
    law<a_thread_is_replaced_while_draining>("E3", "AThreadIsReplacedWhileDraining"),
    law<submit_after_shutdown_throws>("E4", "SubmitAfterShutdownThrows"),
    law<the_error_is_pythons>("E4", "TheErrorIsPythons"),
    law<submit_by_a_call_while_draining_throws>("E4", "SubmitByACallWhileDrainingThrows", kNoExecutor),
    law<one_worker_runs_in_order_of_submit>("E5", "OneWorkerRunsInOrderOfSubmit"),
    law<racing_submits_keep_their_order>("E5", "RacingSubmitsKeepTheirOrder"),
    law<no_call_overtakes_more_than_the_other_workers_hold>("E5", "NoCallOvertakesMoreThanTheOtherWorkersHold"),
    law<never_more_than_max_workers_at_once>("E6", "NeverMoreThanMaxWorkersAtOnce"),
    law<the_high_water_mark_stays_below>("E6", "TheHighWaterMarkStaysBelow"),
    law<a_free_worker_takes_the_pending_call>("E6", "AFreeWorkerTakesThePendingCall"),
    law<nothing_is_lost_when_submits_race_with_shutdown>("E7", "NothingIsLostWhenSubmitsRaceWithShutdown"),
    law<no_wake_up_is_lost>("E7", "NoWakeUpIsLost"),
    law<calls_after_cancelled_ones_end>("E7", "CallsAfterCancelledOnesEnd"),
};

}  // namespace

absl::Span<const Law> executor_laws() { return kLaws; }

}  // namespace futures::spec_tests
