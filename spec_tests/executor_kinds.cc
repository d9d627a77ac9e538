#include "spec_tests/executor_kinds.h"

#include <memory>

#include "optimized/process_pool_executor.h"
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

template <Isolation kIsolation>
std::unique_ptr<Executor> make_process_pool(const ExecutorOptions& options) {
  return std::make_unique<ProcessPoolExecutor>(ProcessPoolOptions{.max_workers = options.max_workers,
                                                                  .isolation = kIsolation,
                                                                  .on_unwind = options.on_unwind,
                                                                  .exit_policy = options.exit_policy});
}

}  // namespace

const std::vector<ExecutorKind>& executor_kinds() {
  // Both promise every law as it stands, first in, first out. Shutdown keeps workers and submits out while it cancels, but
  // not a client's cancel, which is one step on the future itself: to clients it cancels one call after the other.
  const model::Policy policy{.drain = model::Drain::kStepwise};
  static const auto* const kinds = new std::vector<ExecutorKind>{
      {.name = "reference", .make = &make_reference, .policy = policy, .skips = {}},
      {.name = "thread_pool", .make = &make_thread_pool, .policy = policy, .skips = {}},
  };
  return *kinds;
}

const std::vector<ExecutorKind>& process_kinds() {
  // As threads do, but that a body finds no executor where it runs. So nothing asks what a body could do to it (law P1).
  const model::Policy policy{.drain = model::Drain::kStepwise, .bodies_act = false, .outcomes_travel = true};
  static const auto* const kinds = new std::vector<ExecutorKind>{
      {.name = "process_pool",
       .make = &make_process_pool<Isolation::kShared>,
       .policy = policy,
       .shares_memory = false,
       .skips = {}},
      {.name = "process_pool_per_worker",
       .make = &make_process_pool<Isolation::kPerWorker>,
       .policy = policy,
       .shares_memory = false,
       .skips = {}},
  };
  return *kinds;
}

}  // namespace futures::spec_tests
