#include "tools/spec_skips.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace futures::conformance {
namespace {

// docs/SPEC.md with `text`, which must be in it, replaced.
std::string spec_with(const std::string& text, const std::string& replacement) {
  EXPECT_TRUE(absl::StrContains(spec_text(), text)) << text;
  return absl::StrReplaceAll(spec_text(), {{text, replacement}});
}

std::string disagreements_if(const std::string& text, const std::string& replacement) {
  return disagreements_with(spec_with(text, replacement));
}

constexpr char kRow[] = "| S3 | cpython_thread_pool | differs: a call that a worker has taken may still start |\n";
constexpr char kRule[] = "| group T | process_pool, process_pool_per_worker | a law of thread pools |\n";

TEST(SpecSkips, TheTablesAreWhatTheRunSkips) { EXPECT_EQ(disagreements_with(spec_text()), ""); }

TEST(SpecSkips, ARowTooFewOrTooManyIsNamed) {
  EXPECT_EQ(
      disagreements_if(kRow, ""),
      "not in docs/SPEC.md: cpython_thread_pool skips S3 (differs: a call that a worker has taken may still start)\n");
  EXPECT_EQ(disagreements_if(kRow, kRow + std::string("| E2 | reference | no reason |\n")),
            "only in docs/SPEC.md: reference skips E2 (no reason)\n");
}

TEST(SpecSkips, ARuleTooFewOrTooWideIsNamedWithAllThatItMeans) {
  const std::string missing = disagreements_if(kRule, "");
  EXPECT_TRUE(absl::StartsWith(missing, "not in docs/SPEC.md: process_pool skips T1 (a law of thread pools)\n"))
      << missing;
  const auto lines = std::count(missing.begin(), missing.end(), '\n');
  EXPECT_EQ(lines, 2 * 8) << "two executors of processes, eight laws of group T with checks\n" << missing;

  EXPECT_EQ(disagreements_if("| E9 | process_pool, process_pool_per_worker |", "| E9, E2 | process_pool |"),
            "not in docs/SPEC.md: process_pool_per_worker skips E9 (does not apply: memory is not shared)\n"
            "only in docs/SPEC.md: process_pool skips E2 (does not apply: memory is not shared)\n");
}

TEST(SpecSkips, AnotherReasonIsNamed) {
  EXPECT_EQ(disagreements_if("| E10, S7 | cpython_process_pool | does not apply: a worker has no executor |",
                             "| E10, S7 | cpython_process_pool | for no reason |"),
            "not in docs/SPEC.md: cpython_process_pool skips E10 (does not apply: a worker has no executor)\n"
            "not in docs/SPEC.md: cpython_process_pool skips S7 (does not apply: a worker has no executor)\n"
            "only in docs/SPEC.md: cpython_process_pool skips E10 (for no reason)\n"
            "only in docs/SPEC.md: cpython_process_pool skips S7 (for no reason)\n");
}

TEST(SpecSkips, ARowThatNamesNothingOrNothingNewIsNamed) {
  EXPECT_EQ(disagreements_if(kRow, kRow + std::string("| group Q | reference | no reason |\n")),
            "only in docs/SPEC.md: reference skips group Q (no reason)\n");
  EXPECT_EQ(disagreements_if(kRow, std::string(kRow) + kRow),
            "only in docs/SPEC.md: a row that says nothing new: S3 | cpython_thread_pool | "
            "differs: a call that a worker has taken may still start\n");
}

TEST(SpecSkips, WhatTracesAskForIsToldByTheTableOfTheLaw) {
  EXPECT_EQ(disagreements_if("`CallsAfterCancelledOnesEnd`; traces", "`CallsAfterCancelledOnesEnd`"),
            "only in docs/SPEC.md: cpython_process_pool skips E7 (traces cannot ask for it)\n"
            "only in docs/SPEC.md: cpython_thread_pool skips E7 (traces cannot ask for it)\n"
            "only in docs/SPEC.md: reference_simulated skips E7 (traces cannot ask for it)\n"
            "only in docs/SPEC.md: thread_pool_simulated skips E7 (traces cannot ask for it)\n");
}

TEST(SpecSkips, AMissingCheckIsNamed) {
  EXPECT_EQ(disagreements_if(", `CallsAfterCancelledOnesEnd`", ""),
            "not in docs/SPEC.md: E7 has the check `CallsAfterCancelledOnesEnd`\n");
}

TEST(SpecSkips, ACheckThatIsNotForProcessesIsNamed) {
  EXPECT_EQ(disagreements_if("| S8 | `ExitInACall` | does not apply: an exit in a call is one of its worker |\n", ""),
            "not in docs/SPEC.md: processes skip S8 `ExitInACall` (does not apply: an exit in a call is one of its "
            "worker)\n");
  EXPECT_EQ(
      disagreements_if("| E9 | all |", "| E9 | `VisibleAfterResult`, `VisibleAfterWait`, `VisibleOnceSeenDone` |"),
      "not in docs/SPEC.md: processes skip E9 `VisibleInCallbacks` (does not apply: memory is not shared)\n");
}

}  // namespace
}  // namespace futures::conformance
