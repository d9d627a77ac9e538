// Tasks for those that test what a pool does with them.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TASK_MAKER_TESTING_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TASK_MAKER_TESTING_H_

#include <optional>
#include <utility>
#include <vector>

#include "futures/executor.h"
#include "futures/future.h"
#include "futures/task.h"

namespace futures::internal {

// Makes tasks, and runs none.
class TaskMaker final : public Executor {
 public:
  Task make() {
    futures_.push_back(submit([] {}));
    return std::move(*task_);
  }
  const std::vector<Future<void>>& futures() const { return futures_; }

 private:
  void schedule(Task task) override { task_ = std::move(task); }
  void check_intake() override {}
  ShutdownResult do_shutdown(const ShutdownOptions&) override { return {}; }

  std::optional<Task> task_;
  std::vector<Future<void>> futures_;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TASK_MAKER_TESTING_H_
