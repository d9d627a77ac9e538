#include "spec_tests/laws/gate.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <exception>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace futures::spec_tests {

void Gate::Entrance::pass() const {
  arrived_.add(1);
  // The end of the patience matters only where a broken executor runs the call on the thread that would open the gate.
  opened_.reaches(1, 5 * kPatience);
}

WatchedThread::WatchedThread(const LawRun& run, std::string what, std::function<void()> body)
    : run_(run), what_(std::move(what)) {
  thread_ = std::thread([body = std::move(body), run, what = what_, started = started_, ended = ended_]() mutable {
    started.add(own_tid());
    try {
      body();
    } catch (const std::exception& e) {
      run.expect(false, absl::StrCat(what, "; it threw: ", e.what()));
    } catch (...) {
      run.expect(false, absl::StrCat(what, "; it threw"));
    }
    body = nullptr;  // What the body holds goes before its end is seen.
    ended.add();
  });
}

WatchedThread::~WatchedThread() {
  if (run_.expect(ends(), what_)) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool WatchedThread::ends() const {
  const bool in_time = ended_.reaches(1, overdue_ ? std::chrono::milliseconds(1) : kPatience);
  overdue_ = !in_time;
  return in_time;
}

bool WatchedThread::falls_asleep() const {
  if (!started_.reaches(1)) return false;
  soon([this] { return has_ended() || is_asleep(started_.value()); });
  return !has_ended();
}

pid_t own_tid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

bool is_asleep(pid_t tid) {
  std::ifstream file(absl::StrCat("/proc/self/task/", tid, "/stat"));
  std::string line;
  std::getline(file, line);
  // The state is the field after the name, which is in parentheses and may hold any character.
  const std::size_t end_of_name = line.rfind(')');
  return end_of_name != std::string::npos && line.size() > end_of_name + 2 && line[end_of_name + 2] == 'S';
}

}  // namespace futures::spec_tests
