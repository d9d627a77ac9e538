// Runs one trace on one executor with all clients running freely, and judges the history.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_CONCURRENT_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_CONCURRENT_H_

#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// Hands out all steps at once: each client does its own in order, and what the clients do meets as it may. Nothing says
// how an executor must look in between, but every law holds of the history, and the model must have it.
EpisodeReport run_concurrent(TracePlayer& player, const Trace& trace);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_CONCURRENT_H_
