#include "spec_tests/judges/stepwise.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reference/acceptor.h"

namespace futures::spec_tests {
namespace {

using Clock = std::chrono::steady_clock;

// Observes until the model knows what it sees, or the patience is over. Returns the last observation.
Observation observe_until_known(TracePlayer& player, const WorldSet& worlds, std::chrono::milliseconds patience) {
  constexpr int kYields = 200;  // Then it sleeps, so as to leave the processor to the executor.
  const Clock::time_point until = Clock::now() + patience;
  for (int tries = 0;; ++tries) {
    Observation seen = player.observe();
    if (worlds.contains(seen) || Clock::now() >= until) return seen;
    if (tries < kYields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
}

// Compares one quiet moment. Returns false if the model does not know it.
bool compare(TracePlayer& player, WorldSet& worlds, const StepwiseOptions& options, std::string step,
             EpisodeReport& report) {
  StepRow row{.step = std::move(step), .expected = worlds.observations()};
  report.deterministic = report.deterministic && row.expected.size() == 1;
  row.seen = observe_until_known(player, worlds, options.patience);
  row.kept = worlds.contains(row.seen);
  if (row.kept) worlds.keep(row.seen);
  report.rows.push_back(std::move(row));
  return report.rows.back().kept;
}

bool gave_up(const WorldSet& worlds, EpisodeReport& report) {
  if (worlds.status().ok()) return false;
  report.gave_up = true;
  report.deterministic = false;
  return true;
}

// Returns false once something is seen that the model does not know, or the model gives up.
bool run_steps(TracePlayer& player, WorldSet& worlds, const StepwiseOptions& options, EpisodeReport& report) {
  const Trace& trace = report.record.trace;
  for (int index = 0; index < std::ssize(trace.steps); ++index) {
    std::string text = absl::StrCat(trace.steps[index].client, " ", to_text(trace.steps[index].statement));
    if (!worlds.issue(index)) {
      if (gave_up(worlds, report)) return false;
      report.rows.push_back({.step = std::move(text), .skipped = true});
      continue;
    }
    if (gave_up(worlds, report)) return false;
    report.status = player.issue(index);
    if (!report.status.ok()) return false;
    const bool known = compare(player, worlds, options, std::move(text), report);
    report.record.quiet.push_back({.step = index, .events = player.history().size(), .seen = report.rows.back().seen});
    if (!known) return false;
  }
  return true;
}

void finish(TracePlayer& player, Record& record) {
  const absl::Status ended = player.finish();
  record.finished = ended.ok();
  record.stuck = std::string(ended.message());
  record.last = player.observe();
  record.history = player.history();
}

std::string describe(const std::vector<Observation>& expected) {
  if (expected.empty()) return "nothing";
  std::string text = to_string(expected.front());
  if (expected.size() > 1) absl::StrAppend(&text, "  (or ", expected.size() - 1, " other ways)");
  return text;
}

}  // namespace

void judge_record(EpisodeReport& report) {
  const Record& record = report.record;
  Findings laws = check_laws(record);
  model::Acceptor acceptor(record.policy, record.trace.clients + 1);
  for (const model::Event& event : record.history) {
    if (acceptor.feed(event)) continue;
    report.rejection = acceptor.rejection();
    break;
  }
  if (report.rejection.empty() && !record.finished) report.rejection = absl::StrCat("it never ends; ", record.stuck);
  ++laws.checked[kModelLaw];
  if (!report.rejection.empty() && laws.violations.empty()) {
    laws.violations.push_back({kModelLaw, report.rejection});
  }
  report.findings.add(laws);
}

EpisodeReport run_stepwise(TracePlayer& player, const Trace& trace, const StepwiseOptions& options) {
  EpisodeReport report;
  report.record = {.trace = trace, .policy = player.policy(trace.workers)};
  report.status = player.begin(trace);
  if (!report.status.ok()) return report;
  WorldSet worlds(report.record.policy, trace, options.worlds);
  const bool known = run_steps(player, worlds, options, report);
  finish(player, report.record);
  if (!report.status.ok()) return report;
  if (known && report.record.finished) {
    worlds.finish();
    if (!gave_up(worlds, report)) compare(player, worlds, options, "the epilogue", report);
  }
  judge_record(report);
  int compared = 0;
  for (const StepRow& row : report.rows) {
    compared += row.skipped ? 0 : 1;
    if (row.kept || !report.findings.violations.empty()) continue;
    report.findings.violations.push_back({kStepLaw, absl::StrCat("after ", row.step, " it looks like no model does")});
  }
  report.findings.checked[kStepLaw] += compared;
  return report;
}

std::string differences(const EpisodeReport& report, const EpisodeReport& reference) {
  if (!report.deterministic || !reference.deterministic) return "";
  const std::size_t rows = std::min(report.rows.size(), reference.rows.size());
  for (std::size_t i = 0; i < rows; ++i) {
    if (report.rows[i].skipped == reference.rows[i].skipped && report.rows[i].seen == reference.rows[i].seen) continue;
    return absl::StrCat("after ", report.rows[i].step, ": ", to_string(report.rows[i].seen),
                        ", the reference: ", to_string(reference.rows[i].seen));
  }
  return report.rows.size() == reference.rows.size() ? "" : "another number of steps than the reference";
}

std::string to_table(const EpisodeReport& report) {
  std::string table;
  for (const StepRow& row : report.rows) {
    if (row.skipped) {
      absl::StrAppend(&table, "  - ", row.step, "\n      skipped\n");
    } else if (row.kept) {
      absl::StrAppend(&table, "  - ", row.step, "\n      as expected  ", to_string(row.seen), "\n");
    } else {
      absl::StrAppend(&table, "  ! ", row.step, "\n      expected     ", describe(row.expected),
                      "\n      seen         ", to_string(row.seen), "\n");
    }
  }
  if (!report.record.finished) absl::StrAppend(&table, "  ! the epilogue\n      ", report.record.stuck, "\n");
  return table;
}

}  // namespace futures::spec_tests
