#include "futures/task.h"

#include <cxxabi.h>

namespace futures {
namespace {

struct Announcement {
  Task task;
  internal::Callback* callbacks;
};

// Runs the callbacks of `announcements` from `next` on. A forced unwind out of one goes on after the others have run.
void announce(std::vector<Announcement>& announcements, std::size_t next) {
  for (; next < announcements.size(); ++next) {
    try {
      announcements[next].task.state().run_callbacks(announcements[next].callbacks);
    } catch (abi::__forced_unwind&) {
      announce(announcements, next + 1);
      throw;
    }
  }
}

}  // namespace

void TaskQueue::announce_cancelled() {
  while (!empty()) {
    Task task = pop_front();
    try {
      task.announce_cancelled();
    } catch (abi::__forced_unwind&) {
      announce_cancelled();
      throw;
    }
  }
}

void TaskQueue::fail(const std::exception_ptr& exception) {
  std::vector<Announcement> announcements;
  while (!empty()) {
    Task task = pop_front();
    if (internal::Callback* const callbacks = task.state().fail_before_callbacks(exception)) {
      announcements.push_back({.task = std::move(task), .callbacks = callbacks});
    }
  }
  announce(announcements, 0);
}

}  // namespace futures
