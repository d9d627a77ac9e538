#include "optimized/process_pool_executor.h"

#include <signal.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/internal/executor_life.h"
#include "optimized/process_pool/process_pool.h"

namespace futures {
namespace {

ProcessPoolOptions checked(ProcessPoolOptions options) {
  options.max_workers = internal::checked_max_workers(options.max_workers, internal::kWorkersMax);
  if (options.call_timeout && options.call_timeout->count() <= 0) {
    throw std::invalid_argument("call_timeout must be more than zero");
  }
  if (options.terminate_grace.count() < 0) throw std::invalid_argument("terminate_grace must not be negative");
  // Whole pages, and at least one.
  constexpr std::size_t kPageBytes = 4096;
  if (options.payload_bytes_max < kPageBytes || options.payload_bytes_max > (std::size_t{1} << 46)) {
    throw std::invalid_argument(
        absl::StrCat("payload_bytes_max must be from 4096 to 2^46, not ", options.payload_bytes_max));
  }
  options.payload_bytes_max = (options.payload_bytes_max + kPageBytes - 1) / kPageBytes * kPageBytes;
  return options;
}

}  // namespace

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options)
    : pool_(internal::ProcessPool::start(checked(options))) {
  internal::drain_at_exit(pool_);
}

ProcessPoolExecutor::~ProcessPoolExecutor() { internal::destroy_executor(pool_); }

Buffer ProcessPoolExecutor::make_buffer(std::size_t size) {
  std::shared_ptr<internal::BufferMemory> memory = pool_->make_buffer(size);
  return memory == nullptr ? Buffer(size) : Buffer(std::move(memory));
}

std::vector<pid_t> ProcessPoolExecutor::worker_pids() const { return pool_->worker_pids(); }

void ProcessPoolExecutor::terminate_workers() { pool_->end_workers(SIGTERM); }

void ProcessPoolExecutor::kill_workers() { pool_->end_workers(SIGKILL); }

void ProcessPoolExecutor::schedule(Task task) { pool_->schedule(std::move(task)); }

void ProcessPoolExecutor::check_intake() { pool_->check_intake(); }

Executor::ShutdownResult ProcessPoolExecutor::do_shutdown(const ShutdownOptions& options) {
  return pool_->shutdown(options);
}

}  // namespace futures
