// The pools that the broken executors are made of keep the laws of traces, and those of processes the laws of group P,
// as long as they have no fault: what the checks find in them is the fault.
#include "spec_tests/broken/broken_candidates.h"

#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "optimized/process_main.h"
#include "spec_tests/candidates/executor_player.h"
#include "spec_tests/judges/concurrent.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::spec_tests {
namespace {

void expect_kept(const Candidate& candidate) {
  constexpr int kTraces = 200;
  ExecutorPlayer player(candidate);
  for (int index = 0; index < kTraces; ++index) {
    const Trace trace = trace_from_seed(1, index);
    for (const EpisodeReport& report : {run_stepwise(player, trace), run_concurrent(player, trace)}) {
      for (const Findings::Violation& violation : report.findings.violations) {
        ADD_FAILURE() << violation.law << ": " << violation.what << "\n" << trace << to_table(report);
      }
      ASSERT_TRUE(report.ok());
    }
  }
}

TEST(FaultyThreadPool, WithoutAFaultKeepsTheLaws) { expect_kept(faultless_candidate()); }
TEST(FaultyProcessPool, WithoutAFaultKeepsTheLaws) { expect_kept(faultless_process_candidate()); }

TEST(FaultyProcessPool, WithoutAFaultKeepsTheLawsOfProcesses) {
  const Candidate candidate = faultless_process_candidate();
  for (const Law& law : all_laws()) {
    if (!law.id.starts_with('P') || !can_run(law, candidate)) continue;  // The others are not what it is for.
    LawRun run(candidate);
    law.check(run);
    for (const std::string& violation : run.violations())
      ADD_FAILURE() << law.id << " " << law.name << ": " << violation;
    EXPECT_GT(run.checked(), 0) << law.name;
  }
}

// A call that its map has let go of is running, with no future to see it by, and its body has not begun: the checker
// has to wait for that before it calls the moment quiet.
TEST(FaultyThreadPool, WhatHasBeenLetGoOfMayStillBegin) {
  ExecutorPlayer player(dawdling_candidate());
  for (const char* const text : {
           "workers 3\nclients 2\n0 map { submit c0 { return 0 }; submit c1 { return 0 }; take 1 }\n",
           "workers 2\nclients 1\n0 map { submit c0 { return 0 }; submit c1 { return 0 }; take 0 }\n0 submit c2 { "
           "return 2 }\n",
           "workers 1\nclients 1\n0 map { submit c0 { throw 0 }; submit c1 { return 0 }; take 2 }\n",
       }) {
    const absl::StatusOr<Trace> trace = parse_trace(text);
    ASSERT_TRUE(trace.ok()) << trace.status();
    const EpisodeReport report = run_stepwise(player, *trace);
    EXPECT_TRUE(report.ok()) << to_table(report);
    EXPECT_FALSE(report.rows.empty());
  }
}

TEST(FaultyThreadPool, EveryFaultNamesItsLaw) {
  for (const Candidate& candidate : broken_candidates()) {
    EXPECT_EQ(candidate.name.rfind("broken_", 0), 0u) << candidate.name;
    EXPECT_NE(candidate.broken_law, "") << candidate.name;
  }
}

}  // namespace
}  // namespace futures::spec_tests

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
