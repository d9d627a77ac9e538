// Laws F1, F2, F3, F5, F8, F9.
#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "spec_tests/judges/oracles_internal.h"

namespace futures::spec_tests {
namespace {

using model::OpKind;
using model::ReplyKind;
using model::Visible;

std::string name(int call) { return absl::StrCat("c", call); }

bool may_follow(Visible before, Visible after) {
  if (before == after || before == Visible::kAbsent) return true;
  if (before == Visible::kPending) return after != Visible::kAbsent;
  return before == Visible::kRunning && after == Visible::kFinished;
}

void check_states(Judge& judge) {
  const auto compare = [&](const Observation& before, const Observation& after) {
    for (std::size_t call = 0; call < before.calls.size() && call < after.calls.size(); ++call) {
      if (before.calls[call] == Visible::kAbsent) continue;
      judge.findings.check(
          "F1", may_follow(before.calls[call], after.calls[call]),
          absl::StrCat(name(static_cast<int>(call)), " went back to an earlier state, or left a last one"));
    }
  };
  const auto& quiet = judge.record.quiet;
  for (std::size_t i = 0; i < quiet.size(); ++i) {
    compare(quiet[i].seen, i + 1 < quiet.size() ? quiet[i + 1].seen : judge.record.last);
  }
}

bool was_seen_cancelled(const Judge& judge, int call) {
  if (judge.last_seen(call) == Visible::kCancelled) return true;
  return std::any_of(judge.record.quiet.begin(), judge.record.quiet.end(),
                     [&](const Record::Quiet& quiet) { return quiet.seen.calls[call] == Visible::kCancelled; });
}

void check_cancels(Judge& judge) {
  const auto& operations = judge.history.operations;
  for (const OperationRecord& cancel : operations) {
    if (cancel.operation.kind != OpKind::kCancel || !cancel.has_returned()) continue;
    const int call = cancel.operation.call;
    const CallRecord& record = judge.history.calls.at(call);
    if (cancel.reply.kind == ReplyKind::kTrue) {
      judge.findings.check("F2", record.starts.empty(),
                           absl::StrCat("cancel of ", name(call), " was true, and it ran"));
    } else if (judge.record.finished) {
      judge.findings.check("F2", !record.starts.empty() && judge.last_seen(call) == Visible::kFinished,
                           absl::StrCat("cancel of ", name(call), " was false, and it did not run to its end"));
    }
    for (const OperationRecord& later : operations) {
      const bool follows = later.operation.kind == OpKind::kCancel && later.operation.call == call &&
                           later.has_returned() && later.invoked > cancel.returned;
      if (!follows) continue;
      judge.findings.check(
          "F2", later.reply == cancel.reply,
          absl::StrCat("cancel of ", name(call), " was ", to_string(cancel.reply), ", then ", to_string(later.reply)));
    }
  }
  for (const int call : judge.accepted) {
    if (!was_seen_cancelled(judge, call)) continue;
    judge.findings.check("F2", judge.history.calls.at(call).starts.empty(),
                         absl::StrCat(name(call), " was cancelled, and ran"));
  }
}

void check_results(Judge& judge) {
  for (const OperationRecord& op : judge.history.operations) {
    const bool waits = op.operation.kind == OpKind::kResult;
    if (!waits && op.operation.kind != OpKind::kPoll) continue;
    const int call = op.operation.call;
    const CallRecord& record = judge.history.calls.at(call);
    if (!op.has_returned()) {
      if (judge.record.finished || !judge.ended_done(call)) continue;
      judge.findings.check("F5", false, absl::StrCat(name(call), " is done, and a result of it still waits"));
      continue;
    }
    const bool ended = !record.ends.empty() && record.ends.front() < op.returned;
    bool kept = false;
    switch (op.reply.kind) {
      case ReplyKind::kValue:
      case ReplyKind::kError:
        kept = ended && op.reply == record.outcome;
        break;
      case ReplyKind::kCancelled:
        kept = record.starts.empty();
        break;
      case ReplyKind::kTimeout:
        kept = !waits && record.known_done > op.invoked;
        break;
      case ReplyKind::kBroken:
        kept = judge.record.policy.worker_death;
        break;
      default:
        break;
    }
    judge.findings.check("F3", kept,
                         absl::StrCat(waits ? "result of " : "poll of ", name(call), " gave ", to_string(op.reply),
                                      record.ends.empty() ? std::string(", its body has not ended")
                                                          : absl::StrCat(", its body ", to_string(record.outcome))));
    if (waits && op.invoked < std::min(record.known_done, record.ends.empty() ? kNever : record.ends.front())) {
      judge.findings.check("F5", true, "");
    }
  }
}

// A callback that ran inside its own add_done_callback.
bool is_late(const OperationRecord& add, const CallbackRecord::Run& run) {
  return run.client == add.client && run.at > add.invoked && run.at < add.returned;
}

void check_callback(Judge& judge, int registration, const CallbackRecord& callback) {
  if (callback.add < 0) {
    judge.findings.check("F8", false, absl::StrCat("r", registration, " ran and was not added"));
    return;
  }
  const OperationRecord& add = judge.history.operations[callback.add];
  const int call = add.operation.call;
  const CallRecord& record = judge.history.calls.at(call);
  const bool must_run = judge.record.finished && add.has_returned() && judge.ended_done(call);
  if (record.known_done < add.invoked && add.has_returned()) {
    judge.findings.check(
        "F9", callback.runs.size() == 1 && is_late(add, callback.runs.front()),
        absl::StrCat("r", registration, ", added when ", name(call), " was done, did not run once and in its adder"));
    return;
  }
  if (callback.runs.empty() && !must_run) return;
  judge.findings.check("F8", callback.runs.size() == 1,
                       absl::StrCat("r", registration, " of ", name(call), " ran ", callback.runs.size(), " times"));
  if (callback.runs.empty()) return;
  const bool body_over =
      record.starts.empty() || (!record.ends.empty() && record.ends.front() < callback.runs.front().at);
  judge.findings.check("F8", body_over, absl::StrCat("r", registration, " ran before ", name(call), " was done"));
}

void check_callback_order(Judge& judge) {
  const auto& operations = judge.history.operations;
  for (const auto& [first, one] : judge.history.callbacks) {
    for (const auto& [second, other] : judge.history.callbacks) {
      if (one.add < 0 || other.add < 0 || one.runs.empty() || other.runs.empty()) continue;
      const OperationRecord& add_one = operations[one.add];
      const OperationRecord& add_other = operations[other.add];
      if (add_one.operation.call != add_other.operation.call || add_one.returned >= add_other.invoked) continue;
      if (is_late(add_one, one.runs.front()) || is_late(add_other, other.runs.front())) continue;
      judge.findings.check("F8", one.runs.front().at < other.runs.front().at,
                           absl::StrCat("r", second, " ran before r", first, ", which was added earlier"));
    }
  }
}

}  // namespace

void check_future_laws(Judge& judge) {
  check_states(judge);
  check_cancels(judge);
  check_results(judge);
  for (const auto& [registration, callback] : judge.history.callbacks) check_callback(judge, registration, callback);
  check_callback_order(judge);
}

}  // namespace futures::spec_tests
