// Traces made up by RapidCheck, on every C++ executor: whatever the trace, no law is broken, and where the model leaves
// no choice all executors look the same after each step.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "optimized/process_main.h"
#include "rapidcheck.h"
#include "rapidcheck/gtest.h"
#include "spec_tests/candidates/candidates.h"
#include "spec_tests/candidates/executor_player.h"
#include "spec_tests/judges/concurrent.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::spec_tests {
namespace {

std::vector<std::unique_ptr<ExecutorPlayer>> make_players() {
  std::vector<std::unique_ptr<ExecutorPlayer>> made;
  for (const auto* const candidates : {&thread_candidates(), &process_candidates()}) {
    for (const Candidate& candidate : *candidates) made.push_back(std::make_unique<ExecutorPlayer>(candidate));
  }
  return made;
}

std::string describe(const TracePlayer& player, const EpisodeReport& report) {
  std::string text = player.name();
  for (const Findings::Violation& violation : report.findings.violations) {
    text += "\n" + violation.law + ": " + violation.what;
  }
  return text + "\n" + to_table(report);
}

// What each failure showed: RapidCheck says at the end what the last of the shrunk traces does when it runs once more,
// and that may be right.
std::string said_at_once(const std::string& failure) {
  std::cerr << failure << std::endl;
  return failure;
}

RC_GTEST_PROP(TraceProperty, EveryStepLooksAsTheModelSays, ()) {
  static const auto players = make_players();
  const Trace trace = *arbitrary_trace();
  std::vector<EpisodeReport> reports;
  for (const auto& player : players) {
    reports.push_back(run_stepwise(*player, trace));
    if (!reports.back().ok()) RC_FAIL(said_at_once(describe(*player, reports.back())));
    if (reports.back().record.policy != reports.front().record.policy) continue;
    const std::string difference = differences(reports.back(), reports.front());
    if (!difference.empty()) RC_FAIL(said_at_once(player->name() + " " + difference));
  }
  RC_CLASSIFY(reports.front().deterministic, "the model leaves no choice");
  RC_CLASSIFY(reports.front().gave_up, "too many worlds");
}

RC_GTEST_PROP(TraceProperty, EveryConcurrentHistoryIsOneOfTheModels, ()) {
  static const auto players = make_players();
  const Trace trace = *arbitrary_trace();
  for (const auto& player : players) {
    const EpisodeReport report = run_concurrent(*player, trace);
    if (!report.ok()) RC_FAIL(said_at_once(describe(*player, report)));
  }
}

}  // namespace
}  // namespace futures::spec_tests

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
