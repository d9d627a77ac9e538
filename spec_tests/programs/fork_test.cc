// Law T9 on whole programs: forks of a program whose executors are busy, up to the ends of both processes.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/wait.h"
#include "gtest/gtest.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/candidates.h"
#include "spec_tests/programs/program.h"

#if defined(ABSL_HAVE_ADDRESS_SANITIZER)
// No leaks are looked for in children: what other threads of the parent had on their stacks has no owner there.
static const pid_t program = getpid();
extern "C" int __lsan_is_turned_off() { return getpid() != program; }
#endif

namespace futures::spec_tests {
namespace {

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Both processes return from main, and only one of them has calls to wait for.
int both_return_from_main(const Candidate& candidate) {
  std::atomic<bool> forked = false;
  const std::unique_ptr<Executor> executor = candidate.make({.max_workers = 1});
  executor->submit([&forked] { forked.wait(false); });
  submit_calls(*executor, 5);
  const pid_t child = fork();
  if (child == 0) return 3;
  print(absl::StrCat("the child has returned ", wait_for(child)));
  forked = true;
  forked.notify_all();
  return 7;
}

// A program goes on in the child with executors of its own, as daemons do.
int the_child_goes_on(const Candidate& candidate) {
  const std::unique_ptr<Executor> inherited = candidate.make({.max_workers = 1});
  inherited->submit([] {}).result();
  const pid_t child = fork();
  if (child > 0) return wait_for(child);
  const std::unique_ptr<Executor> executor = candidate.make({.max_workers = 2});
  submit_calls(*executor, 5);
  executor->shutdown({.wait = false});
  return 7;
}

template <typename Action>
bool is_refused(Action&& action) {
  try {
    action();
  } catch (const BrokenExecutor&) {
    return true;
  }
  return false;
}

// Every operation on the executor that a client might have been inside of when the fork came.
[[noreturn]] void use_all(Executor& executor, const Future<int>& finished, const Future<int>& unfinished) {
  const std::vector<Future<int>> both = {finished, unfinished};
  const std::vector<Future<int>> done = {finished};
  bool kept = is_refused([&] { executor.submit([] {}); });
  kept = kept && is_refused([&] { executor.shutdown(); });
  kept = kept && is_refused([&] { unfinished.result(); });
  kept = kept && is_refused([&] { unfinished.cancel(); });
  kept = kept && is_refused([&] { unfinished.add_done_callback([](const Future<int>&) { _exit(4); }); });
  kept = kept && is_refused([&] { wait(both); });
  kept = kept && finished.result() == 1 && wait(done).done.size() == 1;
  for (const Future<int>& future : as_completed(done)) kept = kept && future.done();
  finished.add_done_callback([](const Future<int>&) {});
  delete &executor;
  _exit(kept ? 0 : 2);
}

// The locks of executor and futures are held at any moment by some thread of the parent.
int forks_at_any_moment(const Candidate& candidate) {
  constexpr int kForks = 40;
  Executor* const executor = candidate.make({.max_workers = 2}).release();
  const Future<int> finished = executor->submit([] { return 1; });
  finished.result();
  std::atomic<bool> may_end = false;
  const Future<int> unfinished = executor->submit([&may_end] {
    may_end.wait(false);
    return 2;
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      while (!may_end) {
        const Future<int> next = executor->submit([] { return 3; });
        next.add_done_callback([](const Future<int>&) {});
        const std::vector<Future<int>> waited = {unfinished, next};
        wait(waited, {.return_when = ReturnWhen::kFirstCompleted});
      }
    });
  }
  int failed = 0;
  for (int i = 0; i < kForks; ++i) {
    const pid_t child = fork();
    if (child == 0) use_all(*executor, finished, unfinished);
    if (wait_for(child) != 0) ++failed;
  }
  may_end = true;
  may_end.notify_all();
  for (std::thread& client : clients) client.join();
  print(absl::StrCat(failed, " failed, then ", unfinished.result()));
  executor->shutdown();
  delete executor;
  return 7;
}

class Fork : public ProgramTest {};

TEST_P(Fork, T9_TheChildsExitWaitsForNothing) {
  expect_lines("both_return_from_main", {"the child has returned 3", "call", "call", "call", "call", "call"});
}

TEST_P(Fork, T9_TheChildMayGoOnWithExecutorsOfItsOwn) { expect_calls("the_child_goes_on", 5); }

TEST_P(Fork, T9_NothingHangsWheneverTheForkComes) { expect_lines("forks_at_any_moment", {"0 failed, then 2"}); }

INSTANTIATE_TEST_SUITE_P(Candidates, Fork, testing::ValuesIn(candidate_names(thread_candidates())),
                         [](const auto& info) { return info.param; });

}  // namespace

const std::map<std::string, Part>& parts() {
  static const auto* const parts = new std::map<std::string, Part>{
      {"both_return_from_main", both_return_from_main},
      {"the_child_goes_on", the_child_goes_on},
      {"forks_at_any_moment", forks_at_any_moment},
  };
  return *parts;
}

}  // namespace futures::spec_tests
