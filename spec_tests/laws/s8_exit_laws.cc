// S8, T5, T9: the end of the program, a lack of threads, and forks; each in a child of the check. What needs a program of
// its own from main to its end is in //spec_tests/process.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/wait.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/child.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/check_helpers.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

using Ints = std::vector<Future<int>>;

Ints submit_some(Executor& executor, int n) {
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor.submit(unchanged, i));
  return futures;
}

// --- S8. In a child: pools are made there, since the threads of the parent's are not.

// The promise is that a child that ends like this has status `status` and has noted `call` `calls` times.
void expect_exit(const LawRun& run, int status, int calls, const std::function<void(const ChildReport&)>& body,
                 std::string_view what) {
  const ChildEnd end = in_child(run, "the program ends", [&](const ChildReport& report) {
    body(report);
    report.expect(false, "the program has not ended by itself");
  });
  run.expect(end.status == status, "the exit code is kept");
  run.expect(std::count(end.notes.begin(), end.notes.end(), "call") == calls, what);
}

void submit_notes(Executor& executor, const ChildReport& report, int n) {
  for (int i = 0; i < n; ++i) executor.submit([](const ChildReport& said_by) { said_by.note("call"); }, report);
}

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
  const Count running;
  const Count closed;
  executor->submit(
      [](const ChildReport& said_by, const Count& begun, const Count& ends) {
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

// --- T5

// Threads cannot be started any more, while the limit lasts. Returns whether that could be brought about.
bool forbid_threads() {
  if (geteuid() == 0) {
    // The limit does not bind root. A number that nobody uses: its count is this process's own.
    constexpr uid_t kNobodyElse = 61'234;
    if (setresgid(kNobodyElse, kNobodyElse, kNobodyElse) != 0) return false;
    if (setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0) return false;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NPROC, &limit) != 0) return false;
  limit.rlim_cur = 1;
  if (setrlimit(RLIMIT_NPROC, &limit) != 0) return false;
  try {
    std::thread([] {}).join();
    return false;
  } catch (const std::system_error&) {
    return true;
  }
}

void allow_threads() {
  rlimit limit{};
  getrlimit(RLIMIT_NPROC, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NPROC, &limit);
}

void goes_on_with_the_threads_it_has(LawRun& run) {
  in_child(run, "the pool goes on with the workers it has", [&](const ChildReport& report) {
    const auto executor = run.make(3);
    std::atomic<bool> may_end = false;
    const Future<int> first = executor->submit([&may_end] {
      soon([&] { return may_end.load(); });
      return 1;
    });
    if (forbid_threads()) {
      const Ints more = submit_some(*executor, 3);
      report.expect(!more[0].done(), "what no thread is free for is pending");
      may_end = true;
      report.expect(first.result(kPatience) == 1, "the running call ends");
      for (int i = 0; i < 3; ++i) report.expect(more[i].result(kPatience) == i, "the calls run on the worker there is");
    }
    may_end = true;
    executor->shutdown();
  });
}

void without_any_thread_submit_throws(LawRun& run) {
  in_child(run, "submit without any thread returns", [&](const ChildReport& report) {
    const auto executor = run.make(2);
    if (!forbid_threads()) return;
    const CopyCounts counts = CopyCounts::begin();
    std::atomic<int> ran = 0;
    const auto call = [&ran, counted = CountedObject(counts)] { ++ran; };
    report.expect_throws<std::system_error>([&] { executor->submit(call); }, "submit throws if there is no thread at all");
    report.expect(counts.alive() == 1, "the call is not accepted: its callable is gone");
    report.expect_throws<std::system_error>([&] { executor->map([](int x) { return x; }, std::vector<int>{1}); },
                                           "so does map");
    allow_threads();
    const Future<int> later = executor->submit([] { return 1; });
    report.expect(later.result(kPatience) == 1, "the pool runs what is submitted once there are threads again");
    executor->shutdown();
    report.expect(ran == 0, "what was not accepted never runs");
  });
}

// --- T9

// An executor that is busy in every way, to be looked at by a child.
struct Busy {
  explicit Busy(const LawRun& run) : executor(run.make(1)), busy(run, *executor) {
    finished.result(kPatience);
    cancelled.cancel();
  }

  std::unique_ptr<Executor> executor;
  const Future<int> finished = executor->submit([] { return 5; });
  BusyWorkers busy;
  const Future<int> running = busy.futures()[0];
  const Future<int> pending = executor->submit([] { return 2; });
  const Future<int> cancelled = executor->submit([] { return 3; });
};

void expect_inert(const ChildReport& report, Executor& executor) {
  report.expect_throws<BrokenExecutor>([&] { executor.submit([] {}); }, "submit in a forked child throws");
  report.expect_throws<BrokenExecutor>([&] { executor.map([](int x) { return x; }, std::vector<int>{1}); },
                                      "map in a forked child throws");
  report.expect_throws<BrokenExecutor>([&] { executor.map([](int x) { return x; }, std::vector<int>()); },
                                      "map of nothing in a forked child throws");
  report.expect_throws<BrokenExecutor>([&] { executor.shutdown(); }, "shutdown in a forked child throws");
  report.expect_throws<BrokenExecutor>([&] { executor.shutdown({.wait = false, .cancel_futures = true}); },
                                      "shutdown without wait in a forked child throws");
  report.expect_throws<BrokenExecutor>([&] { executor.shutdown_now(); }, "shutdown_now in a forked child throws");
}

void expect_unfinished(const ChildReport& report, const Future<int>& future) {
  const auto throws = [&](const std::function<void()>& action, std::string_view what) {
    report.expect_throws<BrokenExecutor>(action, what);
  };
  throws([&] { future.result(); }, "result of an unfinished future throws in a forked child");
  throws([&] { future.result(1ms); }, "result with a timeout throws in a forked child");
  throws([&] { future.exception(); }, "exception throws in a forked child");
  throws([&] { future.wait(); }, "wait throws in a forked child");
  throws([&] { futures::wait(Ints{future}); }, "wait for many throws in a forked child");
  throws([&] { as_completed(Ints{future}); }, "as_completed throws in a forked child");
  throws([&] { future.cancel(); }, "cancel throws in a forked child");
  throws([&] { future.request_stop(); }, "request_stop throws in a forked child");
  throws([&] { future.add_done_callback([&](const Future<int>&) { report.note("callback"); }); },
         "add_done_callback throws in a forked child");
  report.expect(!future.done() && !future.cancelled(), "the future shows where the call was");
}

void the_childs_copy_is_inert(LawRun& run) {
  Busy busy(run);
  const ChildEnd end = in_child(run, "nothing hangs in a forked child", [&](const ChildReport& report) {
    expect_inert(report, *busy.executor);
    expect_unfinished(report, busy.running);
    expect_unfinished(report, busy.pending);
    report.expect(busy.finished.result() == 5 && busy.finished.exception() == nullptr, "finished futures keep their results");
    report.expect_throws<CancelledError>([&] { busy.cancelled.result(); }, "cancelled futures stay so");
    report.expect(!busy.finished.cancel() && busy.cancelled.cancel(), "cancel of a done future tells what it is");
    const Ints done = {busy.finished, busy.cancelled};
    report.expect(futures::wait(done).done.size() == 2, "waiting for done futures returns");
    bool called = false;
    busy.finished.add_done_callback([&](const Future<int>&) { called = true; });
    report.expect(called, "a callback for a done future runs at once");
    busy.executor.reset();
    report.note("destroyed");
    std::exit(6);
  });
  run.expect(end.notes == std::vector<std::string>{"destroyed"}, "the destructor does nothing, no callback runs");
  run.expect(end.status == 6, "the exit hook does nothing");
  busy.busy.release();
  expect_result(run, busy.running, 1, "the parent is unharmed");
  expect_result(run, busy.pending, 2, "the parent is unharmed");
  expect_result(run, busy.executor->submit([] { return 4; }), 4, "the parent is unharmed");
}

void ranges_that_the_child_inherits(LawRun& run) {
  Busy busy(run);
  const auto same = [](int x) { return x; };
  auto all = std::make_unique<decltype(busy.executor->map(same, std::vector<int>()))>(
      busy.executor->map(same, std::vector<int>{1, 2}));
  auto unordered = std::make_unique<decltype(busy.executor->map_unordered(same, std::vector<int>()))>(
      busy.executor->map_unordered(same, std::vector<int>{1, 2}));
  in_child(run, "nothing hangs in a forked child", [&](const ChildReport& report) {
    report.expect_throws<BrokenExecutor>([&] { report.expect(all->begin() == all->end(), "a result"); },
                                        "the next result of a map throws in a forked child");
    all.reset();
    unordered.reset();
    report.expect(true, "destroying a map range in a forked child does nothing");
  });
  busy.busy.release();
  int sum = 0;
  for (const int result : *all) sum += result;
  for (const int result : *unordered) sum += result;
  run.expect(sum == 6, "the parent is unharmed");
}

void the_child_may_have_pools_of_its_own(LawRun& run) {
  const Busy busy(run);
  if (!kChildMayHaveThreads) return;
  expect_exit(
      run, 7, 5,
      [&](const ChildReport& report) {
        const auto executor = run.make(2);
        report.expect(executor->submit([] { return 1; }).result(kPatience) == 1, "a pool made in a forked child works");
        submit_notes(*executor, report, 5);
        std::exit(7);
      },
      "the exit of a forked child waits for its own pools");
}

// A child that was forked by a call: it looks at the executor, then returns from the call into its copy of the worker.
void be_a_child_inside_a_call(Executor& executor) {
  exit_as_child();
  try {
    executor.submit([] {});
  } catch (const BrokenExecutor&) {
    return;
  }
  _exit(1);
}

void forked_inside_a_call(LawRun& run) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const auto executor = open(run, 1);
  const Count ran;
  const Future<int> forks = executor->submit([executor = executor.get(), out = ends[1], ran] {
    // The child would write to the pipe as well.
    executor->submit([out, ran] {
      if (write(out, "x", 1) != 1) std::abort();
      ran.add();
    });
    if (!kChildMayHaveThreads) return 0;
    const pid_t child = fork();
    if (child == 0) {
      be_a_child_inside_a_call(*executor);
      return 0;
    }
    int status = -1;
    if (!soon([&] { return waitpid(child, &status, WNOHANG) == child; })) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
    }
    return status;
  });
  expect_result(run, forks, 0, "a child that was forked by a call and returns from it finds the pool inert, and ends");
  run.expect(ran.reaches(1), "the parent is unharmed");
  close(ends[1]);
  char buffer[8];
  run.expect(read(ends[0], buffer, sizeof(buffer)) == 1, "the child takes no call of the parent's");
  close(ends[0]);
}

constexpr Law kLaws[] = {
    law<exit_waits_for_pending_calls>("S8", "ExitWaitsForPendingCalls"),
    law<exit_in_a_call>("S8", "ExitInACall", "does not apply: an exit in a call is one of its worker"),
    law<exit_policies>("S8", "ExitPolicies"),
    law<goes_on_with_the_threads_it_has>("T5", "GoesOnWithTheThreadsItHas"),
    law<without_any_thread_submit_throws>("T5", "WithoutAnyThreadSubmitThrows"),
    law<the_childs_copy_is_inert>("T9", "TheChildsCopyIsInert"),
    law<ranges_that_the_child_inherits>("T9", "RangesThatTheChildInherits"),
    law<the_child_may_have_pools_of_its_own>("T9", "TheChildMayHavePoolsOfItsOwn"),
    law<forked_inside_a_call>("T9", "ForkedInsideACall"),
};

}  // namespace

absl::Span<const Law> process_laws() { return kLaws; }

}  // namespace futures::spec_tests
