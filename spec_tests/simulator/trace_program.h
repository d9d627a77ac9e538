// Traces as programs of the simulator: clients are simulated threads, the executor's code is simulated, and each run's
// history is judged by the laws and by the model.
//
//   TraceProgram program("thread_pool", trace);
//   const Exploration found = explore("a trace", program.program(), Exhaustive({.preemptions = 1}));
//   EXPECT_TRUE(found.ok()) << found.report();
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_

#include <cstddef>
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

// One trace on one executor. As in a free run on real threads each client does its own steps in order, and what they do
// meets as it may. Gates are released in the order of the trace, by nobody's client, at any moment; what is closed then
// is released once all rest. When all rest again the executor is shut down with wait.
class TraceProgram {
 public:
  // `executor` is one of simulated_executors().
  TraceProgram(std::string_view executor, spec_tests::Trace trace);
  TraceProgram(const TraceProgram&) = delete;
  TraceProgram& operator=(const TraceProgram&) = delete;

  // For explore. Refers to this object.
  Program program();

  // Of the last run that came to its end. The report of a run whose history was met before is that of the first.
  const spec_tests::Record& record() const { return report_.record; }
  const spec_tests::EpisodeReport& report() const { return report_; }
  // How many histories differed so far.
  std::size_t histories() const { return known_good_.size(); }

 private:
  struct Executor;
  static const Executor& executor_named(std::string_view name);

  void run();
  std::optional<Program::Verdict> judge();

  const Executor& executor_;
  const spec_tests::Trace trace_;
  spec_tests::EpisodeReport report_;
  absl::flat_hash_set<std::string> known_good_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_TRACE_PROGRAM_H_
