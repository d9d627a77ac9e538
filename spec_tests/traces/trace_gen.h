// Traces made up at random, and failing traces made small.
//
// The traces lean towards the situations where executors go wrong: workers held by gates with calls pending behind
// them, cancels of those, callbacks on either side of completion, a shutdown in the middle, submits after it, bodies
// that submit while the executor drains, waits for calls that end in several ways, maps that fail, are refused or are
// let go, a destructor with calls before it. Which verbs a trace prefers is itself drawn per trace, so that some traces
// have many of one kind and none of another.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_GEN_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_GEN_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "rapidcheck/Gen.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// Normalised traces for RapidCheck; longer with the generation size. Shrinks by `shrinks_of`.
rc::Gen<Trace> arbitrary_trace();

// The normalised trace number `index` of `seed`: the same on every platform and in every build.
Trace trace_from_seed(std::uint64_t seed, int index);

// Whether `left` is simpler to read than `right`: fewer statements, else fewer workers and clients, else smaller
// numbers. Nothing becomes smaller for ever.
bool is_smaller(const Trace& left, const Trace& right);

// Normalised traces near `trace`, each smaller, the boldest simplification first, none twice.
std::vector<Trace> shrinks_of(const Trace& trace);

// Follows `shrinks_of` from `trace`, which fails, to smaller traces as long as `still_fails` holds of them.
// Calls `still_fails` at most `tries_max` times and never twice with the same trace.
Trace shrink_trace(const Trace& trace, const std::function<bool(const Trace&)>& still_fails, int tries_max);

// The same for the schedule of the trace alone, which loses deviations.
Trace shrink_schedule(const Trace& trace, const std::function<bool(const Trace&)>& still_fails, int tries_max);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_GEN_H_
