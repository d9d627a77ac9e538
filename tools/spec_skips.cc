#include "tools/spec_skips.h"

#include <set>
#include <tuple>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "spec_tests/subjects.h"

namespace futures::conformance {
namespace {

using Skip = std::tuple<std::string, std::string, std::string>;  // Executor, law, reason.

std::string to_text(const Skip& skip) {
  return absl::StrCat(std::get<0>(skip), " skips ", std::get<1>(skip), " (", std::get<2>(skip), ")");
}

// The rows | law | executor | reason | after the heading "## Skips", up to the next heading.
std::set<Skip> skips_of(std::string_view spec) {
  std::set<Skip> skips;
  bool inside = false;
  for (const std::string_view line : absl::StrSplit(spec, '\n')) {
    if (absl::StartsWith(line, "#")) inside = line == "## Skips";
    if (!inside || !absl::StartsWith(line, "|")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5) continue;
    const auto cell = [&](int i) { return std::string(absl::StripAsciiWhitespace(cells[i])); };
    if (cell(1) == "Law" || absl::StartsWith(cell(1), "-")) continue;
    skips.emplace(cell(2), cell(1), cell(3));
  }
  return skips;
}

std::set<Skip> skips_of_registry() {
  std::set<Skip> skips;
  for (const spec_tests::SubjectEntry& entry : spec_tests::subjects()) {
    if (entry.broken()) continue;
    for (const auto& [law, reason] : entry.skips) skips.emplace(entry.name, law, reason);
  }
  return skips;
}

}  // namespace

std::string disagreements_with(std::string_view spec) {
  const std::set<Skip> written = skips_of(spec);
  const std::set<Skip> done = skips_of_registry();
  std::string text;
  for (const Skip& skip : done) {
    if (!written.contains(skip)) absl::StrAppend(&text, "not in docs/SPEC.md: ", to_text(skip), "\n");
  }
  for (const Skip& skip : written) {
    if (!done.contains(skip)) absl::StrAppend(&text, "only in docs/SPEC.md: ", to_text(skip), "\n");
  }
  return text;
}

}  // namespace futures::conformance
