// The inside of ThreadPoolExecutor: one queue, its workers, and the counts that say when to wake or start one.
//
// Invariants, under mutex_:
//   I1  A task in queue_ is pending or cancelled. A worker claims it while it takes it out, so no task is ever taken and
//       not yet running, and shutdown finds every pending call in queue_ (law S3).
//   I2  woken_workers_ <= idle_workers_, and idle_workers_ + starting_workers_ <= live_workers_ <= max_workers_. A worker
//       is woken, or starting, from the moment a submit decides so until it looks at the queue.
//   I3  queue_.size() <= woken_workers_ + starting_workers_, or no idle worker is left unwoken and no worker can be
//       started. So, once quiet, queue_ is empty or every worker is busy (law E6), and no submit wakes or starts a worker
//       where one is already on its way (law T2).
//   I4  If queue_ is not empty, live_workers_ > 0. The last worker to leave starts another, or breaks the pool.
//
// Thread roles: clients submit and shut down; workers take and run. A worker that leaves does so once, in `leave`.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_
#define CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/executor.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"
#include "futures/task.h"
#include "optimized/thread_pool_options.h"

namespace futures::internal {

class ThreadPool final : public DrainedAtExit, public std::enable_shared_from_this<ThreadPool> {
 public:
  struct Progress {
    bool all_done;
    std::size_t cancelled;
  };

  // With `options` that have been checked, and max_workers filled in.
  explicit ThreadPool(ThreadPoolOptions options);
  // Runs when the executor and every worker have let go.
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  const ThreadPoolOptions& options() const { return options_; }

  void schedule(Task task);
  void check_intake();
  Progress shutdown(const ShutdownOptions& options);

  // True on a worker of this pool.
  bool is_own_worker() const;

  // True once a shutdown was without wait.
  bool left_to_itself() const;

  // True in a child made by fork() after the pool was. Nothing else may be asked of the pool then. Law T9.
  bool belongs_to_another_process() const { return generation_ != fork_generation(); }

  void close_at_exit() override;
  void wait_at_exit() override;

 private:
  class Departure;

  void run_worker();
  bool initialize_worker();
  // Takes the next task and claims it; an empty one when the worker should leave.
  Task next_task();
  void be_idle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void run(Task task);
  // The worker of this thread is no more: its last act, or the thread will never come back from where it is.
  // `others_join_it`: the thread ends by itself now, and shutdown joins it.
  void leave(bool others_join_it);

  // Throws if the pool is broken or the intake closed.
  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps I3 for one task more than there are. Throws std::system_error if there is no worker and none can be started.
  void provide_worker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void start_worker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets the thread that runs this: it leaves before the pool does, and nobody will join it.
  void detach_own_thread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void break_pool(const std::string& reason);
  // Returns how many calls it cancelled.
  std::size_t close_intake(bool cancel_futures);
  void request_stop();
  // Whether all workers have left, and this thread may join theirs.
  bool can_be_joined() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool await_workers(sync::deadline until);

  const ThreadPoolOptions options_;
  const int max_workers_;
  const std::uint32_t generation_ = fork_generation();

  mutable sync::mutex mutex_;
  sync::condition_variable work_or_closing_;   // queue_ or intake_open_ changed; waited on by idle workers.
  sync::condition_variable workers_changed_;  // live_workers_ or joining_ changed; waited on by shutdown.
  TaskQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool intake_open_ ABSL_GUARDED_BY(mutex_) = true;
  bool left_to_itself_ ABSL_GUARDED_BY(mutex_) = false;
  std::exception_ptr broken_ ABSL_GUARDED_BY(mutex_);  // Null while the pool works.
  int live_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int idle_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int woken_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int starting_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int workers_started_ ABSL_GUARDED_BY(mutex_) = 0;
  bool joining_ ABSL_GUARDED_BY(mutex_) = false;
  bool a_call_exits_ ABSL_GUARDED_BY(mutex_) = false;  // A call has invoked std::exit: it never gets done. Law S8.
  std::vector<sync::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::vector<Task::StopHandle> stoppable_running_ ABSL_GUARDED_BY(mutex_);  // Of running calls that take a stop token.
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_THREAD_POOL_H_
