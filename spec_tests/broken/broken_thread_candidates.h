// The candidates that are broken on purpose and whose calls run on threads.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_THREAD_CANDIDATES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_THREAD_CANDIDATES_H_

#include <vector>

#include "spec_tests/candidates/candidate.h"

namespace futures::spec_tests {

// One per fault, as broken_candidates says.
std::vector<Candidate> broken_thread_candidates();

// The same pool without a fault: what the checks must find nothing wrong with.
Candidate faultless_candidate();

// Threads, with a long moment in each call between being claimed and running.
Candidate dawdling_candidate();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_BROKEN_THREAD_CANDIDATES_H_
