// The model's values as text, for reports.
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "reference/model.h"

namespace futures::model {
namespace {

std::string client_name(Client client) {
  if (client == kWorker) return "worker";
  if (is_body_client(client)) return absl::StrCat("body of c", static_cast<int>(call_of_body(client)));
  return absl::StrCat("client ", static_cast<int>(client));
}

std::string call_name(Call call) { return call == kNoCall ? "no call" : absl::StrCat("c", static_cast<int>(call)); }

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::kAbsent:
      return "absent";
    case Phase::kPending:
      return "pending";
    case Phase::kTaken:
      return "taken";
    case Phase::kClaimed:
      return "claimed";
    case Phase::kStarted:
      return "started";
    case Phase::kEnded:
      return "ended";
    case Phase::kFinished:
      return "finished";
    case Phase::kCancelled:
      return "cancelled";
  }
  return "?";
}

std::string_view name_of(ReturnWhen when) {
  switch (when) {
    case ReturnWhen::kAllCompleted:
      return "all";
    case ReturnWhen::kFirstCompleted:
      return "first";
    case ReturnWhen::kFirstException:
      return "exception";
  }
  return "?";
}

std::string client_text(Client client, const ClientState& in) {
  std::string text = absl::StrCat(client_name(client), " in ", to_string(in.operation));
  switch (in.phase) {
    case OpPhase::kIdle:
    case OpPhase::kInvoked:
      break;
    case OpPhase::kDraining:
      absl::StrAppend(&text, " (draining)");
      break;
    case OpPhase::kEffective:
      absl::StrAppend(&text, " (about to return ", to_string(in.reply), ")");
      break;
  }
  return text;
}

std::string callback_text(std::size_t registration, const CallbackState& callback) {
  std::string text = absl::StrCat("r", registration);
  switch (callback.phase) {
    case CallbackPhase::kAbsent:
      break;
    case CallbackPhase::kRegistered:
      absl::StrAppend(&text, " on ", call_name(callback.call));
      break;
    case CallbackPhase::kDue:
      absl::StrAppend(&text, " due on ", client_name(callback.runs_on), " for ", call_name(callback.call),
                      callback.late ? " (late)" : "");
      break;
    case CallbackPhase::kRan:
      absl::StrAppend(&text, " ran");
      break;
  }
  return text;
}

}  // namespace

std::string to_string(const Reply& reply) {
  switch (reply.kind) {
    case ReplyKind::kNone:
      return "nothing";
    case ReplyKind::kOk:
      return "ok";
    case ReplyKind::kTrue:
      return "true";
    case ReplyKind::kFalse:
      return "false";
    case ReplyKind::kValue:
      return absl::StrCat("value ", reply.value);
    case ReplyKind::kError:
      return absl::StrCat("error ", reply.value);
    case ReplyKind::kCancelled:
      return "CancelledError";
    case ReplyKind::kTimeout:
      return "TimeoutError";
    case ReplyKind::kShutdownError:
      return "ShutdownError";
    case ReplyKind::kDeadlockError:
      return "DeadlockError";
    case ReplyKind::kBroken:
      return "BrokenExecutor";
    case ReplyKind::kDone:
      return absl::StrCat("done ", reply.value);
  }
  return "?";
}

std::string to_string(const Operation& operation) {
  std::string calls = operation.poll ? " poll" : "";
  for (Call call = 0; call < kCallSetMax; ++call) {
    if (is_in(operation.calls, call)) absl::StrAppend(&calls, " ", call_name(call));
  }
  const std::string of_map = operation.calls == 0 ? "" : absl::StrCat(" (or cancel", calls, ")");
  const std::string call = operation.call == kNoCall ? "" : absl::StrCat(" ", call_name(operation.call));
  switch (operation.kind) {
    case OpKind::kNone:
      return "nothing";
    case OpKind::kSubmit:
      return absl::StrCat("submit", call, of_map);
    case OpKind::kCancel:
      return absl::StrCat("cancel", call);
    case OpKind::kResult:
      return absl::StrCat("result", call, of_map);
    case OpKind::kPoll:
      return absl::StrCat("poll", call);
    case OpKind::kAddCallback:
      return operation.registration < 0
                 ? absl::StrCat("callback", call)
                 : absl::StrCat("callback", call, " r", static_cast<int>(operation.registration));
    case OpKind::kShutdown:
      return absl::StrCat("shutdown ", operation.wait ? "wait" : "nowait", operation.cancel_futures ? " cancel" : "");
    case OpKind::kWait:
      return absl::StrCat("wait ", name_of(operation.when), calls);
    case OpKind::kNext:
      return absl::StrCat("next", calls);
    case OpKind::kAbandon:
      return absl::StrCat("abandon", calls);
    case OpKind::kDestroy:
      return "destroy";
  }
  return "?";
}

std::string to_string(const Action& action) {
  const std::string client = client_name(action.client);
  const std::string call = call_name(action.call);
  switch (action.kind) {
    case ActionKind::kInvoke:
      return absl::StrCat(client, ": invokes ", to_string(action.operation));
    case ActionKind::kReturn:
      return absl::StrCat(client, ": returns ", to_string(action.reply));
    case ActionKind::kBodyStart:
      return absl::StrCat("body of ", call, ": starts");
    case ActionKind::kBodyEnd:
      return absl::StrCat("body of ", call, ": ends with ", to_string(action.reply));
    case ActionKind::kCallback:
      return absl::StrCat(client, ": runs callback r", static_cast<int>(action.operation.registration), " of ", call);
    case ActionKind::kDeath:
      return absl::StrCat("body of ", call, ": its worker dies");
    case ActionKind::kEffect:
      return absl::StrCat(client, ": its operation takes effect");
    case ActionKind::kDrainStep:
      return absl::StrCat(client, ": its operation cancels ", call);
    case ActionKind::kTake:
      return absl::StrCat(call, " is taken from the queue");
    case ActionKind::kClaim:
      return absl::StrCat(call, " becomes running");
    case ActionKind::kFinish:
      return absl::StrCat(call, " becomes finished");
  }
  return "?";
}

std::string to_string(const State& state) {
  std::string text = state.intake_open ? "intake open" : "intake closed";
  if (state.left_alone) absl::StrAppend(&text, ", left alone");
  if (state.note != CancelNote::kNone) absl::StrAppend(&text, ", to cancel what is pending");
  if (state.broken) absl::StrAppend(&text, ", broken");
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    absl::StrAppend(&text, ", c", i, " ", phase_name(state.calls[i].phase));
    if (state.calls[i].outcome != Reply{}) absl::StrAppend(&text, " with ", to_string(state.calls[i].outcome));
  }
  absl::StrAppend(&text, state.queue.empty() ? "" : ", queue:");
  for (const Call call : state.queue) absl::StrAppend(&text, " ", call_name(call));
  const auto add_client = [&](Client client, const ClientState& in) {
    if (in.phase != OpPhase::kIdle) absl::StrAppend(&text, ", ", client_text(client, in));
  };
  for (std::size_t i = 0; i < state.clients.size(); ++i) add_client(static_cast<Client>(i), state.clients[i]);
  for (std::size_t i = 0; i < state.bodies.size(); ++i) add_client(body_client(static_cast<Call>(i)), state.bodies[i]);
  for (std::size_t i = 0; i < state.callbacks.size(); ++i) {
    if (state.callbacks[i].phase == CallbackPhase::kAbsent) continue;
    absl::StrAppend(&text, ", ", callback_text(i, state.callbacks[i]));
  }
  return text;
}

}  // namespace futures::model
