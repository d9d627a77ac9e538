// Traces as programs of the simulator: clients are simulated threads, the executor's code is simulated, and each run's
// history is judged by the laws and by the model.
//
//   TraceProgram program("thread_pool", trace);
//   const Exploration found = explore("a trace", program.program(), Exhaustive({.preemptions = 1}));
//   EXPECT_TRUE(found.ok()) << found.report();
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "reference/model.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/traces/trace.h"

namespace futures::simulator {

// The executors whose code is simulated: "reference", "thread_pool".
const std::vector<std::string>& simulated_executors();

// How the steps of a trace are handed out.
enum class Play {
  // Each client does its own steps in order, and what they do meets as it may. Gates are released in the order of the
  // trace, by nobody's client, at any moment; those that are closed then are released once all rest.
  kFreely,
  // Each step once all rest after the one before. After each the executor must look as the model says.
  kStepByStep,
};

// One trace on one executor. When all rest after the last step the executor is shut down with wait.
class TraceProgram {
 public:
  // `executor` is one of simulated_executors().
  TraceProgram(std::string_view executor, spec_tests::Trace trace, Play play = Play::kFreely);
  TraceProgram(const TraceProgram&) = delete;
  TraceProgram& operator=(const TraceProgram&) = delete;
  ~TraceProgram();

  // For explore. Refers to this object.
  Program program();

  // Of the last run that came to its end.
  const spec_tests::Record& record() const { return report_.record; }
  // What was found, in the words of runs on real threads; or how often the laws' premises held, over all histories.
  spec_tests::EpisodeReport report_of(const Exploration& explored);
  // Those that differed so far, with what was seen last, as bytes.
  const absl::flat_hash_set<std::string>& histories() const { return known_good_; }

 private:
  struct Executor;
  static const Executor& executor_named(std::string_view name);

  struct Moment;
  class Recorded;

  void run();
  std::optional<Program::Verdict> judge();

  const Executor& executor_;
  const spec_tests::Trace trace_;
  const Play play_;
  std::vector<Moment> moments_;  // Step by step: by step of the last run.
  spec_tests::EpisodeReport report_;  // Of the last run that was judged.
  spec_tests::Findings all_;  // Of those that kept the laws.
  absl::flat_hash_set<std::string> known_good_;
};

// Plays the trace freely and step by step: on its schedule if it has one, and otherwise on about `schedules` of them,
// the plain one, then random ones of several kinds, the same for the same seed. The report is of the first run that
// breaks a law, with its schedule in the trace, or of all.
spec_tests::EpisodeReport explore_trace(std::string_view executor, const spec_tests::Trace& trace, long schedules,
                                        std::uint64_t seed = 1);

// A smaller trace, with a schedule, on which explore_trace finds a breach of the same law, and its report.
spec_tests::EpisodeReport shrink_finding(std::string_view executor, const spec_tests::EpisodeReport& report,
                                         std::string_view law);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_
