// Laws W1 to W5, M1, M3, M4, M8.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "spec_tests/judges/oracles_internal.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

using model::Call;
using model::CallSet;
using model::OpKind;
using model::ReplyKind;
using model::Visible;

std::string name(int call) { return absl::StrCat("c", call); }

// Calls f(call) for each of `calls` that the history knows.
template <typename F>
void for_each_call(const Judge& judge, CallSet calls, F f) {
  for (const auto& [call, record] : judge.history.calls) {
    if (model::is_in(calls, static_cast<Call>(call))) f(call, record);
  }
}

// Whether `call` may be said to be done at `moment`: its body is over, or it never runs.
bool may_be_done(const CallRecord& record, Moment moment) {
  return record.starts.empty() || (!record.ends.empty() && record.ends.front() < moment);
}

bool was_cancelled_before(const Judge& judge, int call, Moment moment) {
  const auto& operations = judge.history.operations;
  return std::any_of(operations.begin(), operations.end(), [&](const OperationRecord& op) {
    return op.operation.kind == OpKind::kCancel && op.operation.call == call && op.reply.kind == ReplyKind::kTrue &&
           op.returned < moment;
  });
}

// A wait that does not return though it should.
void check_no_hang(Judge& judge, const OperationRecord& op) {
  if (op.operation.poll || judge.record.finished) return;
  bool all_done = true;
  bool one_done = op.operation.calls == 0;
  bool one_threw = false;
  for_each_call(judge, op.operation.calls, [&](int call, const CallRecord& record) {
    const bool done = judge.ended_done(call);
    all_done = all_done && done;
    one_done = one_done || done;
    one_threw = one_threw || (done && record.outcome.kind == ReplyKind::kError);
  });
  const bool enough = all_done || (op.operation.when == model::ReturnWhen::kFirstCompleted && one_done) ||
                      (op.operation.when == model::ReturnWhen::kFirstException && one_threw);
  const bool steps = op.operation.kind == OpKind::kNext;
  if (steps ? one_done : enough) {
    judge.findings.check(steps ? "W5" : "W3", false,
                         absl::StrCat(to_string(op.operation), " hangs, and there is enough done"));
  }
}

void check_wait(Judge& judge, const OperationRecord& op) {
  const CallSet asked = op.operation.calls;
  const std::string what = absl::StrCat(to_string(op.operation), " gave ", to_string(op.reply));
  judge.findings.check("W2", op.reply.kind == ReplyKind::kDone, absl::StrCat(what, ", which is no partition"));
  if (op.reply.kind != ReplyKind::kDone) return;
  const auto done = static_cast<CallSet>(op.reply.value);
  if (asked == 0) judge.findings.check("W1", done == 0, what);
  bool one_threw = false;
  for_each_call(judge, asked, [&](int call, const CallRecord& record) {
    const bool told = model::is_in(done, static_cast<Call>(call));
    if (told) {
      judge.findings.check("W2", may_be_done(record, op.returned), absl::StrCat(what, ", and ", name(call), " runs"));
      one_threw = one_threw || record.outcome.kind == ReplyKind::kError;
    }
    if (record.known_done < op.invoked) {
      judge.findings.check("W2", told, absl::StrCat(what, ", and ", name(call), " was done before"));
    }
    if (was_cancelled_before(judge, call, op.invoked)) {
      judge.findings.check("W4", told, absl::StrCat(what, ", and ", name(call), " was cancelled before"));
    }
  });
  if (op.operation.poll) return;
  bool kept = done == asked;
  if (op.operation.when == model::ReturnWhen::kFirstCompleted) kept = kept || done != 0;
  if (op.operation.when == model::ReturnWhen::kFirstException) kept = kept || one_threw;
  judge.findings.check("W3", kept, absl::StrCat(what, ": too early"));
}

void check_next(Judge& judge, const OperationRecord& op) {
  const std::string what = absl::StrCat(to_string(op.operation), " gave ", to_string(op.reply));
  bool one_was_done = false;
  for_each_call(judge, op.operation.calls,
                [&](int, const CallRecord& record) { one_was_done = one_was_done || record.known_done < op.invoked; });
  if (op.reply.kind == ReplyKind::kTimeout) {
    const bool may_miss = !one_was_done || !judge.record.policy.ready_after_deadline;
    return judge.findings.check("W5", op.operation.poll && may_miss, absl::StrCat(what, ", and something was done"));
  }
  const bool asked =
      op.reply.kind == ReplyKind::kDone && model::is_in(op.operation.calls, static_cast<Call>(op.reply.value));
  judge.findings.check("W5", asked, absl::StrCat(what, ", which is none of these"));
  if (!asked) return;
  const CallRecord& record = judge.history.calls.at(op.reply.value);
  judge.findings.check("W5", may_be_done(record, op.returned), absl::StrCat(what, ", which is not done"));
  if (!one_was_done || !judge.record.policy.done_at_call_first) return;
  const bool came_later = !record.ends.empty() && record.ends.front() > op.invoked;
  judge.findings.check("W5", !came_later, absl::StrCat(what, ", and another one was done before it"));
}

// What a map has let go of starts no more, once all is quiet after that: until then what was running may begin its
// body. So it may for ever where calls are running that no worker has.
void check_let_go(Judge& judge, const OperationRecord& op, std::string_view law) {
  if (judge.record.policy.claims_ahead > 0) return;
  for (const Record::Quiet& quiet : judge.record.quiet) {
    if (quiet.events <= op.returned) continue;
    for_each_call(judge, op.operation.calls, [&](int call, const CallRecord& record) {
      const bool starts_late =
          std::any_of(record.starts.begin(), record.starts.end(), [&](Moment start) { return start >= quiet.events; });
      judge.findings.check(law, !starts_late, absl::StrCat(name(call), " starts after its map has been let go"));
    });
    return;
  }
}

void check_item(Judge& judge, const OperationRecord& op) {
  const int call = op.operation.call;
  const CallRecord& record = judge.history.calls.at(call);
  const bool ended = !record.ends.empty() && record.ends.front() < op.returned;
  const std::string what = absl::StrCat("the item of ", name(call), " is ", to_string(op.reply));
  if (op.reply.kind == ReplyKind::kValue) {
    return judge.findings.check("M1", ended && op.reply == record.outcome, what);
  }
  const bool kept =
      op.reply.kind == ReplyKind::kCancelled ? record.starts.empty() : ended && op.reply == record.outcome;
  judge.findings.check("M3", kept || judge.record.policy.worker_death, what);
  if (judge.record.policy.map_ends_at_error) return check_let_go(judge, op, "M3");
  if (op.reply.kind != ReplyKind::kCancelled) return;
  // Nobody can name a call of a map, so only a shutdown cancels one whose item is still to come.
  const auto& operations = judge.history.operations;
  const bool is_shut_down = std::any_of(operations.begin(), operations.end(), [&](const OperationRecord& other) {
    return other.operation.kind == OpKind::kShutdown && other.operation.cancel_futures && other.invoked < op.returned;
  });
  judge.findings.check("M3", is_shut_down, absl::StrCat(what, ", and nobody has cancelled it"));
}

// The first submit of a map, once the intake is closed.
void check_refusal(Judge& judge, const OperationRecord& op) {
  const auto& operations = judge.history.operations;
  const bool closed = std::any_of(operations.begin(), operations.end(), [&](const OperationRecord& other) {
    return other.operation.kind == OpKind::kShutdown && judge.effective_by(other, op.invoked);
  });
  if (!closed) return;
  judge.findings.check("M8", op.reply.kind == ReplyKind::kShutdownError,
                       absl::StrCat("a map after shutdown gave ", to_string(op.reply)));
}

}  // namespace

void check_wait_laws(Judge& judge) {
  const CallSet mapped = mapped_calls(judge.record.trace);
  for (const OperationRecord& op : judge.history.operations) {
    const OpKind kind = op.operation.kind;
    const bool of_map = op.operation.call != model::kNoCall && model::is_in(mapped, op.operation.call);
    if (kind == OpKind::kWait || kind == OpKind::kNext) {
      if (!op.has_returned()) {
        check_no_hang(judge, op);
      } else {
        kind == OpKind::kWait ? check_wait(judge, op) : check_next(judge, op);
      }
    }
    if (!op.has_returned()) continue;
    if (kind == OpKind::kResult && of_map) check_item(judge, op);
    if (kind == OpKind::kSubmit && of_map) check_refusal(judge, op);
    if (kind == OpKind::kAbandon) check_let_go(judge, op, "M4");
  }
}

}  // namespace futures::spec_tests
