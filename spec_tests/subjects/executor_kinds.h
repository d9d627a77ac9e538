// The kinds of executors that this project offers, as opposed to those that are broken on purpose.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SUBJECTS_EXECUTOR_KINDS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SUBJECTS_EXECUTOR_KINDS_H_

#include <vector>

#include "optimized/process_pool_options.h"
#include "spec_tests/subjects/executor_kind.h"

namespace futures::spec_tests {

// "reference" and "thread_pool". The vector lives until the program ends.
const std::vector<ExecutorKind>& executor_kinds();

// Those whose calls run in other processes. A program that makes one begins its main with futures::process_main.
const std::vector<ExecutorKind>& process_kinds();

// The same options for a process pool.
ProcessPoolOptions process_pool_options(const ExecutorOptions& options);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SUBJECTS_EXECUTOR_KINDS_H_
