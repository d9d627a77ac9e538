#include "tools/spec_skips.h"

#include <string>

#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace futures::conformance {
namespace {

TEST(SpecSkips, TheTablesAreWhatTheRunSkips) { EXPECT_EQ(disagreements_with(spec_text()), ""); }

TEST(SpecSkips, ARowTooFewOrTooManyIsNamed) {
  const std::string row = "| S3 | cpython_thread_pool | differs: a call that a worker has taken may still start |\n";
  const std::string without = absl::StrReplaceAll(spec_text(), {{row, ""}});
  EXPECT_EQ(disagreements_with(without),
            "not in docs/SPEC.md: cpython_thread_pool skips S3 (differs: a call that a worker has taken may still start)\n");
  const std::string with = absl::StrReplaceAll(spec_text(), {{row, row + "| E2 | reference | no reason |\n"}});
  EXPECT_EQ(disagreements_with(with), "only in docs/SPEC.md: reference skips E2 (no reason)\n");
  const std::string check =
      "| S6 | `DestroyedByACall` | does not apply: a worker has no executor |\n";
  EXPECT_EQ(disagreements_with(absl::StrReplaceAll(spec_text(), {{check, ""}})),
            "not in docs/SPEC.md: `DestroyedByACall` skips S6 (does not apply: a worker has no executor)\n");
}

}  // namespace
}  // namespace futures::conformance
