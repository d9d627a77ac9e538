#include "futures/task.h"

#include <cxxabi.h>

namespace futures {
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
  TaskQueue failed;
  while (!empty()) {
    Task task = pop_front();
    if (task.state().mark_failed(exception)) failed.push_back(std::move(task));
  }
  failed.announce_failed();
}

// A forced unwind out of a callback goes on after the others have run.
void TaskQueue::announce_failed() {
  while (!empty()) {
    Task task = pop_front();
    try {
      task.state().announce_failed();
    } catch (abi::__forced_unwind&) {
      announce_failed();
      throw;
    }
  }
}

}  // namespace futures
