// The inside of ThreadPoolExecutor: one queue, its workers, and the counts that say when to wake or start one.
//
// Invariants, under mutex_:
//   I1  A task in queue_ is pending or cancelled. A worker claims it while it takes it out, so no task is ever
//       taken and not yet running, and shutdown finds every pending call in queue_ (law S3).
//   I2  woken_workers_ <= idle_workers_, and idle_workers_ + starting_workers_ <= live_workers_ <= max_workers().
//       A worker is woken, or starting, from the moment a submit decides so until it looks at the queue.
//   I3  queue_.size() <= woken_workers_ + starting_workers_, or no idle worker is left unwoken and no worker can be
//       started. So, once quiet, queue_ is empty or every worker is busy (law E6), and no submit wakes or starts a
//       worker where one is already on its way (law T2).
//   I4  If queue_ is not empty, live_workers_ > 0. The last worker to leave starts another, or breaks the pool.
//
// Thread roles: clients submit and shut down; workers take and run. How workers start, leave and are joined is in
// futures/internal/worker_threads.h, which owns mutex_, live_workers_ and starting_workers_.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_
#define CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_

#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/executor.h"
#include "futures/internal/sync.h"
#include "futures/internal/worker_threads.h"
#include "futures/task.h"
#include "optimized/thread_pool_options.h"

namespace futures::internal {

class ThreadPool final : public WorkerThreads {
 public:
  // Throws std::invalid_argument. Laws T1, T10.
  explicit ThreadPool(const ThreadPoolOptions& options) : WorkerThreads(WorkerThreadsOptions::checked(options)) {}

  void schedule(Task task);
  void check_intake();
  Executor::ShutdownResult shutdown(const ShutdownOptions& options) override;

 private:
  void work() override;
  // Takes the next task and claims it; an empty one when the worker should leave.
  Task next_task();
  void be_idle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void run(Task task);
  bool has_pending() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue_.empty(); }
  void break_with(const std::exception_ptr& error) override;

  // Throws if the pool is broken or the intake closed.
  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps I3 for one task more than there are. Throws std::system_error if there is no worker and none can be started.
  void provide_worker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t close_intake(bool cancel_futures) override;
  void request_stop();

  sync::condition_variable work_or_closing_;  // queue_ or intake_open_ changed; waited on by idle workers.
  TaskQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool intake_open_ ABSL_GUARDED_BY(mutex_) = true;
  std::exception_ptr broken_ ABSL_GUARDED_BY(mutex_);  // Null while the pool works.
  int idle_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int woken_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Task::StopHandle> stoppable_running_ ABSL_GUARDED_BY(mutex_);  // Of running calls that take a stop token.
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_
