#include "optimized/thread_pool_executor.h"

#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/internal/cpus.h"
#include "optimized/internal/thread_pool.h"

namespace futures {
namespace {

int checked_max_workers(std::optional<int> max_workers) {
  if (!max_workers) return internal::available_cpus();
  if (*max_workers < 1) {
    throw std::invalid_argument(absl::StrCat("max_workers must be at least 1, not ", *max_workers));
  }
  return *max_workers;
}

}  // namespace

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : pool_(std::make_shared<internal::ThreadPool>(checked_max_workers(options.max_workers),
                                                   std::move(options.thread_name_prefix),
                                                   std::move(options.initializer))) {}

ThreadPoolExecutor::~ThreadPoolExecutor() {
  // Law S6. A call that held the last handle on the executor must not wait for itself.
  pool_->shutdown({.wait = !pool_->left_to_itself() && !pool_->is_own_worker()});
}

int ThreadPoolExecutor::max_workers() const { return pool_->max_workers(); }

void ThreadPoolExecutor::schedule(Task task) { pool_->schedule(std::move(task)); }

bool ThreadPoolExecutor::do_shutdown(const ShutdownOptions& options) { return pool_->shutdown(options); }

}  // namespace futures
