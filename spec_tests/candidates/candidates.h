// The candidates that this project offers, as opposed to those that are broken on purpose.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATES_H_

#include <vector>

#include "optimized/process_pool_options.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/thread_candidates.h"  // IWYU pragma: export

namespace futures::spec_tests {

// Those whose calls run in other processes. The vector lives until the program ends. A program that makes one begins
// its main with futures::process_main.
const std::vector<Candidate>& process_candidates();

// The same options for a process pool.
ProcessPoolOptions process_pool_options(const ExecutorOptions& options);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATES_H_
