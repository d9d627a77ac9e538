// ReferenceExecutor: the executor that the others are checked against. Every history of it is one of the model's.
//
// It is one mutex, one queue, one condition variable and plain threads, to be read in one sitting. It is never fast and
// never clever: who wants speed takes ThreadPoolExecutor.
#ifndef CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_
#define CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_

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
};

// Runs calls on at most `max_workers` threads in the order of their submits.
// Thread-safe as Executor says. The destructor is shutdown with wait, unless shutdown was called without (law S6).
class ReferenceExecutor final : public Executor {
 public:
  // Throws std::invalid_argument if `max_workers` is below 1.
  explicit ReferenceExecutor(ReferenceOptions options = {});
  ~ReferenceExecutor() override;

 private:
  struct Shared;

  void schedule(Task task) override;
  bool do_shutdown(const ShutdownOptions& options) override;

  static void work(Shared& shared);

  const std::shared_ptr<Shared> shared_;  // Its threads share it: they may outlive the executor.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_REFERENCE_REFERENCE_EXECUTOR_H_
