// ReferenceExecutor: the executor that the others are checked against. Every history of it is one of the model's.
//
// It is one mutex, one queue, one condition variable and plain threads, to be read in one sitting. It is never fast and
// never clever: who wants speed takes ThreadPoolExecutor.
#ifndef CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_
#define CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "futures/executor.h"

namespace futures {

struct ReferenceOptions {
  std::optional<int> max_workers = std::nullopt;    // 1 or more. Default: the CPUs this process may use. Law T1.
  std::string thread_name_prefix = "Reference";     // Law T3.
  std::function<void()> initializer = nullptr;      // Runs first in each worker thread. Law T4.
  std::size_t stack_bytes = 0;                      // Of each worker thread; 0: the system's default. Law T10.
  OnUnwind on_unwind = OnUnwind::kDrain;            // Law S6.
  ExitPolicy exit_policy = ExitPolicy::kDrain;      // Law S8.
};

// Runs calls on at most `max_workers` threads in the order of their submits.
// Thread-safe as Executor says. The destructor is shutdown with wait, unless shutdown was called without, or it runs on one
// of the executor's own threads (law S6). In a child made by fork() it is inert (law T9).
class ReferenceExecutor final : public Executor {
 public:
  // Throws std::invalid_argument if `max_workers` is below 1 or `stack_bytes` is not a size that the system takes.
  explicit ReferenceExecutor(ReferenceOptions options = {});
  ~ReferenceExecutor() override;

 private:
  struct Shared;

  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;

  const std::shared_ptr<Shared> shared_;  // Its threads share it: they may outlive the executor.
  const int exceptions_at_start_;         // To tell in the destructor whether the scope is being unwound.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_
