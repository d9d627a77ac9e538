// Why it is enough to take the needed actions first.
//
// Let `wanted` be the set that is computed here for a state s and an event e. Take any path from s over internal
// actions to e. Let t be the first action on the path that is wanted. There is one, because e itself is wanted. Let w
// be the part of the path before t. Then t can be moved to the front of the path, because of three rules that the
// code below keeps:
//   1. If t cannot happen in s, then one of the actions that it needs is wanted as well. So t, which is the first
//      wanted one on the path, can happen in s.
//   2. If an action u can come before t, and if u t leads to another state than t u, then u is wanted. So t and w lead
//      to the same state in either order. An action that makes t impossible is not meant: it is in no w.
//   3. There are two exceptions to "the same state". Both are harmless. A take in w may become superfluous because t
//      cancels its call; it is left out. Of two takes that compete for a worker, one that is not wanted can wait,
//      because whatever frees a worker later on the path can do so earlier.
// By induction e is reached by wanted actions alone. The rest of the path follows e, and the acceptor takes it when a
// later event needs it.
//
// Some events do notice the difference. A poll may be invoked on a call that could already be done. The state in which
// the call is not done can answer all that the other state can. The same holds for wait, and for next while none of its
// calls is done. Once one is done, next has to yield one of those, so all calls that may be done by then matter.
#include "reference/acceptor_reduction.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace futures::model {
namespace {

// A small set of actions. An effect is named by its client, any other action by its call. A drain step is not told
// apart by its client.
class ActionSet {
 public:
  bool contains(const Action& action) { return (word(action) & bit(action)) != 0; }

  // Returns whether it is new.
  bool insert(const Action& action) {
    const bool is_new = !contains(action);
    word(action) |= bit(action);
    return is_new;
  }

 private:
  static std::uint64_t bit(const Action& action) {
    const int index = action.kind != ActionKind::kEffect ? action.call
                      : is_body_client(action.client)    ? call_of_body(action.client)
                                                         : action.client;
    return std::uint64_t{1} << index;
  }

  std::uint64_t& word(const Action& action) {
    switch (action.kind) {
      case ActionKind::kTake:
        return takes_;
      case ActionKind::kClaim:
        return claims_;
      case ActionKind::kFinish:
        return finishes_;
      case ActionKind::kDrainStep:
        return drains_;
      default:
        return is_body_client(action.client) ? effects_of_bodies_ : effects_of_clients_;
    }
  }

  std::uint64_t effects_of_clients_ = 0;
  std::uint64_t effects_of_bodies_ = 0;
  std::uint64_t takes_ = 0;
  std::uint64_t claims_ = 0;
  std::uint64_t finishes_ = 0;
  std::uint64_t drains_ = 0;
};

class Needs {
 public:
  Needs(const Policy& policy, const State& state) : policy_(policy), state_(state) {}

  void want_event(const Event& event) {
    switch (event.kind) {
      case ActionKind::kReturn:
        return want_return(event.client, event.reply);
      case ActionKind::kBodyStart:
        if (!is_past_claim(event.call)) want(ActionKind::kClaim, event.call);
        return;
      case ActionKind::kCallback:
        return want_callback(event);
      case ActionKind::kDeath:
        return want_death(event.call);
      case ActionKind::kInvoke:
        return want_invoke(event.operation);
      default:
        return;  // Ends of bodies depend on events alone.
    }
  }

  std::vector<Action> wanted_now() {
    while (!todo_.empty()) {
      const Action action = todo_.back();
      todo_.pop_back();
      close_over(action);
    }
    std::vector<Action> actions = internal_actions(policy_, state_);
    std::erase_if(actions, [&](const Action& action) { return !wanted_.contains(action); });
    return actions;
  }

 private:
  Phase phase(Call call) const { return phase_of(state_, call); }
  bool is_open(Call call) const { return phase(call) == Phase::kPending || phase(call) == Phase::kTaken; }
  bool is_past_claim(Call call) const { return phase(call) >= Phase::kClaimed; }
  std::size_t calls() const { return state_.calls.size(); }
  // FIFO: the call that must leave the queue before `call` can; or `call` itself.
  Call first_to_leave(Call call) const {
    return policy_.start_order == StartOrder::kFifo && phase(call) == Phase::kPending ? state_.queue.front() : call;
  }

  void want(ActionKind kind, Call call) { want({.kind = kind, .call = call}); }
  void want(const Action& action) {
    if (!excluded_.contains(action) && wanted_.insert(action)) todo_.push_back(action);
  }

  // Wants the effects of the operations that are invoked and that `matches`.
  template <typename Predicate>
  void want_effects(Predicate matches) {
    for_each_effect([&](const Action& effect, const Operation& operation) {
      if (matches(operation)) want(effect);
    });
  }
  template <typename Visit>
  void for_each_effect(Visit visit) {
    const auto visit_client = [&](Client client, const ClientState& in) {
      if (in.phase == OpPhase::kInvoked) visit(Action{.kind = ActionKind::kEffect, .client = client}, in.operation);
    };
    for (std::size_t i = 0; i < state_.clients.size(); ++i) visit_client(static_cast<Client>(i), state_.clients[i]);
    for (std::size_t i = 0; i < calls(); ++i) visit_client(body_client(static_cast<Call>(i)), state_.bodies[i]);
  }
  void want_effects_on(OpKind kind, Call call) {
    want_effects([&](const Operation& operation) { return operation.kind == kind && operation.call == call; });
  }
  void want_effects_of(OpKind kind) {
    want_effects([&](const Operation& operation) { return operation.kind == kind; });
  }
  // What closes the intake.
  void want_closing() {
    want_effects_of(OpKind::kShutdown);
    want_effects_of(OpKind::kDestroy);
  }
  // Maps that may come to cancel `call`: those whose submit is refused, or that end at an error of the awaited call.
  void want_failing_maps(Call call) {
    for_each_effect([&](const Action& effect, const Operation& operation) {
      if (!is_in(operation.calls, call)) return;
      if (operation.kind == OpKind::kSubmit) {
        want_closing();
        want(effect);
      }
      if (operation.kind != OpKind::kResult) return;
      if (!is_done(state_, operation.call)) return want_done(operation.call, nullptr);
      want(effect);
    });
  }
  void want_cancelling_shutdowns() {
    want_effects(
        [](const Operation& operation) { return operation.kind == OpKind::kShutdown && operation.cancel_futures; });
  }
  void want_cancelled(Call call) {
    want_effects_on(OpKind::kCancel, call);
    want(ActionKind::kDrainStep, call);
  }
  void want_out_of_queue(Call call) {
    want(ActionKind::kTake, call);
    want_cancelled(call);
  }
  // FIFO or not, every call that a note is about.
  void want_note_followed() {
    if (state_.note != CancelNote::kLeft) return;
    for (std::size_t i = 0; i < calls(); ++i) {
      if (is_cancellable(policy_, state_, static_cast<Call>(i))) want(ActionKind::kDrainStep, static_cast<Call>(i));
    }
  }
  void want_free_worker() {
    for (std::size_t i = 0; i < calls(); ++i) {
      const Call call = static_cast<Call>(i);
      if (phase(call) == Phase::kEnded && !policy_.outcomes_travel) want(ActionKind::kFinish, call);
      if (phase(call) == Phase::kTaken) want_cancelled(call);
    }
  }
  void want_finishes_ahead_of(Call call) {
    if (phase(call) != Phase::kEnded || state_.calls[call].ahead == 0) return;
    for (std::size_t i = 0; i < calls(); ++i) {
      if (state_.calls[i].phase != Phase::kEnded || state_.calls[i].ahead >= state_.calls[call].ahead) continue;
      want(ActionKind::kFinish, static_cast<Call>(i));
    }
  }
  // `call` has to become done, with `reply` where that is given.
  void want_done(Call call, const Reply* reply) {
    if (phase(call) == Phase::kAbsent) return want_effects_on(OpKind::kSubmit, call);
    if (phase(call) == Phase::kEnded && (reply == nullptr || *reply == state_.calls[call].outcome)) {
      want(ActionKind::kFinish, call);
    }
    if (is_open(call) && (reply == nullptr || reply->kind == ReplyKind::kCancelled)) want_cancelled(call);
  }

  // Most invokes depend on events alone. But the calls that a map would cancel must have been accepted.
  void want_invoke(const Operation& operation) {
    if (operation.kind == OpKind::kNext) return want_done_before_next(operation.calls);
    if (operation.kind == OpKind::kWait) return;
    for (Call call = 0; call < kCallSetMax; ++call) {
      if (is_in(operation.calls, call) && phase(call) == Phase::kAbsent) want_effects_on(OpKind::kSubmit, call);
    }
  }

  void want_done_before_next(CallSet calls) {
    CallSet open = 0;
    for (Call call = 0; call < kCallSetMax; ++call) {
      if (is_in(calls, call) && !is_done(state_, call)) open |= set_of(call);
    }
    if (open == calls) return;
    for (Call call = 0; call < kCallSetMax; ++call) {
      if (is_in(open, call)) want_done(call, nullptr);
    }
  }

  void want_return(Client client, const Reply& reply) {
    const ClientState* in = find_client(state_, client);
    if (in == nullptr) return;
    if (in->phase == OpPhase::kInvoked) return want_return_of_invoked(client, *in, reply);
    if (in->reply != reply) return;
    for (std::size_t i = 0; i < calls(); ++i) {
      const Call call = static_cast<Call>(i);
      if (in->phase == OpPhase::kDraining && is_drained_by(policy_, state_, *in, call)) {
        const Call first = first_to_leave(call);
        want_cancelled(call);
        want_out_of_queue(first);
        return want(ActionKind::kClaim, first);
      }
    }
    if (!in->operation.wait || reply.kind != ReplyKind::kOk || in->phase != OpPhase::kEffective) return;
    if (!policy_.later_shutdown_waits) {
      if (state_.left_alone) return;
      want_effects_of(OpKind::kShutdown);
    }
    for (std::size_t i = 0; i < calls(); ++i) {
      const Call call = static_cast<Call>(i);
      if (phase(call) != Phase::kAbsent && !is_done(state_, call)) return want_done(call, nullptr);
    }
  }

  void want_return_of_invoked(Client client, const ClientState& in, const Reply& reply) {
    const Call call = in.operation.call;
    const Action effect{.kind = ActionKind::kEffect, .client = client};
    switch (in.operation.kind) {
      case OpKind::kResult:
      case OpKind::kPoll:
        if (reply.kind == ReplyKind::kTimeout) return;
        if (!is_done(state_, call)) return want_done(call, &reply);
        return want(effect);  // Of a result that ends its map; else there is none.
      case OpKind::kWait:
        for (Call done = 0; done < kCallSetMax; ++done) {
          if (is_in(static_cast<CallSet>(reply.value), done) && !is_done(state_, done)) want_done(done, nullptr);
        }
        return;
      case OpKind::kNext:
        if (reply.kind == ReplyKind::kDone && !is_done(state_, static_cast<Call>(reply.value))) {
          want_done(static_cast<Call>(reply.value), nullptr);
        }
        return;
      case OpKind::kSubmit:
        // Accepted: no shutdown can have been before. Refused: one must have been, and then nothing competes.
        if (reply.kind == ReplyKind::kShutdownError && state_.intake_open) return want_closing();
        if (reply.kind == ReplyKind::kOk) {
          for_each_effect([&](const Action& other, const Operation& operation) {
            if (operation.kind == OpKind::kShutdown || operation.kind == OpKind::kDestroy) excluded_.insert(other);
          });
        }
        return want(effect);
      case OpKind::kCancel:
        // False: the call must have become running. True: it cannot have.
        if (reply.kind == ReplyKind::kFalse && is_open(call)) return want(ActionKind::kClaim, call);
        if (reply.kind == ReplyKind::kTrue) excluded_.insert({.kind = ActionKind::kClaim, .call = call});
        return want(effect);
      default:
        return want(effect);
    }
  }

  void want_callback(const Event& event) {
    const std::int8_t registration = event.operation.registration;
    if (registration < 0 || static_cast<std::size_t>(registration) >= state_.callbacks.size()) return;
    const CallbackState& callback = state_.callbacks[registration];
    if (callback.phase == CallbackPhase::kAbsent) {
      want_effects([&](const Operation& operation) {
        return operation.kind == OpKind::kAddCallback && operation.registration == registration;
      });
    }
    if (callback.phase != CallbackPhase::kRegistered || callback.call != event.call) return;
    if (event.client != kWorker) return want_cancelled(event.call);
    if (!policy_.shutdown_cancels_itself) want(ActionKind::kDrainStep, event.call);
    if (phase(event.call) == Phase::kEnded) want(ActionKind::kFinish, event.call);
  }

  void want_death(Call call) {
    want_effects_on(OpKind::kAddCallback, call);
    if (policy_.on_death == OnDeath::kFailCall) return;
    want_effects([](const Operation&) { return true; });
    for (std::size_t i = 0; i < calls(); ++i) {
      if (phase(static_cast<Call>(i)) == Phase::kEnded) want(ActionKind::kFinish, static_cast<Call>(i));
      if (is_open(static_cast<Call>(i))) want(ActionKind::kDrainStep, static_cast<Call>(i));
    }
  }

  // Keeps rules 1 and 2 for one wanted action.
  void close_over(const Action& action) {
    switch (action.kind) {
      case ActionKind::kTake:
        return close_over_take(action.call);
      case ActionKind::kClaim:
        if (phase(action.call) == Phase::kAbsent) want_effects_on(OpKind::kSubmit, action.call);
        if (phase(action.call) == Phase::kPending) want(ActionKind::kTake, action.call);
        return;
      case ActionKind::kFinish:
        want_finishes_ahead_of(action.call);
        return want_effects_on(OpKind::kAddCallback, action.call);
      case ActionKind::kDrainStep:
        return close_over_drain(action.call);
      default:
        return close_over_effect(action);
    }
  }

  void close_over_take(Call call) {
    if (phase(call) != Phase::kPending) return;
    const Call first = first_to_leave(call);
    if (first != call) return want_out_of_queue(first);
    if (policy_.claims_ahead > 0) return close_over_take_ahead();
    if (count_holding(policy_, state_) >= policy_.max_workers) want_free_worker();
  }

  // A call that is taken has to be claimed or cancelled before the next one is taken.
  void close_over_take_ahead() {
    for (std::size_t i = 0; i < calls(); ++i) {
      const Call call = static_cast<Call>(i);
      if (phase(call) != Phase::kTaken) continue;
      want(ActionKind::kClaim, call);
      want_cancelled(call);
    }
  }

  void close_over_drain(Call call) {
    if (!is_open(call)) return;
    want_cancelling_shutdowns();
    want_failing_maps(call);
    const Call first = first_to_leave(call);
    if (first != call) want_out_of_queue(first);
    want_effects_on(OpKind::kAddCallback, call);
  }

  void close_over_effect(const Action& action) {
    const ClientState* in = find_client(state_, action.client);
    if (in == nullptr || in->phase != OpPhase::kInvoked) return;
    const Call call = in->operation.call;
    switch (in->operation.kind) {
      case OpKind::kSubmit:
        if (!state_.intake_open || state_.broken) return;
        if (policy_.start_order == StartOrder::kFifo) want_effects_of(OpKind::kSubmit);
        return want_closing();
      case OpKind::kCancel:
        if (phase(call) == Phase::kAbsent) return want_effects_on(OpKind::kSubmit, call);
        if (!is_open(call)) return;
        want(ActionKind::kClaim, call);
        want_cancelled(call);
        return want_effects_on(OpKind::kAddCallback, call);
      case OpKind::kAddCallback:
        if (phase(call) == Phase::kAbsent) return want_effects_on(OpKind::kSubmit, call);
        if (is_done(state_, call)) return;
        if (phase(call) == Phase::kEnded) want(ActionKind::kFinish, call);
        if (is_open(call)) want_cancelled(call);
        return want_effects_on(OpKind::kAddCallback, call);
      case OpKind::kShutdown:
        if (!in->operation.wait) want_effects_of(OpKind::kDestroy);
        return close_over_shutdown(in->operation);
      case OpKind::kDestroy:
        want_effects_of(OpKind::kShutdown);
        return want_effects_of(OpKind::kSubmit);
      default:
        return;
    }
  }

  void close_over_shutdown(const Operation& operation) {
    want_effects_of(OpKind::kSubmit);
    if (!policy_.shutdown_cancels_itself) {
      want_effects_of(OpKind::kShutdown);
      return want_note_followed();
    }
    if (!policy_.later_shutdown_waits) want_effects_of(OpKind::kShutdown);
    if (!operation.cancel_futures || policy_.drain == Drain::kStepwise) return;
    want_cancelling_shutdowns();
    for (std::size_t i = 0; i < calls(); ++i) {
      const Call call = static_cast<Call>(i);
      if (!is_cancellable(policy_, state_, call)) continue;
      // A shutdown cannot cancel a call any more once it is claimed, or, by policy, once it is taken.
      want(policy_.shutdown_cancels_taken ? ActionKind::kClaim : ActionKind::kTake, call);
      want_effects_on(OpKind::kCancel, call);
      want_effects_on(OpKind::kAddCallback, call);
    }
  }

  const Policy& policy_;
  const State& state_;
  ActionSet wanted_;
  ActionSet excluded_;  // Not on any path to the event, except after what it needs.
  std::vector<Action> todo_;
};

}  // namespace

std::vector<Action> needed_actions(const Policy& policy, const State& state, const Event& event) {
  Needs needs(policy, state);
  needs.want_event(event);
  return needs.wanted_now();
}

}  // namespace futures::model
