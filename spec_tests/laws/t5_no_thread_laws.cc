// Law T5: a lack of threads, in a child of the check.
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/child.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

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
    report.expect_throws<std::system_error>([&] { executor->submit(call); },
                                            "submit throws if there is no thread at all");
    report.expect(counts.alive() == 1, "the call is not accepted: its callable is gone");
    report.expect_throws<std::system_error>(
        [&] { static_cast<void>(executor->map([](int x) { return x; }, std::vector<int>{1})); }, "so does map");
    allow_threads();
    const Future<int> later = executor->submit([] { return 1; });
    report.expect(later.result(kPatience) == 1, "the pool runs what is submitted once there are threads again");
    executor->shutdown();
    report.expect(ran == 0, "what was not accepted never runs");
  });
}

// The signals that this thread blocks.
std::vector<int> blocked_signals() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  std::vector<int> blocked;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&mask, signal) == 1) blocked.push_back(signal);
  }
  return blocked;
}

// A pool's threads start with all signals blocked, and so does the thread that starts them, for a moment.
void a_failed_start_leaves_the_callers_signals(LawRun& run) {
  in_child(run, "submit without any thread returns", [&](const ChildReport& report) {
    const auto executor = run.make(2);
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &own, nullptr);
    const std::vector<int> before = blocked_signals();
    if (!forbid_threads()) return;
    for (int i = 0; i < 40; ++i) {
      report.expect_throws<std::system_error>([&] { executor->submit([] {}); }, "submit throws each time");
    }
    report.expect(blocked_signals() == before, "the caller's signals are blocked, or not, as before");
    allow_threads();
    const Future<int> later = executor->submit([] { return 1; });
    report.expect(later.result(kPatience) == 1, "the pool runs what is submitted after many failures");
    report.expect(blocked_signals() == before, "a start leaves the caller's signals as well");
    executor->shutdown();
  });
}

constexpr Law kLaws[] = {
    law<goes_on_with_the_threads_it_has>("T5", "GoesOnWithTheThreadsItHas"),
    law<without_any_thread_submit_throws>("T5", "WithoutAnyThreadSubmitThrows"),
    law<a_failed_start_leaves_the_callers_signals>("T5", "AFailedStartLeavesTheCallersSignals"),
};

}  // namespace

absl::Span<const Law> no_thread_laws() { return kLaws; }

}  // namespace futures::spec_tests
