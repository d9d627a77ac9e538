#include "spec_tests/history.h"

#include <algorithm>

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::OpKind;
using model::ReplyKind;

// Whether this reply says that the call it names is done.
bool says_done(const OperationRecord& record) {
  switch (record.operation.kind) {
    case OpKind::kResult:
    case OpKind::kPoll:
      return record.reply.kind != ReplyKind::kTimeout && record.reply.kind != ReplyKind::kNone;
    case OpKind::kCancel:
      return record.reply.kind == ReplyKind::kTrue;
    default:
      return false;
  }
}

}  // namespace

History::History(absl::Span<const model::Event> events) {
  std::map<model::Client, int> open;  // The operation that each client is in.
  for (Moment now = 0; now < events.size(); ++now) {
    const model::Event& event = events[now];
    switch (event.kind) {
      case ActionKind::kInvoke: {
        const int index = static_cast<int>(operations.size());
        operations.push_back({.client = event.client, .operation = event.operation, .reply = {}, .invoked = now});
        open[event.client] = index;
        if (event.operation.kind == OpKind::kSubmit) calls[event.operation.call].submit = index;
        if (event.operation.kind == OpKind::kAddCallback) callbacks[event.operation.registration].add = index;
        break;
      }
      case ActionKind::kReturn: {
        const auto inside = open.find(event.client);
        if (inside == open.end()) break;
        OperationRecord& record = operations[inside->second];
        open.erase(inside);
        record.reply = event.reply;
        record.returned = now;
        if (!says_done(record)) break;
        Moment& known_done = calls[record.operation.call].known_done;
        known_done = std::min(known_done, now);
        break;
      }
      case ActionKind::kBodyStart:
        calls[event.call].starts.push_back(now);
        break;
      case ActionKind::kBodyEnd:
        calls[event.call].ends.push_back(now);
        calls[event.call].outcome = event.reply;
        break;
      case ActionKind::kCallback:
        callbacks[event.operation.registration].runs.push_back({.at = now, .client = event.client});
        break;
      default:
        break;
    }
  }
}

bool History::accepted(int call) const {
  const auto found = calls.find(call);
  if (found == calls.end() || found->second.submit < 0) return false;
  return operations[found->second.submit].reply.kind == ReplyKind::kOk;
}

bool History::refused(int call) const {
  const auto found = calls.find(call);
  if (found == calls.end() || found->second.submit < 0) return false;
  return operations[found->second.submit].reply.kind == ReplyKind::kShutdownError;
}

Moment History::submitted(int call) const {
  return accepted(call) ? operations[calls.at(call).submit].returned : kNever;
}

Moment History::submit_began(int call) const {
  const auto found = calls.find(call);
  if (found == calls.end() || found->second.submit < 0) return kNever;
  return operations[found->second.submit].invoked;
}

}  // namespace futures::spec_tests
