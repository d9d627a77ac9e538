#include "tools/conformance_run.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "futures/internal/time.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/concurrent.h"
#include "spec_tests/judges/oracles.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/registry/registry.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::conformance {
namespace {

using spec_tests::CandidateEntry;
using spec_tests::EpisodeReport;
using spec_tests::Findings;
using spec_tests::Trace;

using Clock = std::chrono::steady_clock;

// How long a check of a law may take. It waits for what the law promises, so only a hanging executor gets here.
constexpr std::chrono::seconds kCheckPatience{60};
// How long to wait for an executor that has failed before, or is broken on purpose: it would otherwise take hours to
// shrink a trace that hangs.
constexpr std::chrono::milliseconds kShortPatience{400};
// More failing traces of one executor say nothing new.
constexpr int kFailingTracesMax = 3;
// One that is broken on purpose gets more, until it is caught at its law.
constexpr int kFailingTracesOfBrokenMax = 40;
constexpr int kShrinkTriesMax = 300;
constexpr std::chrono::seconds kShrinkPatience{8};
// A race that a free run lost once is lost again within so many.
constexpr int kConcurrentTries = 5;
// Of each trace, on an executor whose code is simulated. A new one finds more than the same one longer.
constexpr long kSchedulesPerTrace = 40;

enum class Mode { kStepwise, kConcurrent, kSimulated };

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::kStepwise:
      return "step by step";
    case Mode::kConcurrent:
      return "with clients running freely";
    case Mode::kSimulated:
      return "in the simulator";
  }
  return "";
}

EpisodeReport run_once(spec_tests::TracePlayer& player, const Trace& trace, Mode mode,
                       std::chrono::milliseconds patience) {
  if (mode == Mode::kConcurrent) return run_concurrent(player, trace);
  return run_stepwise(player, trace, {.patience = patience});
}

Failure failure_of(const std::string& law, const EpisodeReport& report) {
  Failure failure{.law = law, .trace = report.record.trace, .table = to_table(report)};
  for (const Findings::Violation& violation : report.findings.violations) {
    if (violation.law == law && failure.what.empty()) failure.what = violation.what;
  }
  if (law == spec_tests::kModelLaw) failure.what = "the model has no such history";
  if (!report.rejection.empty()) absl::StrAppend(&failure.table, "history:\n", report.rejection, "\n");
  absl::StrAppend(&failure.table, report.simulation);
  return failure;
}

// One executor under test, and what has come of it.
class CandidateRun {
 public:
  CandidateRun(const CandidateEntry& entry, const Options& options) : entry_(entry), options_(options) {
    result.name = entry.name;
    if (entry.broken()) patience_ = kShortPatience;
    if (entry.make != nullptr) player_ = entry.make(patience_);
  }

  void check_laws();
  // Returns the report of the stepwise run, for comparison.
  EpisodeReport run_trace(const Trace& trace, const std::string& name);
  void compare(const EpisodeReport& report, const EpisodeReport& reference, const std::string& name);
  void settle_cells();
  bool active() const { return result.missing.empty() && !result.stopped_early; }
  bool broken() const { return entry_.broken(); }
  // Whether traces say anything about it: not where what is broken on purpose is to be caught at a law that only checks
  // ask for.
  bool traces_tell() const;
  // Whether it has been found to violate the law that it is known to break.
  bool caught() const;

  ExecutorResult result;

 private:
  bool is_selected(std::string_view law) const;
  bool wants(std::string_view law) const;
  void count(const Findings& findings);
  void run_check(const spec_tests::Law& law);
  bool run_in_mode(const Trace& trace, Mode mode, const std::string& name, EpisodeReport& report);
  void count_failing_trace();
  void report_failures(const EpisodeReport& report, Mode mode, const std::string& name);
  Failure shrink(const std::string& law, const EpisodeReport& report, Mode mode);
  void grow_impatient();

  const CandidateEntry& entry_;
  const Options& options_;
  std::chrono::milliseconds patience_ = spec_tests::kPlayerPatience;
  std::unique_ptr<spec_tests::TracePlayer> player_;
  int failing_traces_ = 0;
};

bool CandidateRun::wants(std::string_view law) const {
  return !entry_.skips.contains(std::string(law)) && is_selected(law);
}

bool CandidateRun::is_selected(std::string_view law) const {
  return options_.laws.empty() || std::find(options_.laws.begin(), options_.laws.end(), law) != options_.laws.end();
}

bool CandidateRun::caught() const {
  const auto found = result.laws.find(entry_.broken_law);
  return found != result.laws.end() && found->second.violations > 0;
}

bool CandidateRun::traces_tell() const {
  const auto laws = spec_tests::oracle_laws();
  return !broken() || options_.replay.has_value() ||
         std::find(laws.begin(), laws.end(), entry_.broken_law) != laws.end();
}

void CandidateRun::count(const Findings& findings) {
  for (const auto& [law, checked] : findings.checked) {
    if (wants(law)) result.laws[law].checked += checked;
  }
  for (const Findings::Violation& violation : findings.violations) {
    if (wants(violation.law)) ++result.laws[violation.law].violations;
  }
}

void CandidateRun::check_laws() {
  if (!entry_.candidate.has_value()) return;
  for (const spec_tests::Law& law : spec_tests::all_laws()) {
    // What is broken on purpose promises nothing, and is looked at where it must be caught.
    if (!can_run(law, *entry_.candidate) || !wants(law.id) || (entry_.broken() && entry_.broken_law != law.id))
      continue;
    options_.progress(absl::StrCat(entry_.name, "  ", law.id, " ", law.name));
    run_check(law);
  }
}

void CandidateRun::run_check(const spec_tests::Law& law) {
  struct Shared {
    explicit Shared(const spec_tests::Candidate& candidate) : run(candidate) {}
    spec_tests::LawRun run;
    absl::Notification ended;
  };
  auto shared = std::make_shared<Shared>(*entry_.candidate);
  std::thread thread([shared, check = law.check] {
    check(shared->run);
    shared->ended.Notify();
  });
  const bool ended = shared->ended.WaitForNotificationWithTimeout(absl::FromChrono(kCheckPatience));
  ended ? thread.join() : thread.detach();
  std::vector<std::string> violations = shared->run.violations();
  if (!ended) violations.push_back("the check does not come to its end");
  Cell& cell = result.laws[std::string(law.id)];
  cell.checked += shared->run.checked();
  cell.violations += static_cast<int>(violations.size());
  if (violations.empty()) return;
  std::string what = std::move(violations.front());
  if (violations.size() > 1) absl::StrAppend(&what, "  (and ", violations.size() - 1, " more of this check)");
  result.failures.push_back(
      {.law = std::string(law.id), .what = std::move(what), .where = absl::StrCat("check ", law.name)});
}

EpisodeReport CandidateRun::run_trace(const Trace& trace, const std::string& name) {
  if (!entry_.is_asked(trace)) {
    ++result.traces_not_asked;
    return {};
  }
  ++result.traces;
  if (entry_.simulated.has_value()) {
    EpisodeReport simulated;
    if (!run_in_mode(trace, Mode::kSimulated, name, simulated)) count_failing_trace();
    return {};
  }
  EpisodeReport stepwise;
  EpisodeReport concurrent;
  const bool is_stepwise = entry_.is_stepwise(trace);
  const bool kept = (!is_stepwise || run_in_mode(trace, Mode::kStepwise, name, stepwise)) &&
                    run_in_mode(trace, Mode::kConcurrent, name, concurrent);
  if (stepwise.gave_up || !is_stepwise) ++result.traces_given_up;
  if (!kept) count_failing_trace();
  return stepwise;
}

void CandidateRun::count_failing_trace() {
  ++failing_traces_;
  const bool enough = !broken() || caught();
  result.stopped_early = failing_traces_ >= (enough ? kFailingTracesMax : kFailingTracesOfBrokenMax);
}

bool CandidateRun::run_in_mode(const Trace& trace, Mode mode, const std::string& name, EpisodeReport& report) {
  if (!result.missing.empty()) return true;
  report = mode == Mode::kSimulated ? entry_.simulated->run(trace, kSchedulesPerTrace)
                                    : run_once(*player_, trace, mode, patience_);
  if (!report.status.ok()) {
    result.missing = std::string(report.status.message());
    return true;
  }
  count(report.findings);
  if (report.rejection.empty()) result.coverage.add(report.record.history);
  // What it is not held to does not count as failing: the run would stop after a few such traces, and say that all is
  // well.
  const auto& violations = report.findings.violations;
  const bool is_held_to_one =
      std::any_of(violations.begin(), violations.end(),
                  [&](const Findings::Violation& violation) { return !entry_.skips.contains(violation.law); });
  if (!is_held_to_one) return true;
  if (mode != Mode::kSimulated) grow_impatient();
  report_failures(report, mode, name);
  return false;
}

void CandidateRun::grow_impatient() {
  if (patience_ == kShortPatience) return;
  patience_ = kShortPatience;
  player_ = entry_.make(patience_);
}

void CandidateRun::report_failures(const EpisodeReport& report, Mode mode, const std::string& name) {
  for (const Findings::Violation& violation : report.findings.violations) {
    const bool known = std::any_of(result.failures.begin(), result.failures.end(), [&](const Failure& failure) {
      return failure.trace.has_value() && failure.law == violation.law;
    });
    if (known || !wants(violation.law)) continue;
    options_.progress(absl::StrCat(entry_.name, "  shrinking a trace that breaks ", violation.law));
    Failure failure = mode == Mode::kSimulated
                          ? failure_of(violation.law, entry_.simulated->shrink(report, violation.law))
                          : shrink(violation.law, report, mode);
    failure.where = absl::StrCat(name, ", ", name_of(mode));
    result.failures.push_back(std::move(failure));
  }
}

Failure CandidateRun::shrink(const std::string& law, const EpisodeReport& report, Mode mode) {
  EpisodeReport smallest = report;
  const Clock::time_point until = Clock::now() + kShrinkPatience;
  const auto still_fails = [&](const Trace& trace) {
    if (!entry_.is_asked(trace)) return false;
    const int tries = mode == Mode::kStepwise ? 1 : kConcurrentTries;
    for (int i = 0; i < tries && Clock::now() < until; ++i) {
      EpisodeReport again = run_once(*player_, trace, mode, patience_);
      if (!again.findings.violates(law)) continue;
      smallest = std::move(again);
      return true;
    }
    return false;
  };
  spec_tests::shrink_trace(report.record.trace, still_fails, kShrinkTriesMax);
  return failure_of(law, smallest);
}

void CandidateRun::compare(const EpisodeReport& report, const EpisodeReport& reference, const std::string& name) {
  if (report.record.policy != reference.record.policy || !report.ok() || !wants(spec_tests::kStepLaw)) return;
  const std::string difference = differences(report, reference);
  if (difference.empty()) return;
  ++result.laws[spec_tests::kStepLaw].violations;
  result.failures.push_back({.law = spec_tests::kStepLaw,
                             .what = difference,
                             .where = name,
                             .trace = report.record.trace,
                             .table = to_table(report)});
}

// Every law that applies has a cell, and so has every one that is skipped.
void CandidateRun::settle_cells() {
  const bool runs_checks = entry_.candidate.has_value() && !options_.replay.has_value() && !entry_.broken();
  const bool runs_traces = options_.traces > 0 && !options_.replay.has_value() && traces_tell();
  const auto require = [&](std::string_view law) {
    if (wants(law)) result.laws[std::string(law)].required = true;
  };
  if (runs_checks) {
    for (const spec_tests::Law& law : spec_tests::all_laws()) {
      if (can_run(law, *entry_.candidate)) require(law.id);
    }
  }
  if (runs_traces) {
    for (const std::string_view law : spec_tests::oracle_laws()) require(law);
    require(spec_tests::kModelLaw);
    require(spec_tests::kStepLaw);
  }
  for (const auto& [law, reason] : entry_.skips) {
    if (is_selected(law)) result.laws[law] = {.skipped = reason};
  }
}

void run_traces(const Options& options, std::vector<std::unique_ptr<CandidateRun>>& candidates) {
  const int traces = options.replay.has_value() ? 1 : options.traces;
  for (int index = 0; index < traces; ++index) {
    const Trace trace = options.replay.has_value() ? *options.replay : spec_tests::trace_from_seed(options.seed, index);
    const std::string name =
        options.replay.has_value() ? "the trace" : absl::StrCat("trace ", index, " of seed ", options.seed);
    options.progress(absl::StrCat("trace ", index + 1, " of ", traces));
    std::optional<EpisodeReport> reference;
    for (auto& candidate : candidates) {
      if (!candidate->active() || !candidate->traces_tell()) continue;
      EpisodeReport report = candidate->run_trace(trace, name);
      if (!candidate->result.missing.empty()) continue;
      if (reference.has_value() && !report.record.trace.steps.empty()) candidate->compare(report, *reference, name);
      if (candidate->result.name == "reference" && report.ok()) reference = std::move(report);
    }
  }
}

}  // namespace

std::vector<ExecutorResult> run(const Options& options) {
  std::vector<std::unique_ptr<CandidateRun>> candidates;
  for (const std::string& name : options.executors) {
    candidates.push_back(std::make_unique<CandidateRun>(*spec_tests::find_candidate(name), options));
  }
  const auto check_laws_of = [&](auto wanted) {
    for (auto& candidate : candidates) {
      if (!options.replay.has_value() && wanted(*candidate)) candidate->check_laws();
    }
  };
  check_laws_of([](const CandidateRun& candidate) { return !candidate.broken(); });
  run_traces(options, candidates);
  // Checks of laws wait out the patience at each thing that is broken.
  check_laws_of([](const CandidateRun& candidate) { return candidate.broken() && !candidate.caught(); });
  std::vector<ExecutorResult> results;
  for (auto& candidate : candidates) {
    candidate->settle_cells();
    results.push_back(std::move(candidate->result));
  }
  return results;
}

bool passed(const std::vector<ExecutorResult>& results) {
  return std::all_of(results.begin(), results.end(), [](const ExecutorResult& result) {
    if (!result.missing.empty()) return false;
    return std::all_of(result.laws.begin(), result.laws.end(), [](const auto& entry) {
      const Cell& cell = entry.second;
      return cell.violations == 0 && !(cell.required && cell.skipped.empty() && cell.checked == 0);
    });
  });
}

}  // namespace futures::conformance
