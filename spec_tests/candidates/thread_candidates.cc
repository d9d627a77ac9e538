#include "spec_tests/candidates/thread_candidates.h"

#include <memory>
#include <vector>

#include "optimized/thread_pool_executor.h"
#include "reference/model.h"
#include "reference/reference_executor.h"

namespace futures::spec_tests {
namespace {

std::unique_ptr<Executor> make_reference(const ExecutorOptions& options) {
  return std::make_unique<ReferenceExecutor>(ReferenceOptions{.max_workers = options.max_workers,
                                                              .thread_name_prefix = options.thread_name_prefix,
                                                              .initializer = options.initializer,
                                                              .stack_bytes = options.stack_bytes,
                                                              .on_unwind = options.on_unwind,
                                                              .exit_policy = options.exit_policy});
}

std::unique_ptr<Executor> make_thread_pool(const ExecutorOptions& options) {
  return std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = options.max_workers,
                                                                .thread_name_prefix = options.thread_name_prefix,
                                                                .initializer = options.initializer,
                                                                .stack_bytes = options.stack_bytes,
                                                                .on_unwind = options.on_unwind,
                                                                .exit_policy = options.exit_policy});
}

}  // namespace

const std::vector<Candidate>& thread_candidates() {
  // Both promise every law as it stands, first in, first out. Shutdown keeps workers and submits out while it cancels,
  // but not a client's cancel, which is one step on the future itself: to clients it cancels one call after the other.
  const model::Policy policy{.drain = model::Drain::kStepwise};
  static const auto* const candidates = new std::vector<Candidate>{
      {.name = "reference", .make = &make_reference, .policy = policy, .skips = {}},
      {.name = "thread_pool", .make = &make_thread_pool, .policy = policy, .skips = {}},
  };
  return *candidates;
}

}  // namespace futures::spec_tests
