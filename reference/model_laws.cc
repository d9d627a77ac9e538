// The safety laws as predicates on states and steps. Written from the laws' text and apart from `step`, so that the two
// check each other: model_exploration_test shows that steps made wrong on purpose are caught here.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "reference/model.h"

namespace futures::model {
namespace {

using Broken = std::optional<std::string>;

std::string name(std::size_t call) { return absl::StrCat("c", call); }

bool has_started(Phase phase) {
  return phase == Phase::kStarted || phase == Phase::kEnded || phase == Phase::kFinished;
}

// Laws E2, E4 and F1 for one call by itself.
Broken broken_by_call(const State& state, std::size_t i) {
  const CallState& call = state.calls[i];
  if (call.starts > 1) return absl::StrCat("E2: ", name(i), " has started ", static_cast<int>(call.starts), " times");
  if (call.phase == Phase::kAbsent && call.starts > 0) return absl::StrCat("E4: ", name(i), " ran, not accepted");
  if (call.phase == Phase::kCancelled && call.starts > 0) return absl::StrCat("E2: ", name(i), " is cancelled and ran");
  const bool dead = call.outcome.kind == ReplyKind::kBroken;
  if (has_started(call.phase) && call.starts == 0 && !dead) return absl::StrCat("E2: ", name(i), " ended, never ran");
  if (!has_started(call.phase) && call.starts > 0 && call.phase != Phase::kCancelled) {
    return absl::StrCat("F1: ", name(i), " is pending after its body has started");
  }
  const bool ended = call.phase == Phase::kEnded || call.phase == Phase::kFinished;
  const bool outcome = call.outcome.kind == ReplyKind::kValue || call.outcome.kind == ReplyKind::kError || dead;
  if (ended != outcome) return absl::StrCat("F1: ", name(i), ended ? " ended without" : " has", " an outcome");
  return std::nullopt;
}

Broken broken_by_queue(const State& state) {
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    const auto found = std::count(state.queue.begin(), state.queue.end(), static_cast<Call>(i));
    const bool pending = state.calls[i].phase == Phase::kPending;
    if (pending && found == 0) return absl::StrCat("E7: ", name(i), " is pending and in no queue");
    if (found > (pending ? 1 : 0)) return absl::StrCat("E2: ", name(i), " is queued once too often");
  }
  return std::nullopt;
}

Broken broken_by_callbacks(const State& state) {
  for (std::size_t i = 0; i < state.callbacks.size(); ++i) {
    const CallbackState& callback = state.callbacks[i];
    const bool done = is_done(state, callback.call);
    if (callback.phase == CallbackPhase::kRegistered && done) {
      return absl::StrCat("F8: r", i, " was left out when c", static_cast<int>(callback.call), " became done");
    }
    if (callback.phase == CallbackPhase::kDue && !done) {
      return absl::StrCat("F8: r", i, " may run before c", static_cast<int>(callback.call), " is done");
    }
  }
  return std::nullopt;
}

Broken broken_by_shutdown_of(const Policy& policy, const State& state, const ClientState& in) {
  if (in.operation.kind != OpKind::kShutdown) return std::nullopt;
  if (in.phase != OpPhase::kEffective && in.phase != OpPhase::kDraining) return std::nullopt;
  if (state.intake_open) return "S1: a shutdown has taken effect and the intake is open";
  if (!policy.shutdown_cancels_itself) return std::nullopt;
  if (in.phase != OpPhase::kEffective || !in.operation.cancel_futures) return std::nullopt;
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    if (!is_cancellable(policy, state, static_cast<Call>(i))) continue;
    return absl::StrCat("S3: a shutdown has cancelled everything and ", name(i), " is pending");
  }
  return std::nullopt;
}

// Law F1: the steps that a call may make.
bool may_move(Phase from, Phase to, const ActionKind cause) {
  switch (from) {
    case Phase::kAbsent:
      return to == Phase::kPending && cause == ActionKind::kEffect;
    case Phase::kPending:
      if (to == Phase::kTaken) return cause == ActionKind::kTake;
      break;
    case Phase::kTaken:
      if (to == Phase::kClaimed) return cause == ActionKind::kClaim;
      break;
    case Phase::kClaimed:
      if (to == Phase::kStarted) return cause == ActionKind::kBodyStart;
      return to == Phase::kFinished && cause == ActionKind::kDeath;
    case Phase::kStarted:
      if (to == Phase::kEnded) return cause == ActionKind::kBodyEnd;
      return to == Phase::kFinished && cause == ActionKind::kDeath;
    case Phase::kEnded:
      return to == Phase::kFinished && (cause == ActionKind::kFinish || cause == ActionKind::kDeath);
    case Phase::kFinished:
    case Phase::kCancelled:
      return false;
  }
  // Here `from` is kPending or kTaken.
  if (to == Phase::kCancelled) return cause == ActionKind::kEffect || cause == ActionKind::kDrainStep;
  return to == Phase::kFinished && cause == ActionKind::kDeath;
}

Broken broken_by_call_step(const Policy& policy, const State& before, const Action& action, const State& after) {
  for (std::size_t i = 0; i < after.calls.size(); ++i) {
    const Phase from = i < before.calls.size() ? before.calls[i].phase : Phase::kAbsent;
    const Phase to = after.calls[i].phase;
    if (from == Phase::kAbsent && to != Phase::kAbsent && !before.intake_open) {
      return absl::StrCat("E4: ", name(i), " is accepted after the intake closed");
    }
    if (from != to && !may_move(from, to, action.kind)) {
      const bool running = from == Phase::kClaimed || from == Phase::kStarted || from == Phase::kEnded;
      return absl::StrCat(running && to == Phase::kCancelled ? "F2: " : "F1: ", name(i), " makes a forbidden step");
    }
    const bool had = i < before.calls.size() && before.calls[i].outcome != Reply{};
    const bool breaks = action.kind == ActionKind::kDeath && to == Phase::kFinished && from != to;
    if (had && !breaks && before.calls[i].outcome != after.calls[i].outcome) {
      return absl::StrCat("F6: the outcome of ", name(i), " changes");
    }
  }
  if (action.kind == ActionKind::kTake && policy.start_order == StartOrder::kFifo &&
      (before.queue.empty() || before.queue.front() != action.call)) {
    return absl::StrCat("E5: c", static_cast<int>(action.call), " leaves the queue out of turn");
  }
  return std::nullopt;
}

Broken broken_by_effect(const Policy& policy, const State& before, const Action& action, const State& after) {
  const ClientState* was = find_client(before, action.client);
  const ClientState* is = find_client(after, action.client);
  if (was == nullptr || is == nullptr) return "an effect without a client";
  const Call call = was->operation.call;
  if (was->operation.kind == OpKind::kSubmit) {
    const bool accepted = is->reply.kind == ReplyKind::kOk;
    if (accepted != (visible(after, call) != Visible::kAbsent)) {
      return absl::StrCat("E4: submit replies ", to_string(is->reply), ", and c", static_cast<int>(call),
                          accepted ? " is not accepted" : " is");
    }
  }
  if (was->operation.kind == OpKind::kDestroy) {
    if (after.intake_open) return "S6: the destructor leaves the intake open";
    const bool may_leave = before.left_alone && policy.destroy_respects_no_wait;
    if (is->operation.wait == may_leave)
      return absl::StrCat("S6: the destructor ", may_leave ? "waits" : "does not wait");
  }
  if (was->operation.kind == OpKind::kCancel) {
    const Visible saw = visible(before, call);
    const bool cancels = saw == Visible::kPending || saw == Visible::kCancelled;
    if (is->reply != Reply{cancels ? ReplyKind::kTrue : ReplyKind::kFalse} ||
        (visible(after, call) == Visible::kCancelled) != cancels) {
      return absl::StrCat("F2: cancel of c", static_cast<int>(call), " replies ", to_string(is->reply));
    }
  }
  return std::nullopt;
}

// What wait and one step of as_completed may say: laws W2, W3, W5.
Broken broken_by_report(const Policy& policy, const State& before, const ClientState& in, const Reply& reply) {
  const Operation& operation = in.operation;
  const bool steps = operation.kind == OpKind::kNext;
  if (reply.kind != ReplyKind::kDone) {
    const bool may_time_out = steps && operation.poll && reply.kind == ReplyKind::kTimeout;
    if (may_time_out && (in.due == 0 || !policy.ready_after_deadline)) return std::nullopt;
    return absl::StrCat(steps ? "W5" : "W2", ": ", to_string(operation), " returns ", to_string(reply));
  }
  const CallSet told = steps ? set_of(static_cast<Call>(reply.value)) : static_cast<CallSet>(reply.value);
  bool all = true;
  bool any_error = false;
  for (Call call = 0; call < kCallSetMax; ++call) {
    const std::string what = absl::StrCat(steps ? "W5: c" : "W2: c", static_cast<int>(call));
    if (is_in(told, call) && !is_in(operation.calls, call)) return absl::StrCat(what, " was not asked for");
    if (is_in(told, call) && !is_done(before, call)) return absl::StrCat(what, " is reported and not done");
    if (!steps && is_in(in.due, call) && !is_in(told, call)) return absl::StrCat(what, " was done and is left out");
    all = all && is_in(told, call) == is_in(operation.calls, call);
    any_error = any_error || (is_in(told, call) && (result_of(before, call).kind == ReplyKind::kError ||
                                                    result_of(before, call).kind == ReplyKind::kBroken));
  }
  if (steps && policy.done_at_call_first && in.due != 0 && (told & in.due) == 0)
    return "W5: what was done before comes later";
  if (steps || operation.poll || all) return std::nullopt;
  if (operation.when == ReturnWhen::kFirstCompleted && told != 0) return std::nullopt;
  if (operation.when == ReturnWhen::kFirstException && any_error) return std::nullopt;
  return "W3: wait returns too early";
}

// Law M3: what the call of an item has come to cancels no other call.
Broken broken_by_drain_step(const Policy& policy, const State& before, const Action& action) {
  const ClientState* in = find_client(before, action.client);
  if (policy.map_ends_at_error || in == nullptr || in->operation.kind != OpKind::kResult) return std::nullopt;
  return absl::StrCat("M3: the item of a map cancels c", static_cast<int>(action.call));
}

// What a map, or one that is let go, must have cancelled when an operation of it returns: laws M4, M7.
Broken broken_by_letting_go(const State& before, const ClientState& in) {
  if (in.phase != OpPhase::kDraining) return std::nullopt;
  for (std::size_t i = 0; i < before.calls.size(); ++i) {
    const Phase phase = before.calls[i].phase;
    if (!is_in(in.operation.calls, static_cast<Call>(i))) continue;
    if (phase == Phase::kPending || phase == Phase::kTaken) return absl::StrCat("M4: ", name(i), " is still pending");
  }
  return std::nullopt;
}

// What must hold at the moment an operation returns: laws F3, F8, S1, S3, S4, S6, S7, and those above.
Broken broken_by_return(const Policy& policy, const State& before, const Action& action) {
  const ClientState* in = find_client(before, action.client);
  if (in == nullptr || in->phase == OpPhase::kIdle) return "a return without an operation";
  for (std::size_t i = 0; i < before.callbacks.size(); ++i) {
    const CallbackState& callback = before.callbacks[i];
    const bool joins = action.reply.kind == ReplyKind::kOk && in->operation.wait && callback.runs_on == kWorker &&
                       !(before.left_alone && !policy.later_shutdown_waits);
    if (callback.phase == CallbackPhase::kDue && (callback.runs_on == action.client || joins)) {
      return absl::StrCat("F8: an operation returns before r", i, ", which it must wait for, has run");
    }
  }
  const OpKind kind = in->operation.kind;
  if (in->phase == OpPhase::kInvoked && (kind == OpKind::kResult || kind == OpKind::kPoll)) {
    const bool timeout = kind == OpKind::kPoll && action.reply.kind == ReplyKind::kTimeout;
    const Reply expected = result_of(before, in->operation.call);
    if (!timeout && (expected.kind == ReplyKind::kNone || expected != action.reply)) {
      return absl::StrCat("F3: ", to_string(in->operation), " returns ", to_string(action.reply));
    }
  }
  if (kind == OpKind::kWait || kind == OpKind::kNext) return broken_by_report(policy, before, *in, action.reply);
  if (Broken broken = broken_by_letting_go(before, *in)) return broken;
  const bool destroys = kind == OpKind::kDestroy;
  if (kind != OpKind::kShutdown && !destroys) return std::nullopt;
  if (action.reply.kind == ReplyKind::kDeadlockError && !(in->operation.wait && is_body_client(action.client))) {
    return "S7: a shutdown that could wait is refused";
  }
  for (std::size_t i = 0; i < before.calls.size(); ++i) {
    const Call call = static_cast<Call>(i);
    if (policy.shutdown_cancels_itself && in->operation.cancel_futures && is_cancellable(policy, before, call)) {
      return absl::StrCat("S3: shutdown returns and ", name(i), " is pending");
    }
    const bool accepted = before.calls[i].phase != Phase::kAbsent;
    const bool may_leave = before.left_alone && !policy.later_shutdown_waits;
    if (!may_leave && in->operation.wait && action.reply.kind == ReplyKind::kOk && accepted && !is_done(before, call)) {
      return absl::StrCat(destroys ? "S6: the destructor" : "S1: shutdown with wait", " returns and ", name(i),
                          " is not done");
    }
  }
  return std::nullopt;
}

// Law F8: a callback is registered, due, has run: each once, and in the order of registration.
Broken broken_by_callback_step(const State& before, const Action& action, const State& after) {
  for (std::size_t i = 0; i < before.callbacks.size(); ++i) {
    const CallbackState& was = before.callbacks[i];
    const CallbackState& is = after.callbacks[i];
    const bool runs = was.phase != CallbackPhase::kRan && is.phase == CallbackPhase::kRan;
    const bool named = action.kind == ActionKind::kCallback && action.operation.registration == static_cast<int>(i);
    if (runs && !named) return absl::StrCat("F8: r", i, " is dropped");
    if (is.phase < was.phase || (named && !runs)) return absl::StrCat("F8: r", i, " may run a second time");
    if (!named) continue;
    if (was.phase != CallbackPhase::kDue) return absl::StrCat("F8: r", i, " runs and is not due");
    if (was.runs_on != action.client) return absl::StrCat("F8: r", i, " runs in the wrong thread");
    if (was.ahead != 0 && !was.late) return absl::StrCat("F8: r", i, " runs out of turn");
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> broken_law(const Policy& policy, const State& state) {
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    if (Broken broken = broken_by_call(state, i)) return broken;
    const Call call = static_cast<Call>(i);
    if (state.broken && visible(state, call) != Visible::kAbsent && !is_done(state, call)) {
      return absl::StrCat("P5: the pool is broken and ", name(i), " is not done");
    }
  }
  if (policy.claims_ahead > 0) {
    if (count_started(state) > policy.max_workers) return "E6: more bodies run than there are workers";
  } else if (count_holding(policy, state) > policy.max_workers) {
    return absl::StrCat("E6: ", count_holding(policy, state), " calls hold a worker of ", policy.max_workers);
  }
  if (Broken broken = broken_by_queue(state)) return broken;
  if (Broken broken = broken_by_callbacks(state)) return broken;
  for (const ClientState& client : state.clients) {
    if (Broken broken = broken_by_shutdown_of(policy, state, client)) return broken;
  }
  for (const ClientState& client : state.bodies) {
    if (Broken broken = broken_by_shutdown_of(policy, state, client)) return broken;
  }
  return std::nullopt;
}

std::optional<std::string> broken_law(const Policy& policy, const State& before, const Action& action,
                                      const State& after) {
  if (after.intake_open && !before.intake_open) return "S1: the intake opens again";
  if (Broken broken = broken_by_call_step(policy, before, action, after)) return broken;
  if (action.kind == ActionKind::kEffect) {
    if (Broken broken = broken_by_effect(policy, before, action, after)) return broken;
  }
  if (action.kind == ActionKind::kDrainStep) {
    if (Broken broken = broken_by_drain_step(policy, before, action)) return broken;
  }
  if (action.kind == ActionKind::kReturn) {
    if (Broken broken = broken_by_return(policy, before, action)) return broken;
  }
  return broken_by_callback_step(before, action, after);
}

}  // namespace futures::model
