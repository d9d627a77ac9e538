// The executor that the others are judged by. It is never fast, and never for production: use ThreadPoolExecutor there.
// One mutex, one queue, one condition variable, to be read in five minutes. Submit, queue, cancel and shutdown are
// written from the laws and from nothing else. Every history of it is one of the model's.
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
  std::optional<Count> max_workers = std::nullopt;  // 1 or more. Default: the CPUs this process may use. Law T1.
  std::string thread_name_prefix = "Reference";  // Law T3.
  std::function<void()> initializer = nullptr;  // Runs first in each worker thread. Law T4.
  std::size_t stack_bytes = 0;  // Of each worker thread; 0: the system's default. Law T10.
  OnUnwind on_unwind = OnUnwind::kDrain;  // Law S6.
  ExitPolicy exit_policy = ExitPolicy::kDrain;  // Law S8.
};

// Runs calls on at most `max_workers` threads in the order of their submits. Thread-safe as Executor says.
class ReferenceExecutor final : public Executor {
 public:
  // Throws std::invalid_argument if `max_workers` is below 1 or `stack_bytes` is not a size that the system takes.
  explicit ReferenceExecutor(const ReferenceOptions& options = {});
  ~ReferenceExecutor() override;

 private:
  struct Shared;
  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;

  const std::shared_ptr<Shared> shared_;  // Its threads share it: they may outlive the executor.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_
