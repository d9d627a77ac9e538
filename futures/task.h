// Task: an accepted call whose type the executor does not know. TaskQueue: a queue of them. Both are for authors of
// executors. A program that only submits needs neither.
#ifndef CONCURRENT_FUTURES_FUTURES_TASK_H_
#define CONCURRENT_FUTURES_FUTURES_TASK_H_

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "futures/errors.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/future_state.h"

namespace futures {

// A call as its executor holds it. The holder of a task must bring its call to an end. Move-only; it owns the
// producer's side of the call's future. A task that is destroyed before its call is done gives the future
// BrokenExecutor (law F12).
//
// An executor does one of two things with each task: `claim` and, if that is true, `run`; or `fail`. It may also
// cancel it. The future's own `cancel` may come at any moment before `claim`. It is exact: a call is claimed or
// cancelled, never both.
//
//   while (Task task = next())
//     if (task.claim()) task.run();
class Task {
 public:
  Task() = default;
  explicit Task(internal::FutureState* adopted) noexcept : state_(adopted) {}
  Task(Task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Task() {
    if (state_ == nullptr) return;
    if (!state_->is_done()) state_->fail(internal::make_error<BrokenExecutor>("the executor dropped the call"));
    state_->drop_ref();
  }

  explicit operator bool() const noexcept { return state_ != nullptr; }

  // Makes the future running. Returns false if it has been cancelled; the task can then be dropped. Never blocks and
  // runs no code of the user, so it may be called under an executor's lock.
  bool claim() { return state_->claim(); }

  // Runs the callable, stores the outcome, wakes waiters and runs the done callbacks, all in this thread. The task must
  // have been claimed. Throws nothing but a forced unwind (pthread_exit), and then the future is done.
  void run() { state_->run_claimed(); }

  // Cancels a pending call in two parts. `mark_cancelled` decides, and wakes waiters. It never blocks and runs no
  // code of the user, so it may be called under an executor's lock. If it returns true, `announce_cancelled` must
  // follow outside that lock. It destroys the callable and runs the done callbacks.
  bool mark_cancelled() noexcept { return state_->mark_cancelled(); }
  void announce_cancelled() { state_->announce_cancelled(); }

  // Law T8. Whether the call takes a stop token.
  bool takes_stop_token() const noexcept { return state_->takes_stop_token(); }
  // A reference to the call through which its stop token can be set later, also while it runs and after. `request_stop`
  // runs the token's callbacks, which are code of the user. So it must not be called under an executor's lock.
  class StopHandle {
   public:
    StopHandle(const StopHandle& other) noexcept : StopHandle(other.state_) {}
    StopHandle(StopHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    StopHandle& operator=(StopHandle other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~StopHandle() {
      if (state_ != nullptr) state_->drop_ref();
    }

    void request_stop() const noexcept { state_->request_stop(); }

    friend bool operator==(const StopHandle& a, const StopHandle& b) noexcept { return a.state_ == b.state_; }

   private:
    friend class Task;
    friend class TaskQueue;
    explicit StopHandle(internal::FutureState* state) noexcept : state_(state) {
      if (state_ != nullptr) state_->add_ref();
    }
    // This counts as a reference of the producer, not as a handle. A handle would keep the last Future from moving the
    // value out (law F3).
    internal::FutureState* state_;
  };
  StopHandle stop_handle() const noexcept { return StopHandle(state_); }

  // The state of the call's future. For the executors of this library.
  internal::FutureState& state() const noexcept { return *state_; }

  // Finishes a call that is not done with this exception, and runs its done callbacks in this thread. Returns false
  // if it was done already.
  bool fail(std::exception_ptr exception) { return state_->fail(std::move(exception)); }

 private:
  friend class TaskQueue;
  internal::FutureState* state_ = nullptr;
};

// A queue of tasks, first in, first out. The links are in the calls themselves, so adding and taking neither
// allocates nor throws. Not thread-safe.
class TaskQueue {
 public:
  TaskQueue() = default;
  TaskQueue(TaskQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  TaskQueue& operator=(TaskQueue&& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~TaskQueue() {
    while (!empty()) pop_front();
  }

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

  void push_back(Task task) noexcept {
    internal::FutureState* const state = std::exchange(task.state_, nullptr);
    state->next_queued = nullptr;
    (last_ == nullptr ? first_ : last_->next_queued) = state;
    last_ = state;
    ++size_;
  }

  // Adds a handle for each queued call that takes a stop token.
  void add_stop_handles(std::vector<Task::StopHandle>& handles) const {
    for (internal::FutureState* state = first_; state != nullptr; state = state->next_queued) {
      if (state->takes_stop_token()) handles.push_back(Task::StopHandle(state));
    }
  }

  // Makes room in `handles` for one more queued call and those that there are, as far as `workers` can run at once.
  void reserve_stop_handles(std::vector<Task::StopHandle>& handles, int workers) const {
    const std::size_t needed = handles.size() + std::min(size_, static_cast<std::size_t>(workers)) + 1;
    if (needed > handles.capacity()) handles.reserve(std::max(needed, 2 * handles.capacity()));
  }

  // Announces each task, first in, first out, and empties the queue. Every task must have been marked as cancelled.
  // If a callback ends the thread, the others still run while it unwinds.
  void announce_cancelled();

  // Fails every task that is not done, and empties the queue. All futures are done before the first callback runs, so
  // no waiter of one waits for a callback of another (law F8). Allocates nothing.
  void fail(const std::exception_ptr& exception);

  // The queue must not be empty.
  Task pop_front() noexcept {
    internal::FutureState* const state = std::exchange(first_, first_->next_queued);
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return Task(state);
  }

 private:
  // Runs the callbacks of each task, which must have been marked as failed, and empties the queue.
  void announce_failed();

  internal::FutureState* first_ = nullptr;
  internal::FutureState* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_TASK_H_
