// The candidates whose calls run on threads.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_THREAD_CANDIDATES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_THREAD_CANDIDATES_H_

#include <vector>

#include "spec_tests/candidates/candidate.h"

namespace futures::spec_tests {

// "reference" and "thread_pool". The vector lives until the program ends.
const std::vector<Candidate>& thread_candidates();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_THREAD_CANDIDATES_H_
