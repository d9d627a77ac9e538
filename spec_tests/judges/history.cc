#include "spec_tests/judges/history.h"

#include <algorithm>

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::OpKind;
using model::ReplyKind;

// The calls that this reply says are done.
model::CallSet said_done(const OperationRecord& record) {
  const model::CallSet named = model::set_of(record.operation.call);
  switch (record.operation.kind) {
    case OpKind::kResult:
    case OpKind::kPoll:
      return record.reply.kind != ReplyKind::kTimeout && record.reply.kind != ReplyKind::kNone ? named
                                                                                               : model::CallSet{0};
    case OpKind::kCancel:
      return record.reply.kind == ReplyKind::kTrue ? named : model::CallSet{0};
    case OpKind::kWait:
      return record.reply.kind == ReplyKind::kDone ? static_cast<model::CallSet>(record.reply.value)
                                                   : model::CallSet{0};
    case OpKind::kNext:
      return record.reply.kind == ReplyKind::kDone ? model::set_of(static_cast<model::Call>(record.reply.value))
                                                   : model::CallSet{0};
    default:
      return 0;
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
        const model::CallSet done = said_done(record);
        for (model::Call call = 0; call < model::kCallSetMax; ++call) {
          if (!model::is_in(done, call)) continue;
          Moment& known_done = calls[call].known_done;
          known_done = std::min(known_done, now);
        }
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
