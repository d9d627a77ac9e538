// The registry of executors under test, by name.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_REGISTRY_REGISTRY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_REGISTRY_REGISTRY_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "futures/internal/time.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// Far beyond what any trace takes, also on a loaded machine.
inline constexpr std::chrono::milliseconds kPlayerPatience = std::chrono::seconds(10);

// An executor whose code is simulated: a trace runs on many schedules, and no time passes.
struct SimulatedTraces {
  // Runs the trace on its schedule, or on many. The report is of the first run that breaks a law, with its schedule in
  // the trace, or of all.
  std::function<EpisodeReport(const Trace& trace, long schedules)> run;
  // The report of a smaller trace, with a schedule, that breaks the law as well.
  std::function<EpisodeReport(const EpisodeReport& report, std::string_view law)> shrink;
};

// What the registry knows of one executor under test: a candidate; or CPython's, or a simulated one, which only play
// traces.
struct CandidateEntry {
  std::string name;
  // `patience`: how long an epilogue may take before the executor counts as stuck. Null of a simulated executor.
  std::function<std::unique_ptr<TracePlayer>(std::chrono::milliseconds patience)> make;
  std::optional<SimulatedTraces> simulated = std::nullopt;
  // For C++ executors: what the checks of the laws are run on as well.
  std::optional<Candidate> candidate;
  // The laws that it is not held to, each with the reason. Must equal the table in docs/SPEC.md.
  std::map<std::string, std::string> skips;
  std::string broken_law;  // As in Candidate.
  // Whether a trace is run on it at all; not where it is known to differ from the laws in a way that hangs.
  std::function<bool(const Trace&)> is_asked = [](const Trace&) { return true; };
  // Whether the model says where each step of a trace ends on it; where not, only the whole history is judged.
  std::function<bool(const Trace&)> is_stepwise = [](const Trace&) { return true; };

  bool broken() const { return !broken_law.empty(); }
};

// All of them: the real ones first, then those that are broken on purpose. Lives until the program ends.
const std::vector<CandidateEntry>& candidates();

// Null if there is none of that name.
const CandidateEntry* find_candidate(std::string_view name);
std::unique_ptr<TracePlayer> make_player(std::string_view name, std::chrono::milliseconds patience = kPlayerPatience);

// The names of those that are not broken on purpose.
std::vector<std::string> real_candidate_names();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_REGISTRY_REGISTRY_H_
