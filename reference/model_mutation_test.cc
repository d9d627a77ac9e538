// The exploration is an alarm; here it is set off. Each test changes the model on purpose, as a bug would change an
// executor, and the exploration must find the law that this breaks.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "reference/exploration.h"
#include "reference/model.h"

namespace futures::model {
namespace {

struct Mutant {
  const char* name;
  const char* law;  // What the report begins with.
  Scope scope;
  Change change;
};

const Operation& operation_of(const State& state, const Action& action) {
  return find_client(state, action.client)->operation;
}

bool is_effect(const State& before, const Move& move, OpKind kind) {
  return move.action.kind == ActionKind::kEffect && operation_of(before, move.action).kind == kind;
}

// Adds what `action` leads to under a policy that the executor has not stated.
void add_under(const Policy& policy, const State& before, const Action& action, std::vector<Move>& moves) {
  if (auto after = step(policy, before, action)) moves.push_back({action, *std::move(after)});
}

// Adds that client `i` returns `reply`, whether it may or not.
void add_return(const State& before, std::size_t i, const Reply& reply, std::vector<Move>& moves) {
  Move move{{.kind = ActionKind::kReturn, .client = static_cast<Client>(i), .reply = reply}, before};
  move.state.clients[i] = {};
  moves.push_back(move);
}

void cancel_of_running_succeeds(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (!is_effect(before, move, OpKind::kCancel)) continue;
    const Call call = operation_of(before, move.action).call;
    if (before.calls[call].phase != Phase::kClaimed) continue;
    move.state.calls[call].phase = Phase::kCancelled;
    move.state.clients[move.action.client].reply = {ReplyKind::kTrue};
  }
}

void cancel_lies(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (!is_effect(before, move, OpKind::kCancel)) continue;
    const Call call = operation_of(before, move.action).call;
    if (before.calls[call].phase == Phase::kStarted) move.state.clients[move.action.client].reply = {ReplyKind::kTrue};
  }
}

void take_ignores_max_workers(const Policy& policy, const State& before, std::vector<Move>& moves) {
  Policy wide = policy;
  ++wide.max_workers;
  if (count_occupied(before) < policy.max_workers || before.queue.empty()) return;
  add_under(wide, before, {.kind = ActionKind::kTake, .call = before.queue.front()}, moves);
}

void take_goes_out_of_turn(const Policy& policy, const State& before, std::vector<Move>& moves) {
  Policy any = policy;
  any.start_order = StartOrder::kAny;
  if (before.queue.size() < 2) return;
  add_under(any, before, {.kind = ActionKind::kTake, .call = before.queue.back()}, moves);
}

void cancelled_call_starts(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.calls.size(); ++i) {
    if (before.calls[i].phase != Phase::kCancelled) continue;
    Move move{{.kind = ActionKind::kBodyStart, .call = static_cast<Call>(i)}, before};
    move.state.calls[i].phase = Phase::kStarted;
    ++move.state.calls[i].starts;
    moves.push_back(move);
  }
}

void call_starts_twice(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.calls.size(); ++i) {
    if (before.calls[i].phase != Phase::kStarted || before.calls[i].starts > 1) continue;
    Move move{{.kind = ActionKind::kBodyStart, .call = static_cast<Call>(i)}, before};
    ++move.state.calls[i].starts;
    moves.push_back(move);
  }
}

void submit_after_shutdown_is_accepted(const Policy& policy, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (!is_effect(before, move, OpKind::kSubmit) || before.intake_open) continue;
    State open = before;
    open.intake_open = true;
    move.state = *step(policy, open, move.action);
    move.state.intake_open = false;
  }
}

void second_shutdown_opens_the_intake(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kShutdown) && !before.intake_open) move.state.intake_open = true;
  }
}

void shutdown_with_wait_returns_early(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase != OpPhase::kEffective || in.operation.kind != OpKind::kShutdown || !in.operation.wait) continue;
    add_return(before, i, in.reply, moves);
  }
}

void drain_returns_early(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    if (before.clients[i].phase == OpPhase::kDraining) add_return(before, i, before.clients[i].reply, moves);
  }
}

void shutdown_misses_taken_calls(const Policy& policy, const State& before, std::vector<Move>& moves) {
  Policy python = policy;
  python.shutdown_cancels_taken = false;
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kShutdown)) move.state = *step(python, before, move.action);
  }
}

void shutdown_loses_the_queue(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kShutdown)) move.state.queue.clear();
  }
}

void workers_stop_at_shutdown(const Policy&, const State& before, std::vector<Move>& moves) {
  if (before.intake_open) return;
  std::erase_if(moves, [](const Move& move) { return move.action.kind == ActionKind::kTake; });
}

void cancel_wakes_nobody(const Policy&, const State& before, std::vector<Move>& moves) {
  std::erase_if(moves, [&](const Move& move) {
    return move.action.kind == ActionKind::kReturn && operation_of(before, move.action).kind == OpKind::kResult &&
           move.action.reply.kind == ReplyKind::kCancelled;
  });
}

void poll_sees_a_value_too_early(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase != OpPhase::kInvoked || in.operation.kind != OpKind::kPoll) continue;
    if (before.calls[in.operation.call].phase != Phase::kEnded) continue;
    add_return(before, i, before.calls[in.operation.call].outcome, moves);
  }
}

void callback_runs_twice(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (move.action.kind != ActionKind::kCallback) continue;
    const std::size_t i = static_cast<std::size_t>(move.action.operation.registration);
    move.state.callbacks[i] = before.callbacks[i];
  }
}

void cancel_forgets_callbacks(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (!is_effect(before, move, OpKind::kCancel)) continue;
    for (CallbackState& callback : move.state.callbacks) {
      if (callback.phase == CallbackPhase::kDue) callback = {.phase = CallbackPhase::kRan};
    }
  }
}

void callbacks_run_in_any_order(const Policy& policy, const State& before, std::vector<Move>& moves) {
  State unordered = before;
  for (CallbackState& callback : unordered.callbacks) callback.ahead = 0;
  std::erase_if(moves, [](const Move& move) { return move.action.kind == ActionKind::kCallback; });
  for (const Action& action : executor_events(policy, unordered)) {
    if (action.kind == ActionKind::kCallback) add_under(policy, unordered, action, moves);
  }
}

void cancel_returns_before_callbacks(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase != OpPhase::kEffective || in.operation.kind != OpKind::kCancel) continue;
    add_return(before, i, in.reply, moves);
  }
}

void shutdown_in_a_body_waits(const Policy& policy, const State& before, std::vector<Move>& moves) {
  Policy waits = policy;
  waits.self_shutdown_throws = false;
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kShutdown)) move.state = *step(waits, before, move.action);
  }
}

void worker_is_lost_by_an_error(const Policy&, const State& before, std::vector<Move>& moves) {
  std::erase_if(moves, [&](const Move& move) {
    return move.action.kind == ActionKind::kFinish && before.calls[move.action.call].outcome.kind == ReplyKind::kError;
  });
}

// Adds a return of each client that is invoked in a `kind`, whether it may or not.
void add_report(const State& before, OpKind kind, const Reply& reply, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase == OpPhase::kInvoked && in.operation.kind == kind) add_return(before, i, reply, moves);
  }
}

void wait_leaves_out_what_was_done(const Policy&, const State& before, std::vector<Move>& moves) {
  add_report(before, OpKind::kWait, {ReplyKind::kDone, 0}, moves);
}

void wait_reports_what_is_pending(const Policy&, const State& before, std::vector<Move>& moves) {
  add_report(before, OpKind::kWait, {ReplyKind::kDone, static_cast<std::int16_t>(set_of(0))}, moves);
}

void wait_takes_a_cancel_for_an_exception(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase != OpPhase::kInvoked || in.operation.when != ReturnWhen::kFirstException) continue;
    for (Call call = 0; call < static_cast<Call>(before.calls.size()); ++call) {
      if (result_of(before, call).kind != ReplyKind::kCancelled || !is_in(in.operation.calls, call)) continue;
      add_return(before, i, {ReplyKind::kDone, static_cast<std::int16_t>(in.due | set_of(call))}, moves);
    }
  }
}

void wait_sleeps_on(const Policy&, const State& before, std::vector<Move>& moves) {
  std::erase_if(moves, [&](const Move& move) {
    return move.action.kind == ActionKind::kReturn && operation_of(before, move.action).kind == OpKind::kWait &&
           find_client(before, move.action.client)->due == 0 && operation_of(before, move.action).calls != 0;
  });
}

void as_completed_gives_up_too_early(const Policy&, const State& before, std::vector<Move>& moves) {
  add_report(before, OpKind::kNext, {ReplyKind::kTimeout}, moves);
}

void as_completed_yields_what_runs(const Policy&, const State& before, std::vector<Move>& moves) {
  add_report(before, OpKind::kNext, {ReplyKind::kDone, 0}, moves);
}

void an_error_of_a_map_cancels(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const Operation& operation = before.clients[i].operation;
    if (operation.kind != OpKind::kResult || result_of(before, operation.call).kind != ReplyKind::kError) continue;
    for (std::size_t call = 0; call < before.calls.size(); ++call) {
      if (before.calls[call].phase != Phase::kTaken) continue;
      State after = before;
      after.calls[call].phase = Phase::kCancelled;
      moves.push_back({.action = {.kind = ActionKind::kDrainStep,
                                  .client = static_cast<Client>(i),
                                  .call = static_cast<Call>(call)},
                       .state = std::move(after)});
    }
  }
}

void failed_map_returns_early(const Policy&, const State& before, std::vector<Move>& moves) {
  for (std::size_t i = 0; i < before.clients.size(); ++i) {
    const ClientState& in = before.clients[i];
    if (in.phase == OpPhase::kDraining && in.operation.kind != OpKind::kShutdown)
      add_return(before, i, in.reply, moves);
  }
}

void destructor_never_waits(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kDestroy)) move.state.clients[move.action.client].operation.wait = false;
  }
}

void destructor_always_waits(const Policy&, const State& before, std::vector<Move>& moves) {
  for (Move& move : moves) {
    if (is_effect(before, move, OpKind::kDestroy)) move.state.clients[move.action.client].operation.wait = true;
  }
}

constexpr Scope kWaits = {.policy = {.drain = Drain::kStepwise}, .operations_max = 3, .calls = 2, .waits = true};

const Mutant kMutants[] = {
    {"CancelOfRunningSucceeds", "F2", {.calls = 2}, cancel_of_running_succeeds},
    {"CancelLies", "F2", {.calls = 2}, cancel_lies},
    {"TakeIgnoresMaxWorkers", "E6", {}, take_ignores_max_workers},
    {"TakeGoesOutOfTurn", "E5", {}, take_goes_out_of_turn},
    {"CancelledCallStarts", "F1", {}, cancelled_call_starts},
    {"CallStartsTwice", "E2", {}, call_starts_twice},
    {"SubmitAfterShutdownIsAccepted", "E4", {}, submit_after_shutdown_is_accepted},
    {"SecondShutdownOpensTheIntake", "S1", {}, second_shutdown_opens_the_intake},
    {"ShutdownWithWaitReturnsEarly", "S1", {}, shutdown_with_wait_returns_early},
    {"DrainReturnsEarly", "S3", {.policy = {.drain = Drain::kStepwise}}, drain_returns_early},
    {"ShutdownMissesTakenCalls", "S3", {}, shutdown_misses_taken_calls},
    {"ShutdownLosesTheQueue", "E7", {}, shutdown_loses_the_queue},
    {"WorkersStopAtShutdown", "E7: stuck", {}, workers_stop_at_shutdown},
    {"CancelWakesNobody", "E7: stuck", {}, cancel_wakes_nobody},
    {"PollSeesAValueTooEarly", "F3", {}, poll_sees_a_value_too_early},
    {"CallbackRunsTwice", "F8", {.registrations = 1}, callback_runs_twice},
    {"CancelForgetsCallbacks", "F8", {.registrations = 1}, cancel_forgets_callbacks},
    {"CallbacksRunInAnyOrder", "F8", {.calls = 1, .registrations = 2}, callbacks_run_in_any_order},
    {"CancelReturnsBeforeCallbacks", "F8", {.registrations = 1}, cancel_returns_before_callbacks},
    {"ShutdownInABodyWaits", "E7: stuck", {.calls = 2, .bodies_act = true}, shutdown_in_a_body_waits},
    {"WaitLeavesOutWhatWasDone", "W2", kWaits, wait_leaves_out_what_was_done},
    {"WaitReportsWhatIsPending", "W2", kWaits, wait_reports_what_is_pending},
    {"WaitTakesACancelForAnException", "W3", kWaits, wait_takes_a_cancel_for_an_exception},
    {"WaitSleepsOn", "E7: stuck", kWaits, wait_sleeps_on},
    {"AsCompletedGivesUpTooEarly", "W5", kWaits, as_completed_gives_up_too_early},
    {"AsCompletedYieldsWhatRuns", "W5", kWaits, as_completed_yields_what_runs},
    {"AnErrorOfAMapCancels", "M3", kWaits, an_error_of_a_map_cancels},
    {"FailedMapReturnsEarly", "M4", kWaits, failed_map_returns_early},
    {"DestructorNeverWaits", "S6", kWaits, destructor_never_waits},
    {"DestructorAlwaysWaits", "S6", kWaits, destructor_always_waits},
    {"WorkerIsLostByAnError", "E7: stuck", {}, worker_is_lost_by_an_error},
};

class ModelMutation : public testing::TestWithParam<Mutant> {};

TEST_P(ModelMutation, IsCaught) {
  const Exploration right = explore({.policy = GetParam().scope.policy, .operations_max = 1}, nullptr);
  ASSERT_EQ(right.violation, "");
  const Exploration found = explore(GetParam().scope, nullptr, GetParam().change);
  EXPECT_TRUE(absl::StartsWith(found.violation, GetParam().law)) << found.violation;
  std::printf("after %zu states: %s\n", found.states, found.violation.c_str());
}

INSTANTIATE_TEST_SUITE_P(Mutants, ModelMutation, testing::ValuesIn(kMutants),
                         [](const testing::TestParamInfo<Mutant>& info) { return info.param.name; });

}  // namespace
}  // namespace futures::model
