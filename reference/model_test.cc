// The model's steps one by one: each test is a short path, and says what may come next and what may not.
#include "reference/model.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace futures::model {
namespace {

// Goes along one path of the model; a step that cannot happen fails the test, and so does a law that breaks.
class Path {
 public:
  explicit Path(const Policy& policy = {}) : policy_(policy), state_(initial_state(2)) {}

  const State& state() const { return state_; }

  bool can(const Action& action) const { return step(policy_, state_, action).has_value(); }

  Path& take(const Action& action) {
    const std::optional<State> next = step(policy_, state_, action);
    EXPECT_TRUE(next.has_value()) << to_string(action) << " cannot happen in: " << to_string(state_);
    if (!next.has_value()) return *this;
    EXPECT_EQ(broken_law(policy_, state_, action, *next), std::nullopt) << to_string(action);
    EXPECT_EQ(broken_law(policy_, *next), std::nullopt) << to_string(*next);
    state_ = *next;
    return *this;
  }

  Path& invoke(Client client, const Operation& operation) {
    return take({.kind = ActionKind::kInvoke, .client = client, .operation = operation});
  }
  Path& effect(Client client) { return take({.kind = ActionKind::kEffect, .client = client}); }
  Path& returns(Client client, Reply reply) {
    return take({.kind = ActionKind::kReturn, .client = client, .reply = reply});
  }
  Path& call(ActionKind kind, Call call) { return take({.kind = kind, .call = call}); }
  Path& ends(Call call, std::int16_t value) {
    return take({.kind = ActionKind::kBodyEnd, .call = call, .reply = {ReplyKind::kValue, value}});
  }
  Path& drains(Client client, Call call) {
    return take({.kind = ActionKind::kDrainStep, .client = client, .call = call});
  }

  // A whole operation that nothing disturbs.
  Path& whole(Client client, const Operation& operation, Reply reply) {
    return invoke(client, operation).effect(client).returns(client, reply);
  }
  Path& submitted(Call call) { return whole(0, {.kind = OpKind::kSubmit, .call = call}, {ReplyKind::kOk}); }
  Path& started(Call call_started) {
    return call(ActionKind::kTake, call_started)
        .call(ActionKind::kClaim, call_started)
        .call(ActionKind::kBodyStart, call_started);
  }

 private:
  const Policy policy_;
  State state_;
};

constexpr Operation cancel(Call call) { return {.kind = OpKind::kCancel, .call = call}; }
constexpr Operation poll(Call call) { return {.kind = OpKind::kPoll, .call = call}; }
constexpr Operation result(Call call) { return {.kind = OpKind::kResult, .call = call}; }
constexpr Operation shutdown(bool wait, bool cancel_futures) {
  return {.kind = OpKind::kShutdown, .wait = wait, .cancel_futures = cancel_futures};
}
constexpr Operation add_callback(Call call, std::int8_t registration) {
  return {.kind = OpKind::kAddCallback, .call = call, .registration = registration};
}
Action call_action(ActionKind kind, Call call) { return {.kind = kind, .call = call}; }
Action return_action(Client client, ReplyKind kind) {
  return {.kind = ActionKind::kReturn, .client = client, .reply = {kind}};
}
Action callback_action(Client client, Call call, std::int8_t registration) {
  Action action{.kind = ActionKind::kCallback, .client = client, .call = call};
  action.operation.registration = registration;
  return action;
}

TEST(Model, F1_ACallGoesThroughItsPhases) {
  Path path;
  path.submitted(0);
  EXPECT_EQ(visible(path.state(), 0), Visible::kPending);
  path.call(ActionKind::kTake, 0);
  EXPECT_EQ(visible(path.state(), 0), Visible::kPending);
  path.call(ActionKind::kClaim, 0);
  EXPECT_EQ(visible(path.state(), 0), Visible::kRunning);
  path.call(ActionKind::kBodyStart, 0).ends(0, 7);
  EXPECT_EQ(visible(path.state(), 0), Visible::kRunning);
  path.call(ActionKind::kFinish, 0);
  EXPECT_EQ(visible(path.state(), 0), Visible::kFinished);
  EXPECT_EQ(result_of(path.state(), 0), (Reply{ReplyKind::kValue, 7}));
  EXPECT_TRUE(internal_actions({}, path.state()).empty());
}

TEST(Model, EqualSituationsAreEqualStates) {
  Path first;
  first.submitted(0).whole(1, cancel(0), {ReplyKind::kTrue});
  Path second;
  second.submitted(0).call(ActionKind::kTake, 0).invoke(0, result(0)).whole(1, cancel(0), {ReplyKind::kTrue});
  second.returns(0, {ReplyKind::kCancelled}).whole(1, cancel(0), {ReplyKind::kTrue});
  EXPECT_EQ(first.state(), second.state());
  EXPECT_EQ(fingerprint(first.state()), fingerprint(second.state()));
  second.whole(1, shutdown(false, false), {ReplyKind::kOk});
  EXPECT_NE(first.state(), second.state());
  EXPECT_NE(fingerprint(first.state()), fingerprint(second.state()));
}

TEST(Model, E5_FifoTakesTheHeadAnyOrderTakesAll) {
  Path fifo;
  fifo.submitted(0).submitted(1);
  EXPECT_TRUE(fifo.can(call_action(ActionKind::kTake, 0)));
  EXPECT_FALSE(fifo.can(call_action(ActionKind::kTake, 1)));
  Path any({.start_order = StartOrder::kAny});
  any.submitted(0).submitted(1);
  EXPECT_TRUE(any.can(call_action(ActionKind::kTake, 1)));
}

TEST(Model, E6_ATakenCallHoldsAWorkerUntilItIsDone) {
  Path path;
  path.submitted(0).submitted(1);
  const Action second = call_action(ActionKind::kTake, 1);
  path.call(ActionKind::kTake, 0);
  EXPECT_FALSE(path.can(second));
  path.call(ActionKind::kClaim, 0).call(ActionKind::kBodyStart, 0).ends(0, 1);
  EXPECT_FALSE(path.can(second));
  path.call(ActionKind::kFinish, 0);
  EXPECT_TRUE(path.can(second));
}

TEST(Model, F2_CancelUntilClaimedAndNotAfter) {
  Path taken;
  taken.submitted(0).call(ActionKind::kTake, 0).whole(1, cancel(0), {ReplyKind::kTrue});
  EXPECT_FALSE(taken.can(call_action(ActionKind::kClaim, 0)));
  EXPECT_EQ(count_occupied(taken.state()), 0);
  taken.whole(0, cancel(0), {ReplyKind::kTrue});
  Path claimed;
  claimed.submitted(0).call(ActionKind::kTake, 0).call(ActionKind::kClaim, 0).whole(1, cancel(0), {ReplyKind::kFalse});
  claimed.call(ActionKind::kBodyStart, 0)
      .ends(0, 1)
      .call(ActionKind::kFinish, 0)
      .whole(1, cancel(0), {ReplyKind::kFalse});
}

TEST(Model, F3_ResultWaitsAndPollDoesNot) {
  Path path;
  path.submitted(0).invoke(0, result(0)).invoke(1, poll(0));
  EXPECT_TRUE(path.can(return_action(1, ReplyKind::kTimeout)));
  EXPECT_FALSE(path.can(return_action(0, ReplyKind::kTimeout)));
  path.started(0).ends(0, 3);
  EXPECT_FALSE(path.can({.kind = ActionKind::kReturn, .client = 0, .reply = {ReplyKind::kValue, 3}}));
  path.call(ActionKind::kFinish, 0);
  // Invoked before, the poll may have looked before or after.
  EXPECT_TRUE(path.can(return_action(1, ReplyKind::kTimeout)));
  path.returns(0, {ReplyKind::kValue, 3}).returns(1, {ReplyKind::kValue, 3});
  path.invoke(1, poll(0));
  EXPECT_FALSE(path.can(return_action(1, ReplyKind::kTimeout)));
}

TEST(Model, F8_CallbacksRunInTheOrderOfTheirRegistration) {
  Path path;
  // r1 is registered before r0.
  path.submitted(0).whole(1, add_callback(0, 1), {ReplyKind::kOk}).whole(0, add_callback(0, 0), {ReplyKind::kOk});
  EXPECT_FALSE(path.can(callback_action(kWorker, 0, 1)));
  path.started(0).ends(0, 1).call(ActionKind::kFinish, 0);
  EXPECT_FALSE(path.can(callback_action(kWorker, 0, 0)));
  EXPECT_FALSE(path.can(callback_action(0, 0, 1)));
  path.take(callback_action(kWorker, 0, 1)).take(callback_action(kWorker, 0, 0));
  EXPECT_FALSE(path.can(callback_action(kWorker, 0, 0)));
}

TEST(Model, F8_CancelRunsTheCallbacksBeforeItReturns) {
  Path path;
  path.submitted(0).whole(0, add_callback(0, 0), {ReplyKind::kOk}).invoke(1, cancel(0)).effect(1);
  EXPECT_FALSE(path.can(return_action(1, ReplyKind::kTrue)));
  path.take(callback_action(1, 0, 0)).returns(1, {ReplyKind::kTrue});
}

TEST(Model, F9_ALateCallbackRunsInItsAdder) {
  Path path;
  path.submitted(0).whole(1, cancel(0), {ReplyKind::kTrue}).invoke(1, add_callback(0, 0)).effect(1);
  EXPECT_FALSE(path.can(return_action(1, ReplyKind::kOk)));
  path.take(callback_action(1, 0, 0)).returns(1, {ReplyKind::kOk});
}

TEST(Model, E4_SubmitAfterShutdownIsRefused) {
  Path path;
  path.invoke(0, {.kind = OpKind::kSubmit, .call = 0}).whole(1, shutdown(false, false), {ReplyKind::kOk});
  path.effect(0).returns(0, {ReplyKind::kShutdownError});
  EXPECT_EQ(visible(path.state(), 0), Visible::kAbsent);
  // Nobody has a future of it.
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = cancel(0)}));
}

TEST(Model, E10_ABodySubmitsCancelsAndEndsWhenIdle) {
  const Client body = body_client(0);
  Path path;
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = body, .operation = shutdown(false, false)}));
  path.submitted(0).started(0).invoke(body, {.kind = OpKind::kSubmit, .call = 1});
  EXPECT_FALSE(path.can({.kind = ActionKind::kBodyEnd, .call = 0, .reply = {ReplyKind::kValue}}));
  path.effect(body).returns(body, {ReplyKind::kOk}).whole(body, cancel(1), {ReplyKind::kTrue}).ends(0, 1);
}

TEST(Model, S1_ShutdownWithWaitReturnsWhenAllIsDone) {
  Path path;
  path.submitted(0).whole(0, add_callback(0, 0), {ReplyKind::kOk}).invoke(1, shutdown(true, false)).effect(1);
  const Action returned = return_action(1, ReplyKind::kOk);
  EXPECT_FALSE(path.can(returned));
  path.started(0).ends(0, 1).call(ActionKind::kFinish, 0);
  EXPECT_FALSE(path.can(returned)) << "a worker still has a callback to run";
  path.take(callback_action(kWorker, 0, 0)).take(returned);
}

TEST(Model, S3_CancelFuturesCancelsQueuedAndTaken) {
  Path path({.max_workers = 2});
  path.submitted(0).submitted(1).submitted(2).started(0).call(ActionKind::kTake, 1);
  path.invoke(1, shutdown(false, true)).effect(1);
  EXPECT_EQ(visible(path.state(), 0), Visible::kRunning);
  EXPECT_EQ(visible(path.state(), 1), Visible::kCancelled);
  EXPECT_EQ(visible(path.state(), 2), Visible::kCancelled);
  path.returns(1, {ReplyKind::kOk});
}

TEST(Model, S3_PythonLeavesATakenCall) {
  Path path({.max_workers = 2, .shutdown_cancels_taken = false});
  path.submitted(0).submitted(1).call(ActionKind::kTake, 0).whole(1, shutdown(false, true), {ReplyKind::kOk});
  EXPECT_EQ(visible(path.state(), 0), Visible::kPending);
  EXPECT_EQ(visible(path.state(), 1), Visible::kCancelled);
  path.call(ActionKind::kClaim, 0);
}

TEST(Model, P1_AWorkerIsFreeWhileItsOutcomesTravel) {
  Path path({.outcomes_travel = true});
  path.submitted(0).submitted(1).submitted(2).started(0);
  EXPECT_FALSE(path.can(call_action(ActionKind::kTake, 1)));
  path.ends(0, 1).started(1).ends(1, 2).started(2);
  EXPECT_EQ(visible(path.state(), 0), Visible::kRunning);
  EXPECT_FALSE(path.can(call_action(ActionKind::kFinish, 1))) << "the worker's first outcome is on its way";
  path.call(ActionKind::kFinish, 0).call(ActionKind::kFinish, 1).ends(2, 3).call(ActionKind::kFinish, 2);
  Path two({.max_workers = 2, .outcomes_travel = true});
  two.submitted(0).submitted(1).started(0).started(1).ends(0, 1).ends(1, 2);
  EXPECT_TRUE(two.can(call_action(ActionKind::kFinish, 1)));
  two.call(ActionKind::kFinish, 0).call(ActionKind::kFinish, 1);
}

TEST(Model, S3_AStepwiseDrainGoesFrontFirstAndWorkersMayTakeInBetween) {
  Path path({.drain = Drain::kStepwise});
  path.submitted(0).submitted(1).submitted(2).invoke(1, shutdown(false, true)).effect(1);
  EXPECT_FALSE(path.can({.kind = ActionKind::kDrainStep, .client = 1, .call = 1}));
  path.drains(1, 0).call(ActionKind::kTake, 1).call(ActionKind::kClaim, 1);
  EXPECT_FALSE(path.can(return_action(1, ReplyKind::kOk)));
  path.drains(1, 2).returns(1, {ReplyKind::kOk});
  EXPECT_EQ(visible(path.state(), 1), Visible::kRunning);
}

TEST(Model, S5_NoShutdownThatCancelsReturnsBeforeAnothersDrainIsOver) {
  Path path({.drain = Drain::kStepwise});
  path.submitted(0).invoke(0, shutdown(false, true)).invoke(1, shutdown(false, true)).effect(0).effect(1);
  EXPECT_FALSE(path.can(return_action(1, ReplyKind::kOk)));
  path.drains(0, 0).returns(1, {ReplyKind::kOk}).returns(0, {ReplyKind::kOk});
}

TEST(Model, S5_ALaterCancelFuturesCancelsWhatIsPending) {
  Path path;
  path.submitted(0)
      .whole(0, shutdown(false, false), {ReplyKind::kOk})
      .whole(0, shutdown(false, true), {ReplyKind::kOk});
  EXPECT_EQ(visible(path.state(), 0), Visible::kCancelled);
}

TEST(Model, S7_ShutdownWithWaitInABodyIsRefusedAndHonoursCancelFutures) {
  const Client body = body_client(0);
  Path path;
  path.submitted(0).submitted(1).started(0).whole(body, shutdown(true, true), {ReplyKind::kDeadlockError});
  EXPECT_FALSE(path.state().intake_open);
  EXPECT_EQ(visible(path.state(), 1), Visible::kCancelled);
  path.ends(0, 1);
}

TEST(Model, P5_TheDeathOfAWorkerFailsItsCallOrThePool) {
  for (const OnDeath on_death : {OnDeath::kFailCall, OnDeath::kBreakPool}) {
    Path path({.on_death = on_death, .worker_death = true});
    path.submitted(0).submitted(1).started(0).call(ActionKind::kDeath, 0);
    EXPECT_EQ(result_of(path.state(), 0), Reply{ReplyKind::kBroken});
    const bool breaks = on_death == OnDeath::kBreakPool;
    EXPECT_EQ(visible(path.state(), 1), breaks ? Visible::kFinished : Visible::kPending);
    path.whole(1, {.kind = OpKind::kSubmit, .call = 2}, {breaks ? ReplyKind::kBroken : ReplyKind::kOk});
  }
}

TEST(Model, MalformedActionsCannotHappen) {
  Path path;
  path.submitted(0);
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 2, .operation = poll(0)}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = -1, .operation = poll(0)}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = poll(1)}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = poll(-1)}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = {}}));
  constexpr Operation kTooFar{.kind = OpKind::kSubmit, .call = kModelCallsMax};
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = kTooFar}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = {.kind = OpKind::kSubmit, .call = 0}}));
  EXPECT_FALSE(path.can({.kind = ActionKind::kInvoke, .client = 0, .operation = add_callback(0, -1)}));
  EXPECT_FALSE(path.can(callback_action(kWorker, 0, 5)));
  for (const Call call : {Call{-1}, Call{5}}) {
    for (const ActionKind kind : {ActionKind::kTake, ActionKind::kClaim, ActionKind::kFinish, ActionKind::kBodyStart,
                                  ActionKind::kBodyEnd, ActionKind::kDeath, ActionKind::kDrainStep}) {
      EXPECT_FALSE(path.can(call_action(kind, call)));
    }
  }
}

TEST(Model, TheExecutorsEventsAreThoseThatCanHappen) {
  Path path;
  path.submitted(0).invoke(0, result(0)).invoke(1, poll(0)).call(ActionKind::kTake, 0).call(ActionKind::kClaim, 0);
  const std::vector<Action> events = executor_events({}, path.state());
  ASSERT_EQ(events.size(), 2u);
  for (const Action& event : events) EXPECT_TRUE(path.can(event)) << to_string(event);
}

TEST(ModelLaws, NameWhatAStateBreaks) {
  Path path;
  path.submitted(0).started(0);
  State state = path.state();
  state.calls[0].starts = 2;
  EXPECT_EQ(broken_law({}, state)->substr(0, 2), "E2");
  state = path.state();
  state.queue.push_back(0);
  EXPECT_EQ(broken_law({}, state)->substr(0, 2), "E2");
  EXPECT_EQ(broken_law({.max_workers = 0}, path.state())->substr(0, 2), "E6");
}

}  // namespace
}  // namespace futures::model
