// Runs one trace on one executor and judges what is seen: step by step, or with all clients running freely.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_STEPWISE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_STEPWISE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "futures/internal/time.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/oracles.h"
#include "spec_tests/judges/world.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// The laws under which a run is reported that is not the model's, if no law by name is broken.
inline constexpr char kModelLaw[] = "MODEL";  // The history is one of the model's.
inline constexpr char kStepLaw[] = "STEP";  // After each step, once quiet, the visible state is one of the model's.

// One step, or the epilogue, as expected and as seen.
struct StepRow {
  std::string step;  // Its text.
  bool skipped = false;
  std::vector<Observation> expected;  // Every way in which the model may look.
  Observation seen;
  bool kept = true;  // Whether `seen` is among them.
};

// What became of one trace on one executor.
struct EpisodeReport {
  absl::Status status;  // Unavailable: the executor cannot run here, and nothing was checked.
  Findings findings;
  std::vector<StepRow> rows;  // Stepwise only.
  bool deterministic = true;  // Whether the model left the executor no choice at any step.
  bool gave_up = false;  // The trace leads through more worlds than are looked at; the history was judged all the same.
  std::string rejection;  // Of the model, if it has no such history.
  std::string simulation;  // Of a run that broke a law in the simulator: who did what, in which order.
  Record record;

  bool ok() const { return status.ok() && findings.violations.empty(); }
};

struct StepwiseOptions {
  // How long to wait for the executor to look as it must. Lower, and a loaded machine looks like a broken executor.
  std::chrono::milliseconds patience = std::chrono::seconds(5);
  WorldOptions worlds = {};
};

// After each step waits until all is quiet, and compares the visible state with the model's.
EpisodeReport run_stepwise(TracePlayer& player, const Trace& trace, const StepwiseOptions& options = {});

// Where the model left no choice, two executors must look the same after every step of the same trace. Returns what
// `report` lacks or has beside `reference`, in words; empty if there is nothing.
std::string differences(const EpisodeReport& report, const EpisodeReport& reference);

// The rows as a table for people.
std::string to_table(const EpisodeReport& report);

// Judges a record whose episode is over: the laws by name, and the model's acceptor. Adds to `report`.
void judge_record(EpisodeReport& report);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_STEPWISE_H_
