#include "fuzz/trace_check.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "spec_tests/registry/registry.h"

namespace futures::fuzz {

std::vector<std::unique_ptr<spec_tests::TracePlayer>> players_of(std::string_view names) {
  std::vector<std::unique_ptr<spec_tests::TracePlayer>> made;
  const std::vector<std::string> wanted = absl::StrSplit(names, ',', absl::SkipWhitespace());
  for (const std::string& name : wanted) {
    made.push_back(spec_tests::make_player(name));
    if (made.back() != nullptr) continue;
    std::cerr << "no executor '" << name << "'" << std::endl;
    std::_Exit(2);
  }
  if (!made.empty()) return made;
  for (const spec_tests::CandidateEntry& entry : spec_tests::candidates()) {
    if (!entry.broken() && entry.candidate.has_value()) made.push_back(entry.make(spec_tests::kPlayerPatience));
  }
  return made;
}

std::string describe(const spec_tests::EpisodeReport& report, const std::string& executor) {
  if (!report.status.ok()) return absl::StrCat(executor, " cannot run: ", report.status.ToString(), "\n");
  if (report.ok()) return "";
  std::string text;
  for (const spec_tests::Findings::Violation& violation : report.findings.violations) {
    absl::StrAppend(&text, "VIOLATED  ", violation.law, " by ", executor, ": ", violation.what, "\n");
  }
  absl::StrAppend(&text, "\n", to_text(report.record.trace), "\n", to_table(report));
  return text;
}

spec_tests::EpisodeReport run_trace(spec_tests::TracePlayer& player, const spec_tests::Trace& trace) {
  return run_stepwise(player, trace, {.worlds = {.worlds_max = kWorldsMax}});
}

}  // namespace futures::fuzz
