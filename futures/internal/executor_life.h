// What is the same in the life of every executor, whatever it does with its calls: which threads are its own, which
// process it belongs to, the end of its scope, and the end of the program.
//
// An executor is a handle. What it shares with its threads derives from ExecutorLife, and may outlive the handle while
// calls remain. The handle's constructor passes it to `drain_at_exit`, its destructor to `destroy_executor`.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_EXECUTOR_LIFE_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_EXECUTOR_LIFE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "futures/count.h"
#include "futures/executor.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"

namespace futures::internal {

// Returns how many workers an executor may have: `asked`, or the CPUs that this process may use if nothing was asked
// for. Throws std::invalid_argument unless 1 <= asked <= most. Law T1.
int checked_max_workers(std::optional<Count> asked, int most = std::numeric_limits<int>::max());

// Any thread, unless a function says otherwise.
class ExecutorLife : public DrainedAtExit {
 public:
  // In the scope that the executor belongs to.
  ExecutorLife(OnUnwind on_unwind, ExitPolicy exit_policy);
  ExecutorLife(const ExecutorLife&) = delete;
  ExecutorLife& operator=(const ExecutorLife&) = delete;

  // True in a child made by fork() after the executor was. Its threads, and perhaps its locks, are in the parent then,
  // and nothing else may be asked of it. Law T9.
  bool is_of_another_process() const { return generation_ != fork_generation(); }
  // Throws BrokenExecutor in such a child.
  void check_process() const { check_generation(generation_); }

  // True on a thread of this executor, which must not wait for itself (laws S6, S7). A thread is its executor's own
  // until it has really ended: while the destructors of its thread_locals and pthread keys run, too. It stops being one
  // only when it ends the program instead (law S8).
  bool is_own_thread() const;
  // Throws DeadlockError on such a thread. For a shutdown with wait, which has done all else before. Law S7.
  void check_may_wait() const;

  // A shutdown without wait was called: the destructor does not wait either. Law S6.
  void leave_to_itself() { left_to_itself_.store(true, std::memory_order_relaxed); }

  // As Executor::do_shutdown.
  virtual Executor::ShutdownResult shutdown(const ShutdownOptions& options) = 0;

  // By the exit policy.
  void close_at_exit() final;
  void wait_at_exit() final;

 protected:
  // Makes this thread one of the executor's own, for good. Before any code of the user runs on it.
  void adopt_this_thread() const;

  // Closes the intake, and cancels what is pending if told so. Returns how many calls it cancelled.
  virtual std::size_t close_intake(bool cancel_futures) = 0;
  // Waits until every accepted call is done and every worker has ended. Returns false if the time was up first.
  virtual bool await_end(sync::deadline until) = 0;
  // This thread is an own one that has invoked std::exit, and never comes back. Its call is not waited for any more,
  // and another thread takes its place. Returns false if there is none: then the exit cannot wait for the calls.
  virtual bool replace_own_thread() = 0;

  // Whether this thread, once an own one, ends the program.
  bool exits_the_program() const;

 private:
  friend void destroy_executor(const std::shared_ptr<ExecutorLife>& executor);

  const OnUnwind on_unwind_;
  const ExitPolicy exit_policy_;
  const int exceptions_at_start_;  // To tell whether the scope is being unwound.
  const std::uint32_t generation_ = fork_generation();
  const std::uint64_t id_;  // Of all executors of this process, also of those that are gone: an address is used again.
  // Relaxed: whoever destroys an executor has come after whoever shut it down.
  sync::atomic<bool> left_to_itself_{false};
};

// What the destructor of an executor does. It shuts down and waits, unless a shutdown without wait was called, or this
// is one of the executor's own threads. It cancels what is pending if an exception unwinds the scope and the executor
// was told to (law S6). In a child made by fork() it does nothing (law T9). Throws nothing on an own thread.
void destroy_executor(const std::shared_ptr<ExecutorLife>& executor);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_EXECUTOR_LIFE_H_
