// Runs a call and forgets what it throws.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_SWALLOW_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_SWALLOW_H_

#include "futures/task.h"

namespace futures::spec_tests {

// Runs `task`, which has been claimed, if it is the body of a trace's call; one that throws finishes with the value 0.
// Returns false, and does nothing, for any other call.
bool run_swallowing(Task& task);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_SWALLOW_H_
