// Group T: what is particular to pools of threads.
#include <pthread.h>
#include <sched.h>

#include <climits>
#include <fstream>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/cpus.h"
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

// --- T1

void max_workers_below_one_is_refused(LawRun& run) {
  for (const int max_workers : {0, -1, INT_MIN}) {
    expect_throws<std::invalid_argument>(
        run, [&] { open(run, max_workers); }, "max_workers below 1 throws std::invalid_argument");
  }
  const auto executor = open(run, 1);
  expect_result(run, executor->submit([] { return 1; }), 1, "max_workers of 1 is enough");
}

void max_workers_beyond_an_int_is_refused(LawRun& run) {
  constexpr long long kFirst = (1LL << 32) + 1;  // As an int it would be 1.
  for (const long long max_workers : {INT_MAX + 1LL, kFirst, LLONG_MAX}) {
    expect_throws<std::invalid_argument>(
        run, [&] { open(run, {.max_workers = max_workers}); },
        "max_workers beyond an int throws std::invalid_argument");
  }
}

// By default `workers` calls run at once, and no more.
void expect_default_workers(const LawRun& run, int workers) {
  const auto executor = open(run, ExecutorOptions{});
  const Gate gate;
  for (int i = 0; i < workers + 1; ++i) executor->submit([at = gate.entrance()] { at.pass(); });
  run.expect(gate.await_arrivals(workers), "by default, as many calls run at once as there are CPUs for this process");
  run.expect(!gate.await_arrivals(workers + 1, 2ms), "and no more");
}

void by_default_the_cpus_of_this_process(LawRun& run) {
  expect_default_workers(run, internal::available_cpus());
  const WatchedThread confined(run, "a thread confined to one CPU ends", [run] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof(one), &one) == 0) expect_default_workers(run, 1);
  });
}

// --- T2

void threads_start_on_demand_and_are_reused(LawRun& run) {
  const SharedCount started;
  const auto executor = open(run, {.max_workers = 4, .initializer = [started] { started.add(); }});
  const Future<pid_t> first = executor->submit(own_tid);
  if (!expect_done(run, first, "the call ends")) return;
  const pid_t worker = first.result();
  for (int i = 0; i < 10; ++i) {
    // A worker is idle when it sleeps, which is a little after its call is done.
    if (!run.expect_soon([&] { return is_asleep(worker); }, "an idle worker sleeps")) return;
    const Future<pid_t> next = executor->submit(own_tid);
    if (!expect_done(run, next, "the call ends")) return;
    run.expect(next.result() == worker, "an idle worker is reused before another one is started");
  }
  shut_down(run, executor, {});
  run.expect(started.value() == 1, "threads start on demand only");
}

void no_thread_without_a_call(LawRun& run) {
  const SharedCount started;
  const auto executor = open(run, {.max_workers = 4, .initializer = [started] { started.add(); }});
  shut_down(run, executor, {});
  run.expect(started.value() == 0, "without a call no thread is started");
}

// Wherever in its wait for calls the cancellation meets it.
void an_idle_thread_that_is_cancelled_is_replaced(LawRun& run) {
  for (int i = 0; i < 5; ++i) {
    const auto executor = open(run, 1);
    const Future<pthread_t> worker = executor->submit(&pthread_self);
    if (!expect_done(run, worker, "a call runs")) return;
    sleep_for(i * 1ms);  // Nothing depends on where it is by then.
    pthread_cancel(worker.result());
    expect_result(run, executor->submit([] { return 2; }), 2, "a call that is submitted to no living thread runs");
  }
}

void never_more_threads_than_the_maximum(LawRun& run) {
  constexpr int kWorkers = 3;
  const SharedCount started;
  const auto executor = open(run, {.max_workers = kWorkers, .initializer = [started] { started.add(); }});
  {
    const Gate gate;
    for (int i = 0; i < 4 * kWorkers; ++i) executor->submit([at = gate.entrance()] { at.pass(); });
    run.expect(gate.await_arrivals(kWorkers), "a thread is started for a call that no idle worker can take");
  }
  shut_down(run, executor, {});
  run.expect(started.value() == kWorkers, "there are never more threads than the maximum");
}

// --- T3

std::string own_thread_name() {
  std::ifstream file(absl::StrCat("/proc/self/task/", own_tid(), "/comm"));
  std::string name;
  std::getline(file, name);
  return name;
}

// The names of the threads that run `n` calls at once.
std::multiset<std::string> names_of(const LawRun& run, const std::string& prefix, int n) {
  const auto executor = open(run, {.max_workers = n, .thread_name_prefix = prefix});
  std::vector<Future<std::string>> names;
  {
    const Gate gate;
    for (int i = 0; i < n; ++i) {
      names.push_back(executor->submit([at = gate.entrance()] {
        at.pass();
        return own_thread_name();
      }));
    }
    run.expect(gate.await_arrivals(n), "each call has a thread of its own");
  }
  std::multiset<std::string> found;
  for (const auto& name : names) {
    if (expect_done(run, name, "the call ends")) found.insert(name.result());
  }
  return found;
}

void threads_are_named_by_prefix_and_number(LawRun& run) {
  run.expect(names_of(run, "crew", 3) == std::multiset<std::string>{"crew_0", "crew_1", "crew_2"},
             "threads are named prefix_0, prefix_1, ... as the kernel shows them");
  run.expect(names_of(run, "a_prefix_too_long", 1) == std::multiset<std::string>{"a_prefix_too_lo"},
             "a long name is cut to the 15 bytes that the kernel keeps");
}

// --- T4

thread_local int initializer_runs = 0;

void the_initializer_runs_once_per_worker_first(LawRun& run) {
  constexpr int kWorkers = 3;
  const SharedCount initialized;
  const auto executor = open(run, {.max_workers = kWorkers, .initializer = [initialized] {
                                     ++initializer_runs;
                                     initialized.add();
                                   }});
  std::vector<Future<int>> seen;
  {
    const Gate gate;
    for (int i = 0; i < 3 * kWorkers; ++i) {
      seen.push_back(executor->submit([at = gate.entrance()] {
        at.pass();
        return initializer_runs;
      }));
    }
    run.expect(gate.await_arrivals(kWorkers), "each call has a thread of its own");
  }
  for (const Future<int>& runs : seen) expect_result(run, runs, 1, "each call finds its thread initialized once");
  run.expect(initialized.value() == kWorkers, "the initializer runs once per worker");
}

void a_replacing_worker_is_initialized(LawRun& run) {
  const auto executor = open(run, {.max_workers = 1, .initializer = [] { ++initializer_runs; }});
  const Future<void> ends_its_thread = executor->submit([] { pthread_exit(nullptr); });
  expect_error<BrokenExecutor>(run, ends_its_thread, "the call gets BrokenExecutor");
  expect_result(run, executor->submit([] { return initializer_runs; }), 1,
                "a worker that replaces another is initialized");
}

void expect_broken(const LawRun& run, Executor& executor) {
  const SharedCount ran;
  expect_throws<BrokenThreadPool>(
      run, [&] { executor.submit([ran] { ran.add(); }); }, "a later submit throws BrokenThreadPool");
  run.expect(ran.value() == 0, "and its callable never runs");
}

void an_initializer_that_throws_breaks_the_pool(LawRun& run) {
  for (const bool standard : {true, false}) {
    const LogCapture logged;
    const auto executor = open(run, {.max_workers = 1, .initializer = [standard] {
                                       if (standard) throw std::runtime_error("no luck today");
                                       throw 5;
                                     }});
    const SharedCount ran;
    const Future<void> pending = executor->submit([ran] { ran.add(); });
    expect_error<BrokenThreadPool>(run, pending, "a pending call gets BrokenThreadPool");
    run.expect(logged.holds(standard ? "no luck today" : "int"), "what the initializer threw is logged");
    expect_broken(run, *executor);
    run.expect(ran.value() == 0, "no call runs on a worker whose initializer threw");
    run.expect(shut_down(run, executor, {}) == true, "a broken pool can be shut down");
  }
}

void calls_elsewhere_finish_when_the_pool_breaks(LawRun& run) {
  const Gate initializer;
  const auto second_throws = [begun = SharedCount(), at = initializer.entrance()] {
    if (begun.add() < 2) return;
    at.pass();
    throw std::runtime_error("only the first worker has luck");
  };
  const LogCapture logged;
  const auto executor = open(run, {.max_workers = 2, .initializer = second_throws});
  const BusyWorkers busy(run, *executor);
  std::vector<Future<int>> pending;
  for (int i = 0; i < 3; ++i) pending.push_back(executor->submit([] { return 2; }));
  run.expect(initializer.await_arrivals(1), "a second worker starts");
  initializer.open();
  for (const Future<int>& future : pending) {
    expect_error<BrokenThreadPool>(run, future, "every pending call gets BrokenThreadPool");
  }
  expect_broken(run, *executor);
  run.expect(busy.futures()[0].running(), "a call that runs elsewhere is left alone");
  busy.release();
  expect_result(run, busy.futures()[0], 1, "a call that runs elsewhere finishes");
}

void waiters_are_woken_when_the_pool_breaks(LawRun& run) {
  const Gate initializer;
  const LogCapture logged;
  const auto executor = open(run, {.max_workers = 1, .initializer = [at = initializer.entrance()] {
                                     at.pass();
                                     throw std::runtime_error("no luck");
                                   }});
  const Future<int> first = executor->submit([] { return 1; });
  const Future<int> second = executor->submit([] { return 2; });
  const Gate gate;
  first.add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  const WatchedThread waiter(run, "a waiter is woken", [second] { second.exception(); });
  run.expect(waiter.falls_asleep(), "a waiter sleeps until the pool breaks");
  initializer.open();
  run.expect(gate.await_arrivals(1), "the callback of a call that breaks runs");
  run.expect(waiter.ends(), "the other pending calls get BrokenThreadPool although a callback blocks");
  gate.open();
}

void no_lock_is_held_when_the_pool_breaks(LawRun& run) {
  const Gate initializer;
  const LogCapture logged;
  const auto executor = open(run, {.max_workers = 1, .initializer = [at = initializer.entrance()] {
                                     at.pass();
                                     throw std::runtime_error("no luck");
                                   }});
  const Future<int> pending = executor->submit([] { return 1; });
  const SharedCount refused;
  pending.add_done_callback([executor = executor.get(), refused](const Future<int>&) {
    try {
      executor->submit([] {});
    } catch (const BrokenThreadPool&) {
      refused.add();
    }
  });
  initializer.open();
  run.expect(refused.reaches(1), "a callback of a call that breaks with its pool can use the pool");
}

constexpr Law kLaws[] = {
    law<max_workers_below_one_is_refused>("T1", "MaxWorkersBelowOneIsRefused"),
    law<max_workers_beyond_an_int_is_refused>("T1", "MaxWorkersBeyondAnIntIsRefused"),
    law<by_default_the_cpus_of_this_process>("T1", "ByDefaultTheCpusOfThisProcess"),
    law<threads_start_on_demand_and_are_reused>("T2", "ThreadsStartOnDemandAndAreReused"),
    law<no_thread_without_a_call>("T2", "NoThreadWithoutACall"),
    law<an_idle_thread_that_is_cancelled_is_replaced>("T2", "AnIdleThreadThatIsCancelledIsReplaced"),
    law<never_more_threads_than_the_maximum>("T2", "NeverMoreThreadsThanTheMaximum"),
    law<threads_are_named_by_prefix_and_number>("T3", "ThreadsAreNamedByPrefixAndNumber"),
    law<the_initializer_runs_once_per_worker_first>("T4", "TheInitializerRunsOncePerWorkerFirst"),
    law<a_replacing_worker_is_initialized>("T4", "AReplacingWorkerIsInitialized"),
    law<an_initializer_that_throws_breaks_the_pool>("T4", "AnInitializerThatThrowsBreaksThePool"),
    law<calls_elsewhere_finish_when_the_pool_breaks>("T4", "CallsElsewhereFinishWhenThePoolBreaks"),
    law<waiters_are_woken_when_the_pool_breaks>("T4", "WaitersAreWokenWhenThePoolBreaks"),
    law<no_lock_is_held_when_the_pool_breaks>("T4", "NoLockIsHeldWhenThePoolBreaks"),
};

}  // namespace

absl::Span<const Law> thread_laws() { return kLaws; }

}  // namespace futures::spec_tests
