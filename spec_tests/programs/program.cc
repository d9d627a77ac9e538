#include "spec_tests/programs/program.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_main.h"
#include "spec_tests/candidates/candidates.h"

namespace futures::spec_tests {
namespace {

// Far more than any program needs: whoever is not done by then hangs.
constexpr std::chrono::seconds kPatience{20};

constexpr std::string_view kPartFlag = "--play=";

[[noreturn]] void become(const std::string& part, const std::string& candidate, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Programs that abort leave no core file.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  dup2(output, STDOUT_FILENO);
  const std::string play_flag = absl::StrCat(kPartFlag, part);
  execl("/proc/self/exe", "program", play_flag.c_str(), candidate.c_str(), nullptr);
  _exit(127);
}

// Returns whether the other side was closed in time.
bool read_all(int descriptor, std::string& text) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{descriptor, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[4096];
    const ssize_t bytes = read(descriptor, buffer, sizeof(buffer));
    if (bytes == 0) return true;
    if (bytes > 0) text.append(buffer, static_cast<std::size_t>(bytes));
  }
}

}  // namespace

Executor& leak(std::unique_ptr<Executor> executor) {
  static absl::NoDestructor<absl::Mutex> mutex;
  static absl::NoDestructor<std::vector<std::unique_ptr<Executor>>> leaked;
  const absl::MutexLock lock(mutex.get());
  leaked->push_back(std::move(executor));
  return *leaked->back();
}

Flag& flag(const std::string& name) {
  static absl::NoDestructor<absl::Mutex> mutex;
  static absl::NoDestructor<std::map<std::string, Flag>> flags;
  const absl::MutexLock lock(mutex.get());
  return (*flags)[name];
}

void submit_calls(Executor& executor, int n) {
  for (int i = 0; i < n; ++i) executor.submit([] { print("call"); });
}

Future<void> submit_wait(Executor& executor, const std::string& name) {
  return executor.submit([](const Flag& ends) { ends.wait(); }, flag(name));
}

void print(std::string_view line) {
  const std::string text = absl::StrCat(line, "\n");
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) std::abort();
}

std::ostream& operator<<(std::ostream& out, const Ended& ended) {
  return out << (ended.in_time ? "ended" : "hung") << " with status " << ended.status << " after printing ["
             << absl::StrJoin(ended.lines, ", ") << "]";
}

Ended play(const std::string& part, const std::string& candidate) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    close(ends[0]);
    become(part, candidate, ends[1]);
  }
  close(ends[1]);
  std::string text;
  Ended ended{.in_time = read_all(ends[0], text)};
  close(ends[0]);
  if (!ended.in_time) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  ended.lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  return ended;
}

std::vector<Candidate> all_candidates() {
  std::vector<Candidate> candidates = thread_candidates();
  candidates.insert(candidates.end(), process_candidates().begin(), process_candidates().end());
  return candidates;
}

std::vector<std::string> candidate_names(const std::vector<Candidate>& candidates) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) names.push_back(candidate.name);
  return names;
}

int count(const Ended& ended, std::string_view line) {
  return static_cast<int>(std::count(ended.lines.begin(), ended.lines.end(), line));
}

Ended ProgramTest::played(const std::string& part) {
  Ended ended = play(part, GetParam());
  EXPECT_TRUE(ended.in_time) << part << " " << ended;
  return ended;
}

void ProgramTest::expect_lines(const std::string& part, const std::vector<std::string>& lines) {
  const Ended ended = played(part);
  EXPECT_EQ(ended.status, 7) << part << " " << ended;
  EXPECT_EQ(ended.lines, lines) << part;
}

void ProgramTest::expect_calls(const std::string& part, int calls) {
  expect_lines(part, std::vector<std::string>(calls, "call"));
}

}  // namespace futures::spec_tests

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  using namespace futures::spec_tests;
  if (argc == 3 && std::string_view(argv[1]).starts_with(kPartFlag)) {
    for (const Candidate& candidate : all_candidates()) {
      if (candidate.name == argv[2]) return parts().at(argv[1] + kPartFlag.size())(candidate);
    }
    return 127;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
