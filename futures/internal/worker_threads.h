// The worker threads of an executor whose calls run on threads of the program: their start and names, their
// initializer, how each one leaves, who joins it.
//
//   starting    started; the initializer has not ended.
//   live        starting, or at work. Counted in live_workers_ until it leaves.
//   has left    the worker's last act is over. The thread still runs destructors of thread_locals, then ends; it is in
//               threads_ until a shutdown with wait joins it. One that a call has ended (pthread_exit) is detached
//               instead, and so are those that are left when the executor is gone.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_WORKER_THREADS_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_WORKER_THREADS_H_

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/executor.h"
#include "futures/internal/executor_life.h"
#include "futures/internal/sync.h"

namespace futures::internal {

struct WorkerThreadsOptions {
  // Those of a public options struct, checked. Throws std::invalid_argument. Laws T1, T10.
  template <typename Options>
  static WorkerThreadsOptions checked(const Options& options) {
    sync::check_stack_bytes(options.stack_bytes);
    return {.max_workers = checked_max_workers(options.max_workers),
            .name_prefix = options.thread_name_prefix,
            .initializer = options.initializer,
            .stack_bytes = options.stack_bytes,
            .on_unwind = options.on_unwind,
            .exit_policy = options.exit_policy};
  }

  int max_workers = 1;
  std::string name_prefix;
  std::function<void()> initializer;
  std::size_t stack_bytes = 0;
  OnUnwind on_unwind = OnUnwind::kDrain;
  ExitPolicy exit_policy = ExitPolicy::kDrain;
};

// What an executor and its workers share. Must be owned by a std::shared_ptr: each worker holds one.
class WorkerThreads : public ExecutorLife, public std::enable_shared_from_this<WorkerThreads> {
 public:
  explicit WorkerThreads(WorkerThreadsOptions options);
  // Runs when the executor and every worker have let go.
  ~WorkerThreads() override;

  int max_workers() const { return options_.max_workers; }

 protected:
  // Takes and runs calls until there are none for this worker. A call may end the thread: it unwinds from here.
  virtual void work() = 0;
  // Whether calls wait for a worker.
  virtual bool has_pending() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Refuses calls from now on with this error, and fails the pending ones. Allocates nothing. Laws T4, T5.
  virtual void break_with(const std::exception_ptr& error) = 0;

  // Throws std::system_error if the system gives no thread.
  void start_worker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether every worker has left and every call is done.
  bool has_ended() const;
  bool await_end(sync::deadline until) final;

  // Never held while code of the user runs: bodies, callbacks, destructors of callables, stop callbacks.
  mutable sync::mutex mutex_;
  int live_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  int starting_workers_ ABSL_GUARDED_BY(mutex_) = 0;

 private:
  class Departure;

  void run_worker();
  bool initialize();
  void leave(bool others_join_it);
  void count_off_own_worker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void detach_own_thread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool may_stop_waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool replace_own_thread() final;

  const WorkerThreadsOptions options_;
  sync::condition_variable workers_changed_;  // What await_end waits for.
  int workers_started_ ABSL_GUARDED_BY(mutex_) = 0;
  bool joining_ ABSL_GUARDED_BY(mutex_) = false;       // One thread joins those that have left; others wait for it.
  bool a_call_exits_ ABSL_GUARDED_BY(mutex_) = false;  // It has invoked std::exit, and never gets done. Law S8.
  std::vector<sync::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_WORKER_THREADS_H_
