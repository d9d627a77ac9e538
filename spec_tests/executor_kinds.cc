#include "spec_tests/executor_kinds.h"

#include <memory>

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

const std::vector<ExecutorKind>& executor_kinds() {
  // Both promise every law as it stands: first in, first out, and all that shutdown cancels at once.
  static const auto* const kinds = new std::vector<ExecutorKind>{
      {.name = "reference", .make = &make_reference, .policy = model::Policy{}, .skips = {}},
      {.name = "thread_pool", .make = &make_thread_pool, .policy = model::Policy{}, .skips = {}},
  };
  return *kinds;
}

}  // namespace futures::spec_tests
