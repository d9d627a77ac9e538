#include "reference/reference_executor.h"

#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/errors.h"
#include "futures/internal/executor_life.h"
#include "futures/internal/sync.h"
#include "futures/internal/worker_threads.h"

namespace futures {

// A call is in `queue` until a worker, holding the mutex, makes its future running. So every call is in the queue,
// running or done, and shutdown can see which. Threads and the end of the program are the business of WorkerThreads.
struct ReferenceExecutor::Shared final : internal::WorkerThreads {
  explicit Shared(const ReferenceOptions& options) : WorkerThreads(internal::WorkerThreadsOptions::checked(options)) {}
  sync::condition_variable changed;  // Anything below has changed.
  TaskQueue queue ABSL_GUARDED_BY(mutex_);
  bool intake_open ABSL_GUARDED_BY(mutex_) = true;
  std::exception_ptr broken ABSL_GUARDED_BY(mutex_);
  int busy_workers ABSL_GUARDED_BY(mutex_) = 0;                     // With a call.
  std::vector<Task::StopHandle> stoppable ABSL_GUARDED_BY(mutex_);  // Running calls that take a stop token.

  // --- Submit.
  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (broken != nullptr) std::rethrow_exception(broken);
    if (!intake_open) throw ShutdownError();
  }

  void check_intake() {
    check_process();
    sync::mutex_lock lock(mutex_);
    check_open();
  }

  void submit(Task task) {
    check_process();
    sync::mutex_lock lock(mutex_);
    check_open();
    // So that a worker that takes the call can list it, whatever memory is left then.
    if (task.takes_stop_token()) queue.reserve_stop_handles(stoppable, max_workers());
    // Law T2: a new thread only if this call and those before it outnumber the workers that are not busy.
    if (live_workers_ < max_workers() && static_cast<std::size_t>(live_workers_ - busy_workers) <= queue.size()) {
      try {
        start_worker();
      } catch (const std::system_error&) {
        if (live_workers_ == 0) throw;  // Law T5.
      }
    }
    queue.push_back(std::move(task));
    changed.notify_all();
  }

  // --- Workers.
  void work() override {
    for (bool claimed = false; Task task = take(claimed);) {
      if (claimed) run(task);
      // A call that has forked returns twice. In the child this thread is the only one, and ends (law T9).
      if (is_of_another_process()) return;
      sync::end_if_cancelled();  // By the call: the next one is not to end with it.
    }
  }

  // Waits for a call and takes it; `claimed` is false if it was cancelled. Returns none when the worker is to leave.
  Task take(bool& claimed) {
    sync::mutex_lock lock(mutex_);
    while (queue.empty() && intake_open && broken == nullptr) changed.wait(mutex_);
    if (queue.empty()) return Task();
    Task task = queue.pop_front();
    claimed = task.claim();
    if (claimed) ++busy_workers;
    if (claimed && task.takes_stop_token()) stoppable.push_back(task.stop_handle());
    return task;
  }

  void run(Task& task) {
    struct Afterwards {  // Also if the call ends the thread.
      Shared& shared;
      const Task::StopHandle call;
      ~Afterwards() {
        if (shared.is_of_another_process()) return;
        sync::mutex_lock lock(shared.mutex_);
        --shared.busy_workers;
        std::erase(shared.stoppable, call);
      }
    } afterwards{*this, task.stop_handle()};
    task.run();
  }

  bool has_pending() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue.empty(); }

  void break_with(const std::exception_ptr& error) override {
    TaskQueue pending;
    {
      sync::mutex_lock lock(mutex_);
      if (broken == nullptr) broken = error;
      std::swap(pending, queue);
      changed.notify_all();
    }
    pending.fail(error);
  }

  // --- Shutdown.
  std::size_t close_intake(bool cancel_futures) override {
    TaskQueue cancelled;
    TaskQueue cancelled_before;
    {
      sync::mutex_lock lock(mutex_);
      intake_open = false;
      while (cancel_futures && !queue.empty()) {
        Task task = queue.pop_front();
        (task.mark_cancelled() ? cancelled : cancelled_before).push_back(std::move(task));
      }
      changed.notify_all();
    }
    const std::size_t count = cancelled.size();
    cancelled.announce_cancelled();
    return count;
  }

  void request_stop() {
    std::vector<Task::StopHandle> calls;
    {
      sync::mutex_lock lock(mutex_);
      calls = stoppable;
      queue.add_stop_handles(calls);
    }
    for (const Task::StopHandle& call : calls) call.request_stop();
  }

  ShutdownResult shutdown(const ShutdownOptions& options) override {
    check_process();
    const sync::deadline until = options.timeout.deadline();
    const std::size_t cancelled = close_intake(options.cancel_futures);
    if (options.request_stop) request_stop();
    if (options.wait) {
      check_may_wait();  // Law S7.
      return {.all_done = await_end(until), .cancelled = cancelled};
    }
    leave_to_itself();
    return {.all_done = has_ended(), .cancelled = cancelled};
  }
};

ReferenceExecutor::ReferenceExecutor(const ReferenceOptions& options) : shared_(std::make_shared<Shared>(options)) {
  internal::drain_at_exit(shared_);
}
ReferenceExecutor::~ReferenceExecutor() { internal::destroy_executor(shared_); }
void ReferenceExecutor::schedule(Task task) { shared_->submit(std::move(task)); }
void ReferenceExecutor::check_intake() { shared_->check_intake(); }
Executor::ShutdownResult ReferenceExecutor::do_shutdown(const ShutdownOptions& o) { return shared_->shutdown(o); }

}  // namespace futures
