#include "tools/spec_skips.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/registry/registry.h"
#include "tools/spec_text.h"

namespace futures::conformance {
namespace {

// A row of a table says that something is not done, in words.
using Rows = std::set<std::string>;

std::string to_text(std::string_view executor, std::string_view law, std::string_view reason) {
  return absl::StrCat(executor, " skips ", law, " (", reason, ")");
}

// The rows | law | executor or check | reason | after this heading, up to the next one.
Rows rows_after(std::string_view heading, std::string_view spec) {
  Rows rows;
  bool inside = false;
  for (const std::string_view line : absl::StrSplit(spec, '\n')) {
    if (absl::StartsWith(line, "#")) inside = line == heading;
    if (!inside || !absl::StartsWith(line, "|")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5) continue;
    const auto cell = [&](int i) { return absl::StripAsciiWhitespace(cells[i]); };
    if (cell(1) == "Law" || absl::StartsWith(cell(1), "-")) continue;
    rows.insert(to_text(cell(2), cell(1), cell(3)));
  }
  return rows;
}

Rows skips_of_registry() {
  Rows rows;
  for (const spec_tests::CandidateEntry& entry : spec_tests::candidates()) {
    if (entry.broken()) continue;
    for (const auto& [law, reason] : entry.skips) rows.insert(to_text(entry.name, law, reason));
  }
  return rows;
}

Rows checks_that_are_not_for_processes() {
  Rows rows;
  for (const spec_tests::Law& law : spec_tests::all_laws()) {
    if (!law.not_in_processes.empty()) rows.insert(to_text(absl::StrCat("`", law.name, "`"), law.id, law.not_in_processes));
  }
  return rows;
}

std::string disagreements(const Rows& written, const Rows& done) {
  std::string text;
  const auto append = [&text](std::string_view where, const Rows& some, const Rows& others) {
    for (const std::string& row : some) {
      if (!others.contains(row)) absl::StrAppend(&text, where, row, "\n");
    }
  };
  append("not in docs/SPEC.md: ", done, written);
  append("only in docs/SPEC.md: ", written, done);
  return text;
}

}  // namespace

std::string_view spec_text() { return kSpecText; }

std::string disagreements_with(std::string_view spec) {
  return absl::StrCat(disagreements(rows_after("## Skips", spec), skips_of_registry()),
                      disagreements(rows_after("### Checks", spec), checks_that_are_not_for_processes()));
}

}  // namespace futures::conformance
