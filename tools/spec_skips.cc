#include "tools/spec_skips.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/registry/registry.h"
#include "tools/spec_text.h"

namespace futures::conformance {
namespace {

using Cells = std::vector<std::string>;
using Statements = std::set<std::string>;

Cells cells_of(std::string_view line) {
  Cells cells;
  for (const std::string_view cell : absl::StrSplit(absl::StripSuffix(absl::StripPrefix(line, "|"), "|"), '|')) {
    cells.emplace_back(absl::StripAsciiWhitespace(cell));
  }
  return cells;
}

// The rows of every table with these columns.
std::vector<Cells> rows_of(std::string_view spec, const Cells& columns) {
  std::vector<Cells> rows;
  bool is_in_table = false;
  bool has_columns = false;
  for (const std::string_view line : absl::StrSplit(spec, '\n')) {
    const bool is_row = absl::StartsWith(line, "|");
    if (is_row && !is_in_table) {
      has_columns = cells_of(line) == columns;
    } else if (is_row && has_columns && !absl::StartsWith(line, "| ---")) {
      rows.push_back(cells_of(line));
      rows.back().resize(columns.size());
    }
    is_in_table = is_row;
  }
  return rows;
}

struct StatedLaw {
  std::string id;
  bool has_traces = false;
  Cells checks;
};

std::vector<StatedLaw> stated_laws(std::string_view spec) {
  std::vector<StatedLaw> laws;
  for (const Cells& row : rows_of(spec, {"Law", "Status", "Held by"})) {
    if (!absl::StartsWith(row[1], "checked")) continue;
    StatedLaw law{.id = row[0], .checks = {}};
    for (std::string_view part : absl::StrSplit(row[2], ';')) {
      part = absl::StripAsciiWhitespace(part);
      if (part == "traces") law.has_traces = true;
      if (!absl::ConsumePrefix(&part, "checks ")) continue;
      const Cells pieces = absl::StrSplit(part, '`');  // Every other one is a name.
      for (std::size_t i = 1; i < pieces.size(); i += 2) law.checks.push_back(pieces[i]);
    }
    laws.push_back(std::move(law));
  }
  return laws;
}

bool names(std::string_view name, const StatedLaw& law) {
  if (name == "without traces") return !law.has_traces;
  if (absl::ConsumePrefix(&name, "group ")) return absl::StartsWith(law.id, name);
  return name == law.id;
}

// The ids that "group P" or "S3, without traces" means. What means no law stands for itself, and is then noticed.
Cells ids_named(std::string_view text, const std::vector<StatedLaw>& laws) {
  Cells ids;
  for (const std::string_view name : absl::StrSplit(text, ", ")) {
    const std::size_t before = ids.size();
    for (const StatedLaw& law : laws) {
      if (names(name, law)) ids.push_back(law.id);
    }
    if (ids.size() == before) ids.emplace_back(name);
  }
  return ids;
}

std::string skip(std::string_view executor, std::string_view law, std::string_view reason) {
  return absl::StrCat(executor, " skips ", law, " (", reason, ")");
}

std::string skipped_check(std::string_view law, std::string_view check, std::string_view reason) {
  return absl::StrCat("processes skip ", law, " `", check, "` (", reason, ")");
}

// The skips that the rows mean. A row that adds none is a mistake, and is one more statement.
Statements stated_skips(std::string_view spec, const std::vector<StatedLaw>& laws) {
  Statements skips;
  std::set<std::pair<std::string, std::string>> decided;  // Executor and law.
  for (const Cells& row : rows_of(spec, {"Laws", "Executors", "Reason"})) {
    bool adds = false;
    for (const std::string& law : ids_named(row[0], laws)) {
      for (const std::string& executor : Cells(absl::StrSplit(row[1], ", "))) {
        if (!decided.emplace(executor, law).second) continue;
        skips.insert(skip(executor, law, row[2]));
        adds = true;
      }
    }
    if (!adds) skips.insert(absl::StrCat("a row that says nothing new: ", absl::StrJoin(row, " | ")));
  }
  return skips;
}

Statements stated_skipped_checks(std::string_view spec, const std::vector<StatedLaw>& laws) {
  Statements skips;
  for (const Cells& row : rows_of(spec, {"Law", "Checks", "Reason"})) {
    Cells checks;
    if (row[1] != "all") checks = absl::StrSplit(row[1], ", ");
    for (const StatedLaw& law : laws) {
      if (row[1] == "all" && law.id == row[0]) checks = law.checks;
    }
    for (const std::string_view check : checks) {
      skips.insert(skipped_check(row[0], absl::StripSuffix(absl::StripPrefix(check, "`"), "`"), row[2]));
    }
  }
  return skips;
}

Statements stated_checks(const std::vector<StatedLaw>& laws) {
  Statements checks;
  for (const StatedLaw& law : laws) {
    for (const std::string& check : law.checks) checks.insert(absl::StrCat(law.id, " has the check `", check, "`"));
  }
  return checks;
}

Statements skips_of_registry() {
  Statements skips;
  for (const spec_tests::CandidateEntry& entry : spec_tests::candidates()) {
    if (entry.broken()) continue;
    for (const auto& [law, reason] : entry.skips) skips.insert(skip(entry.name, law, reason));
  }
  return skips;
}

Statements skipped_checks_of_laws() {
  Statements skips;
  for (const spec_tests::Law& law : spec_tests::all_laws()) {
    if (!law.not_in_processes.empty()) skips.insert(skipped_check(law.id, law.name, law.not_in_processes));
  }
  return skips;
}

Statements checks_of_laws() {
  Statements checks;
  for (const spec_tests::Law& law : spec_tests::all_laws()) {
    checks.insert(absl::StrCat(law.id, " has the check `", law.name, "`"));
  }
  return checks;
}

std::string disagreements(const Statements& stated, const Statements& done) {
  std::string text;
  const auto append = [&text](std::string_view where, const Statements& some, const Statements& others) {
    for (const std::string& statement : some) {
      if (!others.contains(statement)) absl::StrAppend(&text, where, statement, "\n");
    }
  };
  append("not in docs/SPEC.md: ", done, stated);
  append("only in docs/SPEC.md: ", stated, done);
  return text;
}

}  // namespace

std::string_view spec_text() { return kSpecText; }

std::string disagreements_with(std::string_view spec) {
  const std::vector<StatedLaw> laws = stated_laws(spec);
  return absl::StrCat(disagreements(stated_checks(laws), checks_of_laws()),
                      disagreements(stated_skips(spec, laws), skips_of_registry()),
                      disagreements(stated_skipped_checks(spec, laws), skipped_checks_of_laws()));
}

}  // namespace futures::conformance
