// Traces made up by RapidCheck, on every C++ executor: whatever the trace, no law is broken, and where the model leaves no
// choice all executors look the same after each step.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "rapidcheck.h"
#include "rapidcheck/gtest.h"
#include "optimized/process_main.h"
#include "spec_tests/judges/concurrent.h"
#include "spec_tests/subjects/executor_kinds.h"
#include "spec_tests/subjects/executor_subject.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::spec_tests {
namespace {

std::vector<std::unique_ptr<ExecutorSubject>> make_subjects() {
  std::vector<std::unique_ptr<ExecutorSubject>> made;
  for (const auto* const kinds : {&executor_kinds(), &process_kinds()}) {
    for (const ExecutorKind& kind : *kinds) made.push_back(std::make_unique<ExecutorSubject>(kind));
  }
  return made;
}

std::string describe(const Subject& subject, const EpisodeReport& report) {
  std::string text = subject.name();
  for (const Findings::Violation& violation : report.findings.violations) {
    text += "\n" + violation.law + ": " + violation.what;
  }
  return text + "\n" + to_table(report);
}

// What each failure showed: RapidCheck says at the end what the last of the shrunk traces does when it runs once more, and that
// may be right.
std::string said_at_once(const std::string& failure) {
  std::cerr << failure << std::endl;
  return failure;
}

RC_GTEST_PROP(TraceProperty, EveryStepLooksAsTheModelSays, ()) {
  static const auto subjects = make_subjects();
  const Trace trace = *arbitrary_trace();
  std::vector<EpisodeReport> reports;
  for (const auto& subject : subjects) {
    reports.push_back(run_stepwise(*subject, trace));
    if (!reports.back().ok()) RC_FAIL(said_at_once(describe(*subject, reports.back())));
    if (reports.back().record.policy != reports.front().record.policy) continue;
    const std::string difference = differences(reports.back(), reports.front());
    if (!difference.empty()) RC_FAIL(said_at_once(subject->name() + " " + difference));
  }
  RC_CLASSIFY(reports.front().deterministic, "the model leaves no choice");
  RC_CLASSIFY(reports.front().gave_up, "too many worlds");
}

RC_GTEST_PROP(TraceProperty, EveryConcurrentHistoryIsOneOfTheModels, ()) {
  static const auto subjects = make_subjects();
  const Trace trace = *arbitrary_trace();
  for (const auto& subject : subjects) {
    const EpisodeReport report = run_concurrent(*subject, trace);
    if (!report.ok()) RC_FAIL(said_at_once(describe(*subject, report)));
  }
}

}  // namespace
}  // namespace futures::spec_tests

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
