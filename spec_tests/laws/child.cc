#include "spec_tests/laws/child.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

bool is_child = false;

// Registered before main, so before any executor: an exit of the child gets here when the executors have been drained,
// and goes no further, since the rest (buffers, reports, static objects of the program that runs the checks) is the
// parent's.
const int end_registered = on_exit(
    [](int status, void*) {
      if (is_child) _exit(status);
    },
    nullptr);

// Reads until the other side is closed, at most for the patience. Returns whether it was closed.
bool read_all(int descriptor, std::string& text) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd ready{descriptor, POLLIN, 0};
    if (left.count() <= 0) return false;
    if (poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[4096];
    const ssize_t bytes = read(descriptor, buffer, sizeof(buffer));
    if (bytes == 0) return true;
    if (bytes > 0) text.append(buffer, static_cast<std::size_t>(bytes));
  }
}

[[noreturn]] void be_the_child(int descriptor, const std::function<void(const ChildReport&)>& body) {
  exit_as_child();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const ChildReport report(descriptor);
  try {
    body(report);
  } catch (const std::exception& e) {
    report.expect(false, absl::StrCat("the child was ended by an exception: ", e.what()));
  } catch (...) {
    report.expect(false, "the child was ended by an exception");
  }
  _exit(0);
}

}  // namespace

ChildReport::ChildReport(int descriptor) : process_(getpid()), descriptor_(descriptor) {}

void ChildReport::say(char kind, std::string_view line) const {
  // One write, short enough for a pipe to keep it whole.
  const std::string text = absl::StrCat(std::string_view(&kind, 1), line.substr(0, 400), "\n");
  if (process_ == getpid()) {
    if (write(descriptor_, text.data(), text.size()) < 0) std::abort();
    return;
  }
  const int pipe = open(absl::StrCat("/proc/", process_, "/fd/", descriptor_).c_str(), O_WRONLY | O_CLOEXEC);
  if (pipe < 0 || write(pipe, text.data(), text.size()) < 0) std::abort();
  close(pipe);
}

bool ChildReport::expect(bool kept, std::string_view what) const {
  say(kept ? '+' : '-', what);
  return kept;
}

void ChildReport::note(std::string_view line) const { say('.', line); }

void exit_as_child() { is_child = end_registered == 0; }

ChildEnd in_child(const LawRun& run, std::string_view promise, const std::function<void(const ChildReport&)>& body) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    close(ends[0]);
    be_the_child(ends[1], body);
  }
  close(ends[1]);
  ChildEnd end;
  std::string text;
  end.in_time = run.expect(read_all(ends[0], text), promise);
  close(ends[0]);
  if (!end.in_time) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (end.in_time) run.expect(end.status >= 0, "the child is not ended by a signal");
  for (const std::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (line[0] == '.') end.notes.emplace_back(line.substr(1));
    if (line[0] != '.') run.expect(line[0] == '+', line.substr(1));
  }
  return end;
}

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

}  // namespace futures::spec_tests
