// The candidates that are broken on purpose.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_CANDIDATES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_CANDIDATES_H_

#include <vector>

#include "spec_tests/broken/broken_thread_candidates.h"  // IWYU pragma: export
#include "spec_tests/candidates/candidate.h"

namespace futures::spec_tests {

// One per fault, each named "broken_..." and with the law at which it must be caught. The vector lives until the
// program ends. A program that makes one whose calls run in other processes begins its main with futures::process_main.
const std::vector<Candidate>& broken_candidates();

// The pool of processes without a fault: what the checks must find nothing wrong with.
Candidate faultless_process_candidate();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_CANDIDATES_H_
