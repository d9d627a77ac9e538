// ThreadPoolExecutor: runs calls on threads of this program.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_EXECUTOR_H_
#define CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_EXECUTOR_H_

#include <memory>

#include "futures/executor.h"
#include "optimized/thread_pool_options.h"  // IWYU pragma: export

namespace futures {

namespace internal {
class ThreadPool;
}

// Calls leave the queue in the order of their submits (law E5, FIFO), each to run on one of at most `max_workers`
// threads. Threads start on demand and end with the pool; an idle pool uses no CPU.
//
// Thread-safe as Executor says. The destructor is shutdown with wait, unless shutdown was called without, or it runs on
// one of the pool's own threads; then it leaves at once and the accepted calls still complete (law S6). The program
// does not exit before they have (law S8); static objects built after the first executor may be gone by then. Done
// callbacks run on the worker that ran the call (law F8).
//
// Worker threads block every signal that is not caused by what they do themselves, so handlers run in the program's own
// threads (law T10). A program that a call starts by fork and exec, or by posix_spawn, inherits that: SIGTERM does not
// reach it. Give it an empty mask: sigprocmask between fork and exec, or POSIX_SPAWN_SETSIGMASK.
//
// In a child made by fork() the pool is inert: its operations throw BrokenExecutor, its destructor does nothing (law
// T9).
//
//   futures::ThreadPoolExecutor executor({.max_workers = 4});
//   futures::Future<double> f = executor.submit([](double x, double y) { return std::pow(x, y); }, 323.0, 1235.0);
//   double power = f.result();
class ThreadPoolExecutor final : public Executor {
 public:
  // Starts no thread yet. Throws std::invalid_argument if `max_workers` is below 1, or `stack_bytes` is neither 0 nor a
  // size that the system takes. Laws T1, T10.
  explicit ThreadPoolExecutor(const ThreadPoolOptions& options = {});
  ~ThreadPoolExecutor() override;

  int max_workers() const;

 private:
  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;

  const std::shared_ptr<internal::ThreadPool> pool_;  // Its workers share it: they may outlive the executor.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_EXECUTOR_H_
