#include "tools/conformance_report.h"

#include <algorithm>
#include <fstream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "reference/coverage.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/traces/trace.h"

namespace futures::conformance {
namespace {

struct Row {
  std::string id;
  std::string title;
};

// The laws that any of the results names, in the order of the laws.
std::vector<Row> rows_of(const std::vector<ExecutorResult>& results) {
  std::vector<Row> all;
  for (const spec_tests::LawTitle& law : spec_tests::law_titles()) {
    all.push_back({std::string(law.id), std::string(law.title)});
  }
  all.push_back({spec_tests::kModelLaw, "the history is one of the model's"});
  all.push_back({spec_tests::kStepLaw, "after each step, once quiet, it looks as the model says"});
  std::erase_if(all, [&](const Row& row) {
    return std::none_of(results.begin(), results.end(),
                        [&](const ExecutorResult& result) { return result.laws.contains(row.id); });
  });
  return all;
}

std::string to_text(const Cell& cell) {
  if (!cell.skipped.empty()) return "skipped";
  if (cell.violations > 0) return absl::StrCat(cell.checked, ", ", cell.violations, " VIOLATED");
  if (cell.checked == 0) return cell.required ? "NEVER EXERCISED" : "-";
  return absl::StrCat(cell.checked);
}

std::string cell_text(const ExecutorResult& result, const std::string& law) {
  if (!result.missing.empty()) return "missing";
  const auto found = result.laws.find(law);
  return found == result.laws.end() ? "-" : to_text(found->second);
}

std::string describe_totals(const ExecutorResult& result) {
  if (!result.missing.empty()) return absl::StrCat(result.name, ": missing: ", result.missing, "\n");
  int checked = 0;
  int violations = 0;
  int skipped = 0;
  int unexercised = 0;
  for (const auto& [law, cell] : result.laws) {
    checked += cell.checked;
    violations += cell.violations;
    skipped += cell.skipped.empty() ? 0 : 1;
    unexercised += cell.required && cell.skipped.empty() && cell.checked == 0 ? 1 : 0;
  }
  std::string text = absl::StrCat(result.name, ": ", checked, " checks, ", violations, " violations; ", skipped,
                                  " laws skipped, ", unexercised, " never exercised; ", result.traces, " traces");
  if (result.traces_not_asked > 0) absl::StrAppend(&text, ", ", result.traces_not_asked, " more left out");
  if (result.traces_given_up > 0) {
    absl::StrAppend(&text, ", ", result.traces_given_up, " of them not followed step by step");
  }
  if (result.stopped_early) absl::StrAppend(&text, ", then stopped: enough had failed");
  return absl::StrCat(text, "\n");
}

// Texts of ours hold no control characters but the end of line.
std::string json_string(std::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}, {"\t", "\\t"}}),
                      "\"");
}

}  // namespace

std::string to_table(const std::vector<ExecutorResult>& results) {
  constexpr int kTitleWidth = 56;
  std::vector<std::size_t> widths;
  const std::vector<Row> rows = rows_of(results);
  for (const ExecutorResult& result : results) {
    std::size_t width = result.name.size();
    for (const Row& row : rows) width = std::max(width, cell_text(result, row.id).size());
    widths.push_back(width);
  }
  std::string table = absl::StrFormat("%-5s  %-*s", "law", kTitleWidth, "");
  for (std::size_t i = 0; i < results.size(); ++i) absl::StrAppendFormat(&table, "  %*s", widths[i], results[i].name);
  absl::StrAppend(&table, "\n");
  for (const Row& row : rows) {
    const bool fits = row.title.size() <= kTitleWidth;
    const std::string title = fits ? row.title : absl::StrCat(row.title.substr(0, kTitleWidth - 3), "...");
    absl::StrAppendFormat(&table, "%-5s  %-*s", row.id, kTitleWidth, title);
    for (std::size_t i = 0; i < results.size(); ++i) {
      absl::StrAppendFormat(&table, "  %*s", widths[i], cell_text(results[i], row.id));
    }
    absl::StrAppend(&table, "\n");
  }
  absl::StrAppend(&table, "\n");
  for (const ExecutorResult& result : results) absl::StrAppend(&table, describe_totals(result));
  return table;
}

std::string to_coverage_table(const std::vector<ExecutorResult>& results) {
  constexpr int kKindWidth = 63;  // As wide as law and title.
  std::string table = absl::StrFormat("%-*s", kKindWidth, "seen in histories");
  for (const ExecutorResult& result : results) absl::StrAppend(&table, "  ", result.name);
  absl::StrAppend(&table, "\n");
  for (const std::string& kind : model::kinds_of_events()) {
    absl::StrAppendFormat(&table, "%-*s", kKindWidth, kind);
    for (const ExecutorResult& result : results) {
      const auto found = result.coverage.seen().find(kind);
      const std::string count = found == result.coverage.seen().end() ? "-" : absl::StrCat(found->second);
      absl::StrAppendFormat(&table, "  %*s", result.name.size(), count);
    }
    absl::StrAppend(&table, "\n");
  }
  return table;
}

std::string to_json(const std::vector<ExecutorResult>& results, std::uint64_t seed, int traces) {
  std::string json = absl::StrCat("{\"seed\":", seed, ",\"traces\":", traces, ",\"executors\":[");
  const std::vector<Row> rows = rows_of(results);
  for (const ExecutorResult& result : results) {
    if (&result != &results.front()) absl::StrAppend(&json, ",");
    absl::StrAppend(&json, "\n{\"name\":", json_string(result.name), ",");
    if (!result.missing.empty()) absl::StrAppend(&json, "\"missing\":", json_string(result.missing), ",");
    absl::StrAppend(&json, "\"laws\":[");
    std::string_view separator = "\n";
    for (const Row& row : rows) {
      const auto found = result.laws.find(row.id);
      if (found == result.laws.end()) continue;
      const Cell& cell = found->second;
      absl::StrAppend(&json, separator, "{\"id\":", json_string(row.id), ",\"checked\":", cell.checked,
                      ",\"violations\":", cell.violations,
                      ",\"skipped\":", cell.skipped.empty() ? "null" : json_string(cell.skipped), "}");
      separator = ",\n";
    }
    absl::StrAppend(&json, "]}");
  }
  return absl::StrCat(json, "]}\n");
}

std::string to_text(const Failure& failure, const std::string& executor, std::uint64_t seed,
                    const std::string& folder) {
  constexpr std::string_view kCommand = "./tools/bazel run //tools:conformance --";
  std::string text =
      absl::StrCat("VIOLATED  ", failure.law, " by ", executor, "  (", failure.where, ")\n", failure.what, "\n");
  if (!failure.trace.has_value()) {
    return absl::StrCat(text, "again:  ", kCommand, " --traces=0 --laws=", failure.law, " --executors=", executor,
                        "\n\n");
  }
  const std::string trace = spec_tests::to_text(*failure.trace);
  const std::string path = absl::StrCat(folder, "/", executor, "-", failure.law, "-", seed, ".trace");
  absl::StrAppend(&text, "seed:   ", seed, "\ntrace, shrunk:\n", trace, "\n");
  if (!failure.table.empty()) absl::StrAppend(&text, "step by step:\n", failure.table, "\n");
  if (!(std::ofstream(path) << trace)) return absl::StrCat(text, "(the trace could not be written to ", path, ")\n\n");
  return absl::StrCat(text, "again:  ", kCommand, " --trace=", path, " --executors=", executor, "\n\n");
}

}  // namespace futures::conformance
