#include "optimized/thread_pool_executor.h"

#include <exception>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/internal/cpus.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"
#include "optimized/thread_pool/thread_pool.h"

namespace futures {
namespace {

ThreadPoolOptions checked(ThreadPoolOptions options) {
  if (!options.max_workers) options.max_workers = internal::available_cpus();
  if (*options.max_workers < 1) {
    throw std::invalid_argument(absl::StrCat("max_workers must be at least 1, not ", *options.max_workers));
  }
  sync::check_stack_bytes(options.stack_bytes);
  return options;
}

}  // namespace

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : pool_(std::make_shared<internal::ThreadPool>(checked(std::move(options)))),
      exceptions_at_start_(std::uncaught_exceptions()) {
  internal::drain_at_exit(pool_);
}

ThreadPoolExecutor::~ThreadPoolExecutor() {
  if (pool_->belongs_to_another_process()) {
    // Law T9. Its threads, which own it too, are in the parent; its lock may be held for ever. It is left alone.
    internal::leave_to_parent(pool_);
    return;
  }
  const bool unwinding = std::uncaught_exceptions() > exceptions_at_start_;
  // Law S6. A call that held the last handle on the executor must not wait for itself.
  pool_->shutdown({.wait = !pool_->left_to_itself() && !pool_->is_own_worker(),
                   .cancel_futures = unwinding && pool_->options().on_unwind == OnUnwind::kCancelPending});
}

int ThreadPoolExecutor::max_workers() const { return *pool_->options().max_workers; }

void ThreadPoolExecutor::schedule(Task task) { pool_->schedule(std::move(task)); }

void ThreadPoolExecutor::check_intake() { pool_->check_intake(); }

Executor::ShutdownResult ThreadPoolExecutor::do_shutdown(const ShutdownOptions& options) {
  const internal::ThreadPool::Progress progress = pool_->shutdown(options);
  return {.all_done = progress.all_done, .cancelled = progress.cancelled};
}

}  // namespace futures
