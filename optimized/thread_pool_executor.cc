#include "optimized/thread_pool_executor.h"

#include <utility>

#include "futures/internal/executor_life.h"
#include "optimized/thread_pool/thread_pool.h"

namespace futures {

ThreadPoolExecutor::ThreadPoolExecutor(const ThreadPoolOptions& options)
    : pool_(std::make_shared<internal::ThreadPool>(options)) {
  internal::drain_at_exit(pool_);
}

ThreadPoolExecutor::~ThreadPoolExecutor() { internal::destroy_executor(pool_); }

int ThreadPoolExecutor::max_workers() const { return pool_->max_workers(); }

void ThreadPoolExecutor::schedule(Task task) { pool_->schedule(std::move(task)); }

void ThreadPoolExecutor::check_intake() { pool_->check_intake(); }

Executor::ShutdownResult ThreadPoolExecutor::do_shutdown(const ShutdownOptions& options) {
  return pool_->shutdown(options);
}

}  // namespace futures
