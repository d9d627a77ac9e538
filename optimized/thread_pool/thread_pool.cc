#include "optimized/thread_pool/thread_pool.h"

#include <system_error>
#include <utility>

#include "futures/errors.h"

namespace futures::internal {

void ThreadPool::schedule(Task task) {
  check_process();
  sync::mutex_lock lock(mutex_);
  check_open();
  // So that a worker that takes the call can list it, whatever memory is left then.
  if (task.takes_stop_token()) queue_.reserve_stop_handles(stoppable_running_, max_workers());
  provide_worker();
  queue_.push_back(std::move(task));
}

void ThreadPool::check_intake() {
  check_process();
  sync::mutex_lock lock(mutex_);
  check_open();
}

void ThreadPool::check_open() {
  if (broken_ != nullptr) std::rethrow_exception(broken_);
  if (!intake_open_) throw ShutdownError();
}

void ThreadPool::provide_worker() {
  const std::size_t on_their_way = static_cast<std::size_t>(woken_workers_ + starting_workers_);
  if (queue_.size() < on_their_way) return;
  if (woken_workers_ < idle_workers_) {
    ++woken_workers_;
    work_or_closing_.notify_one();
    return;
  }
  if (live_workers_ == max_workers()) return;
  try {
    start_worker();
  } catch (const std::system_error&) {
    if (live_workers_ == 0) throw;  // Law T5: otherwise the pool goes on with the workers it has.
  }
}

void ThreadPool::work() {
  for (Task task = next_task(); task; task = next_task()) {
    run(std::move(task));
    // A call that has forked returns twice. In the child the pool is inert, and this thread, its only one, ends (law
    // T9).
    if (is_of_another_process()) return;
    sync::end_if_cancelled();  // By the call: the next one is not to end with it.
  }
}

void ThreadPool::run(Task task) {
  if (!task.takes_stop_token()) return task.run();
  struct Listed {
    ThreadPool& pool;
    const Task::StopHandle call;
    ~Listed() {
      if (pool.is_of_another_process()) return;
      sync::mutex_lock lock(pool.mutex_);
      std::erase(pool.stoppable_running_, call);
    }
  } listed{*this, task.stop_handle()};
  task.run();
}

Task ThreadPool::next_task() {
  TaskQueue cancelled;  // Dropped without the lock.
  sync::mutex_lock lock(mutex_);
  for (;;) {
    while (!queue_.empty()) {
      Task task = queue_.pop_front();
      if (task.claim()) {
        if (task.takes_stop_token()) stoppable_running_.push_back(task.stop_handle());
        return task;
      }
      cancelled.push_back(std::move(task));
    }
    if (!intake_open_ || broken_ != nullptr) return Task();
    be_idle();
  }
}

// Also if the wait ends the thread: a call may have cancelled it.
void ThreadPool::be_idle() {
  struct Idle {
    ThreadPool& pool;
    explicit Idle(ThreadPool& p) : pool(p) { ++pool.idle_workers_; }
    ~Idle() {
      --pool.idle_workers_;
      // A wake-up for no reason counts off one that another worker is owed: a later submit then sends one too many.
      if (pool.woken_workers_ > 0) --pool.woken_workers_;
    }
  } idle(*this);
  work_or_closing_.wait(mutex_);
}

void ThreadPool::break_with(const std::exception_ptr& error) {
  TaskQueue pending;
  {
    sync::mutex_lock lock(mutex_);
    if (broken_ == nullptr) broken_ = error;
    pending = std::exchange(queue_, TaskQueue());
    work_or_closing_.notify_all();
  }
  pending.fail(error);
}

std::size_t ThreadPool::close_intake(bool cancel_futures) {
  TaskQueue cancelled_here;
  TaskQueue cancelled_before;  // Dropped without the lock.
  {
    sync::mutex_lock lock(mutex_);
    intake_open_ = false;
    work_or_closing_.notify_all();
    // All at once under the lock: when any shutdown returns, no call is pending (laws S3, S5).
    while (cancel_futures && !queue_.empty()) {
      Task task = queue_.pop_front();
      (task.mark_cancelled() ? cancelled_here : cancelled_before).push_back(std::move(task));
    }
  }
  const std::size_t cancelled = cancelled_here.size();
  cancelled_here.announce_cancelled();
  return cancelled;
}

void ThreadPool::request_stop() {
  std::vector<Task::StopHandle> calls;
  {
    sync::mutex_lock lock(mutex_);
    calls = stoppable_running_;
    queue_.add_stop_handles(calls);
  }
  for (const Task::StopHandle& call : calls) call.request_stop();
}

Executor::ShutdownResult ThreadPool::shutdown(const ShutdownOptions& options) {
  check_process();
  const sync::deadline until = options.timeout.deadline();
  const std::size_t cancelled = close_intake(options.cancel_futures);
  if (options.request_stop) request_stop();
  if (!options.wait) {
    leave_to_itself();
    return {.all_done = has_ended(), .cancelled = cancelled};
  }
  check_may_wait();
  return {.all_done = await_end(until), .cancelled = cancelled};
}

}  // namespace futures::internal
