// Laws S1, S2, S3, S4, S5, S6, S7, S9.
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

bool is_shutdown(const OperationRecord& op) { return op.operation.kind == OpKind::kShutdown; }

// What is wrong if `shutdown`, which waited, returned: the calls that were not over by then.
std::string left_over(const Judge& judge, const OperationRecord& shutdown) {
  std::string left;
  for (const int call : judge.accepted) {
    const CallRecord& record = judge.history.calls.at(call);
    if (judge.last_seen(call) == Visible::kCancelled && record.starts.empty()) continue;
    if (!record.ends.empty() && record.ends.back() < shutdown.returned && record.starts.size() == record.ends.size()) {
      continue;
    }
    absl::StrAppend(&left, " ", name(call));
  }
  return left;
}

// Whether the policy lets it return at once: another shutdown did not wait.
bool need_not_wait(const Judge& judge, const OperationRecord& shutdown) {
  const auto& operations = judge.history.operations;
  return !judge.record.policy.later_shutdown_waits &&
         std::any_of(operations.begin(), operations.end(), [&](const OperationRecord& op) {
           return is_shutdown(op) && !op.operation.wait && op.invoked < shutdown.returned;
         });
}

void check_wait(Judge& judge, const OperationRecord& shutdown, bool repeated) {
  if (!shutdown.has_returned()) {
    if (judge.record.finished || judge.some_body_runs()) return;
    const bool all_done =
        std::all_of(judge.accepted.begin(), judge.accepted.end(), [&](int call) { return judge.ended_done(call); });
    if (all_done) judge.findings.check("S1", false, "every call is done, and shutdown still waits");
    return;
  }
  if (shutdown.reply.kind != ReplyKind::kOk || judge.accepted.empty() || need_not_wait(judge, shutdown)) return;
  const std::string left = left_over(judge, shutdown);
  const std::string what = absl::StrCat("shutdown with wait returned before the end of", left);
  const bool cancels = shutdown.operation.cancel_futures;
  judge.findings.check(cancels ? "S4" : "S1", left.empty(), what);
  if (repeated) judge.findings.check("S5", left.empty(), what);
}

// A shutdown without wait returns while calls run, and they run to their end.
void check_no_wait(Judge& judge, const OperationRecord& shutdown) {
  for (const Record::Quiet& quiet : judge.record.quiet) {
    if (quiet.events <= shutdown.invoked) continue;
    const bool work_left = std::any_of(quiet.seen.calls.begin(), quiet.seen.calls.end(), [](Visible visible) {
      return visible == Visible::kPending || visible == Visible::kRunning;
    });
    const bool returned = shutdown.has_returned() && shutdown.returned < quiet.events;
    if (work_left || !returned) judge.findings.check("S2", returned, "shutdown without wait waits");
    break;
  }
  if (!judge.record.finished || !shutdown.has_returned()) return;
  for (const int call : judge.accepted) {
    const CallRecord& record = judge.history.calls.at(call);
    const bool was_open = record.ends.empty() || record.ends.front() > shutdown.returned;
    if (!was_open || judge.last_seen(call) == Visible::kCancelled) continue;
    judge.findings.check("S2", !record.ends.empty(),
                         absl::StrCat(name(call), " never ran to its end after a shutdown without wait"));
  }
}

void check_cancel_futures(Judge& judge, const OperationRecord& shutdown) {
  if (!judge.record.policy.shutdown_cancels_itself) return;
  bool had_pending = false;
  for (const Record::Quiet& quiet : judge.record.quiet) {
    const auto& calls = quiet.seen.calls;
    const auto pending = std::find(calls.begin(), calls.end(), Visible::kPending);
    if (!judge.effective_by(shutdown, quiet.events)) {
      had_pending = pending != calls.end();
      continue;
    }
    if (!had_pending && pending == calls.end()) continue;
    judge.findings.check("S3", pending == calls.end(),
                         absl::StrCat("after shutdown with cancel_futures ",
                                      name(static_cast<int>(pending - calls.begin())), " is pending"));
    had_pending = false;
  }
  // Without quiet moments: what starts later was running, though its body had not begun.
  if (!shutdown.has_returned()) return;
  int starts_after = 0;
  for (const int call : judge.accepted) {
    const CallRecord& record = judge.history.calls.at(call);
    starts_after += std::any_of(record.starts.begin(), record.starts.end(),
                                [&](Moment start) { return start > shutdown.returned; });
  }
  if (starts_after <= judge.record.policy.max_workers) return;
  judge.findings.check("S3", false, absl::StrCat(starts_after, " calls started after shutdown with cancel_futures"));
}

// A shutdown after a cancel, or with a client waiting in result, comes to its end, and so does the client.
void check_no_hang(Judge& judge, const OperationRecord& shutdown) {
  if (!judge.record.finished && judge.some_body_runs()) return;
  for (const OperationRecord& op : judge.history.operations) {
    const bool cancelled =
        op.operation.kind == OpKind::kCancel && op.reply.kind == ReplyKind::kTrue && op.returned < shutdown.invoked;
    if (cancelled) judge.findings.check("S9", shutdown.has_returned(), "shutdown after a cancel hangs");
    const bool waits =
        op.operation.kind == OpKind::kResult && op.invoked < shutdown.invoked && op.returned > shutdown.invoked;
    if (waits) judge.findings.check("S9", op.has_returned(), "a result hangs that waited when shutdown came");
  }
}

// The destructor is a shutdown with wait, or, after one without, returns at once.
void check_destructor(Judge& judge, const OperationRecord& destructor) {
  const auto& operations = judge.history.operations;
  const auto leaves_alone = [&](const OperationRecord& op) {
    return is_shutdown(op) && !op.operation.wait && op.has_returned() && op.returned < destructor.invoked;
  };
  const bool may_wait =
      std::none_of(operations.begin(), operations.end(), leaves_alone) || !judge.record.policy.destroy_respects_no_wait;
  if (!destructor.has_returned()) {
    const bool all_done =
        std::all_of(judge.accepted.begin(), judge.accepted.end(), [&](int call) { return judge.ended_done(call); });
    if (!judge.record.finished && !judge.some_body_runs() && all_done) {
      judge.findings.check("S6", false, "every call is done, and the destructor still waits");
    }
    return;
  }
  if (may_wait && need_not_wait(judge, destructor)) return;
  if (may_wait) {
    const std::string left = left_over(judge, destructor);
    judge.findings.check("S6", left.empty(), absl::StrCat("the destructor returned before the end of", left));
    return;
  }
  for (const Record::Quiet& quiet : judge.record.quiet) {
    if (quiet.events <= destructor.invoked) continue;
    judge.findings.check("S6", destructor.returned < quiet.events,
                         "the destructor waits after a shutdown without wait");
    return;
  }
}

}  // namespace

void check_shutdown_laws(Judge& judge) {
  const auto& operations = judge.history.operations;
  const auto shutdowns = std::count_if(operations.begin(), operations.end(), is_shutdown);
  for (const OperationRecord& shutdown : operations) {
    if (shutdown.operation.kind == OpKind::kDestroy) check_destructor(judge, shutdown);
    if (!is_shutdown(shutdown)) continue;
    const bool in_body = model::is_body_client(shutdown.client);
    if (shutdown.operation.wait && in_body) {
      if (judge.record.policy.self_shutdown_throws && (shutdown.has_returned() || !judge.record.finished)) {
        judge.findings.check("S7", shutdown.reply.kind == ReplyKind::kDeadlockError,
                             "shutdown with wait in a body did not throw");
      }
    } else if (shutdown.has_returned()) {
      judge.findings.check(shutdowns > 1 ? "S5" : "S1", shutdown.reply.kind == ReplyKind::kOk, "shutdown threw");
    }
    if (shutdown.operation.wait && !in_body) check_wait(judge, shutdown, shutdowns > 1);
    if (!shutdown.operation.wait) check_no_wait(judge, shutdown);
    if (shutdown.operation.cancel_futures) check_cancel_futures(judge, shutdown);
    if (!in_body) check_no_hang(judge, shutdown);
  }
}

}  // namespace futures::spec_tests
