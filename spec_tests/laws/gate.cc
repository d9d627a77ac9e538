#include "spec_tests/laws/gate.h"

#include <exception>
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
  thread_ = sync::thread::start(
      {}, [body = std::move(body), run, what = what_, started = started_, ended = ended_]() mutable {
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
  const bool in_time = ended_.reaches(1, overdue_.load() ? std::chrono::milliseconds(1) : kPatience);
  overdue_.store(!in_time);
  return in_time;
}

bool WatchedThread::falls_asleep() const {
  if (!started_.reaches(1)) return false;
  soon([this] { return has_ended() || is_asleep(started_.value()); });
  return !has_ended();
}

}  // namespace futures::spec_tests
