#include "spec_tests/judges/oracles.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "spec_tests/judges/history.h"
#include "spec_tests/judges/oracles_internal.h"

namespace futures::spec_tests {

using model::OpKind;
using model::ReplyKind;
using model::Visible;

void Findings::check(std::string_view law, bool kept, std::string_view what) {
  ++checked[std::string(law)];
  if (!kept) violations.push_back({std::string(law), std::string(what)});
}

void Findings::add(const Findings& other) {
  for (const auto& [law, count] : other.checked) checked[law] += count;
  violations.insert(violations.end(), other.violations.begin(), other.violations.end());
}

bool Findings::violates(std::string_view law) const {
  return std::any_of(violations.begin(), violations.end(), [&](const Violation& v) { return v.law == law; });
}

Judge::Judge(const Record& record_given, Findings& findings_given)
    : record(record_given), history(record_given.history), findings(findings_given) {
  const model::CallSet mapped = mapped_calls(record.trace);
  for (const auto& [call, unused] : history.calls) {
    if (history.accepted(call) && !model::is_in(mapped, static_cast<model::Call>(call))) accepted.push_back(call);
  }
}

Visible Judge::last_seen(int call) const {
  return static_cast<std::size_t>(call) < record.last.calls.size() ? record.last.calls[call] : Visible::kAbsent;
}

bool Judge::ended_done(int call) const {
  return last_seen(call) == Visible::kFinished || last_seen(call) == Visible::kCancelled;
}

bool Judge::some_body_runs() const {
  return std::any_of(history.calls.begin(), history.calls.end(),
                     [](const auto& entry) { return entry.second.starts.size() > entry.second.ends.size(); });
}

bool Judge::effective_by(const OperationRecord& shutdown, Moment moment) const {
  if (shutdown.invoked == kNever) return false;
  if (shutdown.has_returned() && shutdown.returned < moment) return true;
  return std::any_of(record.quiet.begin(), record.quiet.end(), [&](const Record::Quiet& quiet) {
    return shutdown.invoked < quiet.events && quiet.events <= moment;
  });
}

namespace {

std::string name(int call) { return absl::StrCat("c", call); }

void check_runs(Judge& judge) {
  for (const int call : judge.accepted) {
    const CallRecord& record = judge.history.calls.at(call);
    const Visible seen = judge.last_seen(call);
    if (record.starts.empty() && !judge.record.finished) continue;
    const model::Reply outcome = seen == Visible::kFinished ? judge.record.last.outcomes[call] : model::Reply{};
    const bool has_result = outcome.kind == ReplyKind::kValue || outcome.kind == ReplyKind::kError;
    judge.findings.check("E2", record.starts.size() <= 1 && !(has_result && record.starts.empty()),
                         absl::StrCat(name(call), " ran ", record.starts.size(), " times, and is ",
                                      has_result ? "finished" : "not finished"));
  }
}

void check_errors(Judge& judge) {
  for (const int call : judge.accepted) {
    const CallRecord& record = judge.history.calls.at(call);
    if (record.ends.empty() || record.outcome.kind != ReplyKind::kError) continue;
    for (const OperationRecord& op : judge.history.operations) {
      const bool asks = op.operation.kind == OpKind::kResult || op.operation.kind == OpKind::kPoll;
      if (!asks || op.operation.call != call || !op.has_returned() || op.reply.kind == ReplyKind::kTimeout) continue;
      judge.findings.check(
          "E3", op.reply == record.outcome,
          absl::StrCat(name(call), " threw ", to_string(record.outcome), ", its future gave ", to_string(op.reply)));
    }
    if (judge.last_seen(call) != Visible::kFinished) {
      if (judge.record.finished)
        judge.findings.check("E3", false, absl::StrCat(name(call), " threw, and is not finished"));
      continue;
    }
    const model::Reply& outcome = judge.record.last.outcomes[call];
    judge.findings.check(
        "E3", outcome == record.outcome,
        absl::StrCat(name(call), " threw ", to_string(record.outcome), ", its future has ", to_string(outcome)));
  }
}

void check_intake(Judge& judge) {
  const auto& operations = judge.history.operations;
  for (const OperationRecord& submit : operations) {
    if (submit.operation.kind != OpKind::kSubmit || !submit.has_returned()) continue;
    const int call = submit.operation.call;
    bool closed = false;
    bool may_be_closed = false;
    for (const OperationRecord& op : operations) {
      if (op.operation.kind != OpKind::kShutdown && op.operation.kind != OpKind::kDestroy) continue;
      closed = closed || judge.effective_by(op, submit.invoked);
      may_be_closed = may_be_closed || op.invoked < submit.returned;
    }
    if (closed) {
      judge.findings.check("E4", submit.reply.kind == ReplyKind::kShutdownError,
                           absl::StrCat("submit of ", name(call), " after shutdown gave ", to_string(submit.reply)));
    }
    if (submit.reply.kind == ReplyKind::kShutdownError) {
      judge.findings.check("E4", may_be_closed, absl::StrCat("submit of ", name(call), " refused without a shutdown"));
      judge.findings.check("E4", judge.history.calls.at(call).starts.empty(),
                           absl::StrCat(name(call), " was refused and ran"));
    }
    if (!may_be_closed && model::is_body_client(submit.client)) {
      judge.findings.check("E10", submit.reply.kind == ReplyKind::kOk,
                           absl::StrCat("submit of ", name(call), " in a body gave ", to_string(submit.reply)));
    }
  }
}

// When `call` starts, those submitted before it have left the queue before it. Of these, every one that runs or will
// run holds a worker, as do all others that run.
void check_order(Judge& judge) {
  if (judge.record.policy.start_order != model::StartOrder::kFifo) return;
  const History& history = judge.history;
  for (const int call : judge.accepted) {
    if (history.calls.at(call).starts.empty()) continue;
    const Moment start = history.calls.at(call).starts.front();
    int holding = 1;
    bool has_earlier = false;
    std::string overtaken;
    for (const int other : judge.accepted) {
      const CallRecord& record = history.calls.at(other);
      if (other == call || record.starts.empty()) continue;
      const bool earlier = history.submitted(other) < history.submit_began(call);
      has_earlier = has_earlier || earlier;
      const bool runs = record.starts.front() < start && (record.ends.empty() || record.ends.front() > start);
      const bool waits = earlier && record.starts.front() > start;
      if (waits) absl::StrAppend(&overtaken, " ", name(other));
      holding += runs || waits ? 1 : 0;
    }
    if (!has_earlier) continue;
    judge.findings.check("E5", overtaken.empty() || holding <= judge.record.policy.max_workers,
                         absl::StrCat(name(call), " started before", overtaken, ", submitted earlier"));
  }
}

void check_workers(Judge& judge) {
  const int max_workers = judge.record.policy.max_workers;
  int running = 0;
  int peak = 0;
  for (const model::Event& event : judge.record.history) {
    running += event.kind == model::ActionKind::kBodyStart ? 1 : 0;
    running -= event.kind == model::ActionKind::kBodyEnd ? 1 : 0;
    peak = std::max(peak, running);
  }
  if (peak >= max_workers) {
    judge.findings.check("E6", peak <= max_workers,
                         absl::StrCat(peak, " calls ran at once on ", max_workers, " workers"));
  }
  for (const Record::Quiet& quiet : judge.record.quiet) {
    const auto& calls = quiet.seen.calls;
    if (std::find(calls.begin(), calls.end(), Visible::kPending) == calls.end()) continue;
    int busy = 0;
    for (std::size_t call = 0; call < calls.size(); ++call) {
      // Between submit's work and its return a call may run unseen.
      busy += calls[call] == Visible::kRunning || (calls[call] == Visible::kAbsent && quiet.seen.started[call]) ? 1 : 0;
    }
    judge.findings.check("E6", busy >= max_workers,
                         absl::StrCat("after step ", quiet.step, " a call is pending and only ", busy, " of ",
                                      max_workers, " workers are busy"));
  }
}

void check_nothing_lost(Judge& judge) {
  if (!judge.record.finished && judge.some_body_runs()) return;
  for (const int call : judge.accepted) {
    const bool done = judge.ended_done(call);
    const bool dropped = done && judge.last_seen(call) == Visible::kFinished && !judge.record.policy.worker_death &&
                         judge.record.last.outcomes[call].kind == ReplyKind::kBroken;
    judge.findings.check("E7", done && !dropped,
                         absl::StrCat(name(call), dropped ? " was dropped" : " was accepted and is not done"));
  }
}

constexpr std::string_view kOracleLaws[] = {"E2", "E3", "E4", "E5", "E6", "E7", "E10", "F1", "F2", "F3",
                                            "F5", "F8", "F9", "W1", "W2", "W3", "W4",  "W5", "M1", "M3",
                                            "M4", "M8", "S1", "S2", "S3", "S4", "S5",  "S6", "S7", "S9"};

}  // namespace

absl::Span<const std::string_view> oracle_laws() { return kOracleLaws; }

Findings check_laws(const Record& record) {
  Findings findings;
  Judge judge(record, findings);
  check_runs(judge);
  check_errors(judge);
  check_intake(judge);
  check_order(judge);
  check_workers(judge);
  check_nothing_lost(judge);
  check_future_laws(judge);
  check_shutdown_laws(judge);
  check_wait_laws(judge);
  return findings;
}

}  // namespace futures::spec_tests
