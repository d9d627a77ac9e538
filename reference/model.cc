#include "reference/model.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace futures::model {
namespace {

CallState* find_call(State& state, Call call) {
  return call >= 0 && static_cast<std::size_t>(call) < state.calls.size() ? &state.calls[call] : nullptr;
}

ClientState* find_client_mutable(State& state, Client client) {
  return const_cast<ClientState*>(find_client(state, client));
}

// Whether `matches` holds of the operation of some client that is inside one.
template <typename Predicate>
bool any_operation(const State& state, Predicate matches) {
  const auto inside = [&](const ClientState& client) {
    return client.phase != OpPhase::kIdle && matches(client.operation);
  };
  return std::any_of(state.clients.begin(), state.clients.end(), inside) ||
         std::any_of(state.bodies.begin(), state.bodies.end(), inside);
}

bool is_being_submitted(const State& state, Call call) {
  return any_operation(
      state, [&](const Operation& operation) { return operation.kind == OpKind::kSubmit && operation.call == call; });
}

bool all_done(const State& state) {
  return std::all_of(state.calls.begin(), state.calls.end(), [](const CallState& call) {
    return call.phase == Phase::kAbsent || call.phase == Phase::kFinished || call.phase == Phase::kCancelled;
  });
}

bool any_callback_due(const State& state, Client runs_on) {
  return std::any_of(state.callbacks.begin(), state.callbacks.end(), [&](const CallbackState& callback) {
    return callback.phase == CallbackPhase::kDue && callback.runs_on == runs_on;
  });
}

bool anything_to_drain(const Policy& policy, const State& state, const ClientState& in) {
  for (std::size_t call = 0; call < state.calls.size(); ++call) {
    if (is_drained_by(policy, state, in, static_cast<Call>(call))) return true;
  }
  return false;
}

bool anything_cancellable(const Policy& policy, const State& state) {
  for (std::size_t call = 0; call < state.calls.size(); ++call) {
    if (is_cancellable(policy, state, static_cast<Call>(call))) return true;
  }
  return false;
}

// Those of `calls` that are done.
CallSet done_of(const State& state, CallSet calls) {
  CallSet done = 0;
  for (Call call = 0; call < kCallSetMax; ++call) {
    if (is_in(calls, call) && is_done(state, call)) done |= set_of(call);
  }
  return done;
}

void leave_queue(State& state, Call call) {
  state.queue.erase(std::remove(state.queue.begin(), state.queue.end(), call), state.queue.end());
}

// The one way for a call to become done. Its callbacks become due on `runs_on`.
void make_done(State& state, Call call, Phase phase, Client runs_on) {
  leave_queue(state, call);
  state.calls[call].phase = phase;
  state.calls[call].ahead = 0;
  for (CallbackState& callback : state.callbacks) {
    if (callback.phase != CallbackPhase::kRegistered || callback.call != call) continue;
    callback.phase = CallbackPhase::kDue;
    callback.runs_on = runs_on;
  }
}

// A drain is over when nothing is left that it must cancel, by whatever action. Nothing new can come: the intake is
// closed by then, or the calls are named.
void end_drains(const Policy& policy, State& state) {
  if (state.note != CancelNote::kNone && !anything_cancellable(policy, state)) state.note = CancelNote::kNone;
  const auto end = [&](ClientState& client) {
    if (client.phase != OpPhase::kDraining || anything_to_drain(policy, state, client)) return;
    client.phase = OpPhase::kEffective;
    client.operation.calls = 0;
  };
  for (ClientState& client : state.clients) end(client);
  for (ClientState& client : state.bodies) end(client);
}

void take_effect(ClientState& client, Reply reply) {
  client.phase = OpPhase::kEffective;
  client.reply = reply;
  client.operation.registration = -1;
  client.operation.calls = 0;
  if (client.operation.kind != OpKind::kSubmit) client.operation.call = kNoCall;
}

// As take_effect, but what the operation carries is cancelled before it returns.
void fail_and_drain(ClientState& client, Reply reply) {
  const CallSet calls = client.operation.calls;
  take_effect(client, reply);
  client.operation.calls = calls;
  client.phase = OpPhase::kDraining;
}

// Whether a call may leave the queue. Those that are claimed ahead do one after the other.
bool has_room(const Policy& policy, const State& state) {
  if (policy.claims_ahead == 0) return count_holding(policy, state) < policy.max_workers;
  const bool one_is_taken = std::any_of(state.calls.begin(), state.calls.end(),
                                        [](const CallState& call) { return call.phase == Phase::kTaken; });
  return !one_is_taken && count_under_way(state) < policy.max_workers + policy.claims_ahead;
}

bool can_take(const Policy& policy, const State& state, Call call) {
  if (phase_of(state, call) != Phase::kPending || !has_room(policy, state)) return false;
  return policy.start_order == StartOrder::kAny || state.queue.front() == call;
}

// A shutdown's drain follows the queue as starting does: front first if that is FIFO. A map cancels its calls in any
// order.
bool can_drain(const Policy& policy, const State& state, const ClientState& in, Call call) {
  if (!is_drained_by(policy, state, in, call)) return false;
  if (phase_of(state, call) == Phase::kTaken || in.operation.kind != OpKind::kShutdown) return true;
  return policy.start_order == StartOrder::kAny || state.queue.front() == call;
}

// The executor follows a note as a shutdown drains.
bool can_follow_note(const Policy& policy, const State& state, Call call) {
  if (state.note == CancelNote::kNone || !is_cancellable(policy, state, call)) return false;
  if (phase_of(state, call) == Phase::kTaken) return true;
  return policy.start_order == StartOrder::kAny || state.queue.front() == call;
}

bool can_start(const Policy& policy, const State& state, Call call) {
  return phase_of(state, call) == Phase::kClaimed &&
         (policy.claims_ahead == 0 || count_started(state) < policy.max_workers);
}

bool has_effect(OpKind kind) {
  return kind == OpKind::kSubmit || kind == OpKind::kCancel || kind == OpKind::kAddCallback ||
         kind == OpKind::kShutdown || kind == OpKind::kDestroy;
}

// A result that ends its map: the call has come to anything but a value.
bool is_failed_result(const State& state, const Operation& operation) {
  return operation.kind == OpKind::kResult && operation.calls != 0 && is_done(state, operation.call) &&
         result_of(state, operation.call).kind != ReplyKind::kValue;
}

bool can_take_effect(const State& state, const ClientState& client) {
  if (client.phase != OpPhase::kInvoked) return false;
  if (client.operation.kind == OpKind::kResult) return is_failed_result(state, client.operation);
  if (!has_effect(client.operation.kind)) return false;
  if (client.operation.kind != OpKind::kCancel && client.operation.kind != OpKind::kAddCallback) return true;
  return phase_of(state, client.operation.call) != Phase::kAbsent;
}

bool wait_can_return(const State& state, const ClientState& in, const Reply& reply) {
  if (reply.kind != ReplyKind::kDone) return false;
  const auto done = static_cast<CallSet>(reply.value);
  if ((in.due & ~done) != 0 || (done & ~done_of(state, in.operation.calls)) != 0) return false;
  return in.operation.poll || is_enough(state, in.operation.when, in.operation.calls, done);
}

bool next_can_return(const Policy& policy, const State& state, const ClientState& in, const Reply& reply) {
  if (reply == Reply{ReplyKind::kTimeout}) return in.operation.poll && (in.due == 0 || !policy.ready_after_deadline);
  if (reply.kind != ReplyKind::kDone || reply.value < 0 || reply.value >= kCallSetMax) return false;
  const Call call = static_cast<Call>(reply.value);
  const bool only_due = in.due != 0 && policy.done_at_call_first;
  return is_in(only_due ? in.due : in.operation.calls, call) && is_done(state, call);
}

bool can_return(const Policy& policy, const State& state, Client client, const ClientState& in, const Reply& reply) {
  if (in.phase == OpPhase::kInvoked) {
    if (in.operation.kind == OpKind::kWait) return wait_can_return(state, in, reply);
    if (in.operation.kind == OpKind::kNext) return next_can_return(policy, state, in, reply);
    if (in.operation.kind == OpKind::kPoll && reply == Reply{ReplyKind::kTimeout}) return true;
    if (in.operation.kind != OpKind::kPoll && in.operation.kind != OpKind::kResult) return false;
    if (is_failed_result(state, in.operation)) return false;
    return is_done(state, in.operation.call) && reply == result_of(state, in.operation.call);
  }
  if (in.phase != OpPhase::kEffective || in.reply != reply || any_callback_due(state, client)) return false;
  if (state.left_alone && !policy.later_shutdown_waits) return true;
  const bool joins = in.operation.wait && reply.kind == ReplyKind::kOk;  // Of a shutdown, or a destructor.
  return !joins || (all_done(state) && !any_callback_due(state, kWorker));
}

bool apply_invoke_submit(State& state, Call call) {
  if (call < 0 || call >= kModelCallsMax) return false;
  if (phase_of(state, call) != Phase::kAbsent || is_being_submitted(state, call)) return false;
  if (static_cast<std::size_t>(call) >= state.calls.size()) {
    state.calls.resize(call + 1);
    state.bodies.resize(call + 1);
  }
  return true;
}

bool apply_invoke_add_callback(State& state, std::int8_t registration) {
  if (registration < 0 || registration >= kModelRegistrationsMax) return false;
  if (any_operation(state, [&](const Operation& operation) {
        return operation.kind == OpKind::kAddCallback && operation.registration == registration;
      })) {
    return false;
  }
  if (static_cast<std::size_t>(registration) >= state.callbacks.size()) state.callbacks.resize(registration + 1);
  return state.callbacks[registration].phase == CallbackPhase::kAbsent;
}

// Whether each of the calls that the operation names as a set has been accepted. For those that it only waits for it is
// enough that they are being submitted.
bool are_there(const State& state, const Operation& operation) {
  const bool waits = operation.kind == OpKind::kWait || operation.kind == OpKind::kNext;
  for (Call call = 0; call < kCallSetMax; ++call) {
    if (!is_in(operation.calls, call) || phase_of(state, call) != Phase::kAbsent) continue;
    if (!waits || !is_being_submitted(state, call)) return false;
  }
  return true;
}

bool apply_invoke(const Policy& policy, State& state, Client client, const Operation& operation) {
  if (is_body_client(client) && phase_of(state, call_of_body(client)) != Phase::kStarted) return false;
  const ClientState* idle = find_client(state, client);
  if (idle == nullptr || idle->phase != OpPhase::kIdle) return false;
  Operation kept{.kind = operation.kind};
  switch (operation.kind) {
    case OpKind::kNone:
      return false;
    case OpKind::kSubmit:
      kept.call = operation.call;
      if (!are_there(state, operation)) return false;
      kept.calls = operation.calls;
      if (!apply_invoke_submit(state, operation.call)) return false;
      break;
    case OpKind::kCancel:
    case OpKind::kResult:
    case OpKind::kPoll:
    case OpKind::kAddCallback:
      kept.call = operation.call;
      if (operation.kind == OpKind::kResult && operation.calls != 0) {
        if (!policy.map_ends_at_error || !are_there(state, operation)) return false;
        kept.calls = operation.calls;
      }
      // Only a submit makes a future; one whose return is still to be recorded may already have handed it to its body.
      if (phase_of(state, kept.call) == Phase::kAbsent && !is_being_submitted(state, kept.call)) return false;
      if (operation.kind != OpKind::kAddCallback) break;
      kept.registration = operation.registration;
      if (!apply_invoke_add_callback(state, operation.registration)) return false;
      break;
    case OpKind::kShutdown:
      kept.wait = operation.wait;
      kept.cancel_futures = operation.cancel_futures;
      break;
    case OpKind::kWait:
    case OpKind::kNext:
    case OpKind::kAbandon:
      if (!are_there(state, operation)) return false;
      kept.calls = operation.calls;
      if (operation.kind == OpKind::kAbandon) break;
      kept.poll = operation.poll;
      if (operation.kind == OpKind::kWait) kept.when = operation.when;
      if (operation.kind == OpKind::kNext && operation.calls == 0) return false;
      break;
    case OpKind::kDestroy:
      if (is_body_client(client)) return false;
      break;
  }
  ClientState& in = *find_client_mutable(state, client);
  in = {.phase = OpPhase::kInvoked, .operation = kept, .reply = {}};
  if (kept.kind == OpKind::kWait || kept.kind == OpKind::kNext) in.due = done_of(state, kept.calls);
  if (kept.kind == OpKind::kAbandon) {
    fail_and_drain(in, {ReplyKind::kOk});
    end_drains(policy, state);
  }
  if (kept.kind == OpKind::kPoll && is_done(state, kept.call)) take_effect(in, result_of(state, kept.call));
  return true;
}

bool apply_return(const Policy& policy, State& state, Client client, const Reply& reply) {
  ClientState* in = find_client_mutable(state, client);
  if (in == nullptr || !can_return(policy, state, client, *in, reply)) return false;
  *in = {};
  return true;
}

bool body_can_end(State& state, Call call) {
  const CallState* ending = find_call(state, call);
  return ending != nullptr && ending->phase == Phase::kStarted && state.bodies[call].phase == OpPhase::kIdle;
}

bool apply_body_end(const Policy& policy, State& state, Call call, const Reply& reply) {
  if (!body_can_end(state, call)) return false;
  if (reply.kind != ReplyKind::kValue && reply.kind != ReplyKind::kError) return false;
  if (policy.outcomes_travel && policy.max_workers == 1) {
    state.calls[call].ahead = static_cast<std::uint8_t>(std::count_if(
        state.calls.begin(), state.calls.end(), [](const CallState& c) { return c.phase == Phase::kEnded; }));
  }
  state.calls[call].phase = Phase::kEnded;
  state.calls[call].outcome = reply;
  return true;
}

bool can_finish(const State& state, Call call) {
  return phase_of(state, call) == Phase::kEnded && state.calls[call].ahead == 0;
}

bool apply_finish(State& state, Call call) {
  if (!can_finish(state, call)) return false;
  make_done(state, call, Phase::kFinished, kWorker);
  for (CallState& other : state.calls) {
    if (other.ahead > 0) --other.ahead;
  }
  return true;
}

bool apply_callback(State& state, const Action& action) {
  const std::int8_t registration = action.operation.registration;
  if (registration < 0 || static_cast<std::size_t>(registration) >= state.callbacks.size()) return false;
  CallbackState& callback = state.callbacks[registration];
  if (callback.phase != CallbackPhase::kDue || callback.call != action.call || callback.runs_on != action.client ||
      callback.ahead != 0) {
    return false;
  }
  const bool late = callback.late;
  callback = {.phase = CallbackPhase::kRan};
  if (late) return true;
  for (CallbackState& other : state.callbacks) {
    if (other.call == action.call && !other.late && other.ahead > 0) --other.ahead;
  }
  return true;
}

bool apply_death(const Policy& policy, State& state, Call call) {
  if (!policy.worker_death || !body_can_end(state, call)) return false;
  const auto fail = [&](Call failed) {
    state.calls[failed].outcome = {ReplyKind::kBroken};
    state.bodies[failed] = {};
    for (CallbackState& callback : state.callbacks) {
      if (callback.runs_on == body_client(failed)) callback.runs_on = kWorker;  // Its own thread is gone.
    }
    make_done(state, failed, Phase::kFinished, kWorker);
  };
  fail(call);
  if (policy.on_death == OnDeath::kFailCall) return true;
  state.broken = true;
  for (std::size_t other = 0; other < state.calls.size(); ++other) {
    const Call failed = static_cast<Call>(other);
    if (state.calls[other].phase != Phase::kAbsent && !is_done(state, failed)) fail(failed);
  }
  end_drains(policy, state);
  return true;
}

void apply_submit(const Policy& policy, State& state, ClientState& in) {
  if (state.broken || !state.intake_open) {
    fail_and_drain(in, {state.broken ? ReplyKind::kBroken : ReplyKind::kShutdownError});
    return end_drains(policy, state);
  }
  const Call call = in.operation.call;
  state.calls[call].phase = Phase::kPending;
  const auto position = policy.start_order == StartOrder::kFifo
                            ? state.queue.end()
                            : std::lower_bound(state.queue.begin(), state.queue.end(), call);
  state.queue.insert(position, call);
  take_effect(in, {ReplyKind::kOk});
}

void apply_cancel(const Policy& policy, State& state, Client client, ClientState& in) {
  const Call call = in.operation.call;
  const Phase before = state.calls[call].phase;
  const bool open = before == Phase::kPending || before == Phase::kTaken;
  if (open) make_done(state, call, Phase::kCancelled, client);
  take_effect(in, {open || before == Phase::kCancelled ? ReplyKind::kTrue : ReplyKind::kFalse});
  end_drains(policy, state);
}

void apply_add_callback(State& state, Client client, ClientState& in) {
  const Call call = in.operation.call;
  CallbackState added{.phase = CallbackPhase::kRegistered, .call = call};
  if (is_done(state, call)) {
    added.phase = CallbackPhase::kDue;
    added.late = true;
    added.runs_on = client;
  } else {
    for (const CallbackState& other : state.callbacks) added.ahead += other.call == call ? 1 : 0;
  }
  state.callbacks[in.operation.registration] = added;
  take_effect(in, {ReplyKind::kOk});
}

void apply_shutdown(const Policy& policy, State& state, Client client, ClientState& in) {
  state.intake_open = false;
  if (state.left_alone && !policy.later_shutdown_waits) in.operation.wait = false;
  state.left_alone = state.left_alone || !in.operation.wait;
  const bool refuses = in.operation.wait && is_body_client(client) && policy.self_shutdown_throws;
  take_effect(in, {refuses ? ReplyKind::kDeadlockError : ReplyKind::kOk});
  if (!policy.shutdown_cancels_itself) {
    if (state.note != CancelNote::kFollowed)
      state.note = in.operation.cancel_futures ? CancelNote::kLeft : CancelNote::kNone;
    return end_drains(policy, state);
  }
  if (!in.operation.cancel_futures) return;
  if (policy.drain == Drain::kStepwise) {
    in.phase = OpPhase::kDraining;
  } else {
    for (std::size_t i = 0; i < state.calls.size(); ++i) {
      const Call call = static_cast<Call>(i);
      if (is_cancellable(policy, state, call)) make_done(state, call, Phase::kCancelled, client);
    }
  }
  end_drains(policy, state);
}

void apply_destroy(const Policy& policy, State& state, ClientState& in) {
  state.intake_open = false;
  in.operation.wait = !(state.left_alone && policy.destroy_respects_no_wait);
  take_effect(in, {ReplyKind::kOk});
}

bool apply_effect(const Policy& policy, State& state, Client client) {
  ClientState* in = find_client_mutable(state, client);
  if (in == nullptr || !can_take_effect(state, *in)) return false;
  switch (in->operation.kind) {
    case OpKind::kSubmit:
      apply_submit(policy, state, *in);
      return true;
    case OpKind::kCancel:
      apply_cancel(policy, state, client, *in);
      return true;
    case OpKind::kAddCallback:
      apply_add_callback(state, client, *in);
      return true;
    case OpKind::kShutdown:
      apply_shutdown(policy, state, client, *in);
      return true;
    case OpKind::kDestroy:
      apply_destroy(policy, state, *in);
      return true;
    case OpKind::kResult:
      fail_and_drain(*in, result_of(state, in->operation.call));
      end_drains(policy, state);
      return true;
    case OpKind::kNone:
    case OpKind::kPoll:
    case OpKind::kWait:
    case OpKind::kNext:
    case OpKind::kAbandon:
      return false;
  }
  return false;
}

bool apply_drain_step(const Policy& policy, State& state, Client client, Call call) {
  const ClientState* in = find_client(state, client);
  if (client == kWorker) {
    if (!can_follow_note(policy, state, call)) return false;
    state.note = CancelNote::kFollowed;
  } else if (in == nullptr || in->phase != OpPhase::kDraining || !can_drain(policy, state, *in, call)) {
    return false;
  }
  make_done(state, call, Phase::kCancelled, client);
  end_drains(policy, state);
  return true;
}

// Moves `call` from one phase to the next if it is there.
bool advance(State& state, Call call, Phase from, Phase to) {
  CallState* moving = find_call(state, call);
  if (moving == nullptr || moving->phase != from) return false;
  moving->phase = to;
  return true;
}

bool apply(const Policy& policy, State& state, const Action& action) {
  switch (action.kind) {
    case ActionKind::kInvoke:
      return apply_invoke(policy, state, action.client, action.operation);
    case ActionKind::kReturn:
      return apply_return(policy, state, action.client, action.reply);
    case ActionKind::kBodyStart:
      if (!can_start(policy, state, action.call)) return false;
      advance(state, action.call, Phase::kClaimed, Phase::kStarted);
      ++state.calls[action.call].starts;
      return true;
    case ActionKind::kBodyEnd:
      return apply_body_end(policy, state, action.call, action.reply);
    case ActionKind::kCallback:
      return apply_callback(state, action);
    case ActionKind::kDeath:
      return apply_death(policy, state, action.call);
    case ActionKind::kEffect:
      return apply_effect(policy, state, action.client);
    case ActionKind::kDrainStep:
      return apply_drain_step(policy, state, action.client, action.call);
    case ActionKind::kTake:
      if (!can_take(policy, state, action.call)) return false;
      leave_queue(state, action.call);
      state.calls[action.call].phase = Phase::kTaken;
      end_drains(policy, state);
      return true;
    case ActionKind::kClaim:
      if (!advance(state, action.call, Phase::kTaken, Phase::kClaimed)) return false;
      end_drains(policy, state);
      return true;
    case ActionKind::kFinish:
      return apply_finish(state, action.call);
  }
  return false;
}

// Calls visit(client, its state) for every client that is inside an operation.
template <typename Visit>
void for_each_busy_client(const State& state, Visit visit) {
  for (std::size_t i = 0; i < state.clients.size(); ++i) {
    if (state.clients[i].phase != OpPhase::kIdle) visit(static_cast<Client>(i), state.clients[i]);
  }
  for (std::size_t i = 0; i < state.bodies.size(); ++i) {
    if (state.bodies[i].phase != OpPhase::kIdle) visit(body_client(static_cast<Call>(i)), state.bodies[i]);
  }
}

}  // namespace

std::optional<State> step(const Policy& policy, const State& state, const Action& action) {
  std::optional<State> next(state);
  if (!apply(policy, *next, action)) next.reset();
  return next;
}

std::vector<Action> internal_actions(const Policy& policy, const State& state) {
  std::vector<Action> actions;
  for_each_busy_client(state, [&](Client client, const ClientState& in) {
    if (can_take_effect(state, in)) actions.push_back({.kind = ActionKind::kEffect, .client = client});
    if (in.phase != OpPhase::kDraining) return;
    for (std::size_t i = 0; i < state.calls.size(); ++i) {
      const Call call = static_cast<Call>(i);
      if (can_drain(policy, state, in, call)) {
        actions.push_back({.kind = ActionKind::kDrainStep, .client = client, .call = call});
      }
    }
  });
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    const Call call = static_cast<Call>(i);
    const Phase phase = state.calls[i].phase;
    if (can_take(policy, state, call)) actions.push_back({.kind = ActionKind::kTake, .call = call});
    if (phase == Phase::kTaken) actions.push_back({.kind = ActionKind::kClaim, .call = call});
    if (can_finish(state, call)) actions.push_back({.kind = ActionKind::kFinish, .call = call});
    if (can_follow_note(policy, state, call)) {
      actions.push_back({.kind = ActionKind::kDrainStep, .client = kWorker, .call = call});
    }
  }
  return actions;
}

std::vector<Action> executor_events(const Policy& policy, const State& state) {
  std::vector<Action> events;
  for_each_busy_client(state, [&](Client client, const ClientState& in) {
    const auto add_return = [&](const Reply& reply) {
      if (!can_return(policy, state, client, in, reply)) return;
      events.push_back({.kind = ActionKind::kReturn, .client = client, .operation = in.operation, .reply = reply});
    };
    if (in.phase == OpPhase::kEffective) return add_return(in.reply);
    if (in.phase != OpPhase::kInvoked) return;
    if (in.operation.kind == OpKind::kWait) {
      const CallSet free = done_of(state, in.operation.calls) & static_cast<CallSet>(~in.due);
      // Every set between what it must report and what it may.
      for (CallSet more = free;; more = static_cast<CallSet>((more - 1) & free)) {
        add_return({ReplyKind::kDone, static_cast<std::int16_t>(in.due | more)});
        if (more == 0) return;
      }
    }
    add_return({ReplyKind::kTimeout});
    if (in.operation.kind == OpKind::kNext) {
      for (std::int16_t call = 0; call < kCallSetMax; ++call) add_return({ReplyKind::kDone, call});
      return;
    }
    if (is_done(state, in.operation.call)) add_return(result_of(state, in.operation.call));
  });
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    if (!can_start(policy, state, static_cast<Call>(i))) continue;
    events.push_back({.kind = ActionKind::kBodyStart, .call = static_cast<Call>(i)});
  }
  for (std::size_t i = 0; i < state.callbacks.size(); ++i) {
    const CallbackState& callback = state.callbacks[i];
    if (callback.phase != CallbackPhase::kDue || callback.ahead != 0) continue;
    Action ran{.kind = ActionKind::kCallback, .client = callback.runs_on, .call = callback.call};
    ran.operation.registration = static_cast<std::int8_t>(i);
    events.push_back(ran);
  }
  return events;
}

}  // namespace futures::model
