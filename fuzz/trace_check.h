// One trace on one executor, as the fuzzer judges it.
#ifndef CONCURRENT_FUTURES_FUZZ_TRACE_CHECK_H_
#define CONCURRENT_FUTURES_FUZZ_TRACE_CHECK_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"

namespace futures::fuzz {

// The executors of a list of names separated by commas; an empty list means every C++ executor that is not broken on
// purpose. Ends the program with status 2 if there is none of a name.
std::vector<std::unique_ptr<spec_tests::TracePlayer>> players_of(std::string_view names);

// Judges a trace that leads through more worlds than this by its history alone: there are few, and each takes as long
// as hundreds of others.
inline constexpr int kWorldsMax = 1000;

// Runs the trace step by step on the executor.
spec_tests::EpisodeReport run_trace(spec_tests::TracePlayer& player, const spec_tests::Trace& trace);

// Returns an empty string if the laws were kept and the executor looked as the model says after each step, and
// otherwise a report for people: what is broken, the trace as text, the steps.
std::string describe(const spec_tests::EpisodeReport& report, const std::string& executor);

}  // namespace futures::fuzz

#endif  // CONCURRENT_FUTURES_FUZZ_TRACE_CHECK_H_
