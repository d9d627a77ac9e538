// The executors of threads that are broken on purpose, on simulated threads: each is caught by a check of its law.
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/law_programs.h"
#include "spec_tests/simulator/simulated/spec_tests/broken/broken_thread_candidates.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/candidate.h"
#include "spec_tests/simulator/simulated/spec_tests/laws/law.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::simulator {
namespace {

using spec_tests::Candidate;
using spec_tests::Law;

// What the first of the strategies that finds something in the check finds; nothing if none does.
std::optional<Exploration> finding(const Law& law, const Candidate& candidate) {
  constexpr long kStepsPerStrategy = 300'000;
  const absl::ScopedStderrThreshold quiet(absl::LogSeverityAtLeast::kInfinity);  // Each run logs what is thrown.
  std::optional<Exploration> found;
  explore_law(absl::StrCat(law.id, "_", law.name, "/", candidate.name), law_program(law, candidate), kStepsPerStrategy,
              [&found](const Exploration& explored) {
                if (!explored.ok()) found = explored;
                return explored.ok();
              });
  return found;
}

// The law whose checks see the fault; empty if traces alone can see it.
std::string_view law_of_checks(const Candidate& candidate) {
  if (candidate.name == "broken_swallows_exception") return "";  // It swallows what the calls of traces throw.
  if (candidate.name == "broken_runs_cancelled") return "E2";  // Traces ask F2 of what a shutdown has cancelled.
  return candidate.broken_law;
}

// The same pool without a fault keeps the check: what is caught is the fault.
TEST(BrokenLawSchedules, EachIsCaughtAtItsLaw) {
  for (const Candidate& candidate : spec_tests::broken_thread_candidates()) {
    const std::string_view law_id = law_of_checks(candidate);
    if (law_id.empty()) continue;
    std::string caught;
    for (const Law& law : law_checks()) {
      if (law.id != law_id || finding(law, spec_tests::faultless_candidate())) continue;
      const std::optional<Exploration> found = finding(law, candidate);
      if (!found || found->finding->kind != Finding::Kind::kBrokenExpectation) continue;
      caught = absl::StrFormat("%s, schedule %d of %s: %s", law.name, found->schedules, found->strategy,
                               found->finding->what);
      break;
    }
    EXPECT_NE(caught, "") << candidate.name << " keeps law " << law_id;
    std::cout << absl::StreamFormat("%-30s %s\n", candidate.name, caught);
  }
}

}  // namespace
}  // namespace futures::simulator
