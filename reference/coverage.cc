#include "reference/coverage.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reference/model.h"

namespace futures::model {
namespace {

std::string operation_name(const Operation& operation) {
  Operation bare{.kind = operation.kind, .wait = operation.wait, .cancel_futures = operation.cancel_futures};
  if (operation.kind == OpKind::kWait) return operation.poll ? "wait without time" : "wait";
  if (operation.kind == OpKind::kNext) return operation.poll ? "next without time" : "next";
  return to_string(bare);
}

// Without the value.
std::string reply_name(const Reply& reply) {
  switch (reply.kind) {
    case ReplyKind::kValue:
      return "a value";
    case ReplyKind::kError:
      return "an error";
    case ReplyKind::kDone:
      return "what is done";
    default:
      return to_string(reply);
  }
}

std::string callback_name(Client client) {
  if (client == kWorker) return "callback runs on a thread of the executor";
  return is_body_client(client) ? "callback runs in an operation of a body"
                                : "callback runs in an operation of a client";
}

}  // namespace

std::string kind_of(const Event& event, const Operation& operation) {
  switch (event.kind) {
    case ActionKind::kReturn:
      return absl::StrCat(operation_name(operation), " returns ", reply_name(event.reply));
    case ActionKind::kBodyStart:
      return "body starts";
    case ActionKind::kBodyEnd:
      return absl::StrCat("body ends with ", reply_name(event.reply));
    case ActionKind::kCallback:
      return callback_name(event.client);
    case ActionKind::kDeath:
      return "worker dies";
    case ActionKind::kInvoke:
    case ActionKind::kEffect:
    case ActionKind::kDrainStep:
    case ActionKind::kTake:
    case ActionKind::kClaim:
    case ActionKind::kFinish:
      return "";
  }
  return "";
}

void Coverage::add(const std::vector<Event>& history) {
  std::map<Client, Operation> invoked;
  for (const Event& event : history) {
    if (event.kind == ActionKind::kInvoke) invoked[event.client] = event.operation;
    const std::string kind = kind_of(event, event.kind == ActionKind::kReturn ? invoked[event.client] : Operation{});
    if (!kind.empty()) ++seen_[kind];
  }
}

std::vector<std::string> Coverage::never_seen() const {
  std::vector<std::string> kinds;
  for (const std::string& kind : kinds_of_events()) {
    if (!seen_.contains(kind)) kinds.push_back(kind);
  }
  return kinds;
}

const std::vector<std::string>& kinds_of_events() {
  static const std::vector<std::string> kKinds = {
      "abandon returns ok",
      "body ends with a value",
      "body ends with an error",
      "body starts",
      "callback returns ok",
      "callback runs in an operation of a body",
      "callback runs in an operation of a client",
      "callback runs on a thread of the executor",
      "cancel returns false",
      "cancel returns true",
      "destroy returns ok",
      "next returns what is done",
      "next without time returns TimeoutError",
      "next without time returns what is done",
      "poll returns BrokenExecutor",
      "poll returns CancelledError",
      "poll returns TimeoutError",
      "poll returns a value",
      "poll returns an error",
      "result returns BrokenExecutor",
      "result returns CancelledError",
      "result returns a value",
      "result returns an error",
      "shutdown nowait cancel returns ok",
      "shutdown nowait returns ok",
      "shutdown wait cancel returns DeadlockError",
      "shutdown wait cancel returns ok",
      "shutdown wait returns DeadlockError",
      "shutdown wait returns ok",
      "submit returns BrokenExecutor",
      "submit returns ShutdownError",
      "submit returns ok",
      "wait returns what is done",
      "wait without time returns what is done",
      "worker dies",
  };
  return kKinds;
}

}  // namespace futures::model
