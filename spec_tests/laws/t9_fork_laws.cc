// Law T9: what a child made by fork() finds of the executors of its parent.
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "futures/wait.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/child.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

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
  report.expect_throws<BrokenExecutor>(
      [&] { static_cast<void>(executor.map([](int x) { return x; }, std::vector<int>{1})); },
      "map in a forked child throws");
  report.expect_throws<BrokenExecutor>(
      [&] { static_cast<void>(executor.map([](int x) { return x; }, std::vector<int>())); },
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
    report.expect(busy.finished.result() == 5 && busy.finished.exception() == nullptr,
                  "finished futures keep their results");
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
  const SharedCount ran;
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
    law<the_childs_copy_is_inert>("T9", "TheChildsCopyIsInert"),
    law<ranges_that_the_child_inherits>("T9", "RangesThatTheChildInherits"),
    law<the_child_may_have_pools_of_its_own>("T9", "TheChildMayHavePoolsOfItsOwn"),
    law<forked_inside_a_call>("T9", "ForkedInsideACall"),
};

}  // namespace

absl::Span<const Law> fork_laws() { return kLaws; }

}  // namespace futures::spec_tests
