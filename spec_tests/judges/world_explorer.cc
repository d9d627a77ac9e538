#include "spec_tests/judges/world_explorer.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_set.h"
#include "absl/log/check.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_operation.h"

namespace futures::spec_tests {
namespace {

using model::Action;
using model::ActionKind;
using model::Call;
using model::Client;
using model::ClientState;
using model::OpKind;
using model::OpPhase;
using model::Phase;
using model::ReplyKind;

// The executor, as who follows a note.
constexpr Client kFollower = -2;

bool contains(Bits bits, int index) { return (bits & bit(index)) != 0; }

bool names_call(const Statement& statement) { return statement.verb != Verb::kSubmit && statement.call >= 0; }

model::Reply outcome_of(const Body& body) {
  return {body.throws ? ReplyKind::kError : ReplyKind::kValue, static_cast<std::int16_t>(body.value)};
}

// Whether a wait, or a step of as_completed, says the same whenever and in whatever order its calls get done.
bool says_one_thing(const model::Operation& operation) {
  if (operation.poll) return false;
  const bool waits_for_all = operation.kind == OpKind::kWait && operation.when == model::ReturnWhen::kAllCompleted;
  return waits_for_all || std::popcount(operation.calls) <= 1;
}

Phase phase_of(const World& world, Call call) { return model::phase_of(world.core, call); }

// What all clients but `owner` might do.
PossibleEffects others_than(Client owner, const std::vector<PossibleEffects>& all_effects) {
  PossibleEffects all;
  for (const PossibleEffects& effects : all_effects) {
    if (effects.owner != owner) all.add(effects);
  }
  return all;
}

}  // namespace

void PossibleEffects::add(const PossibleEffects& other) {
  submits |= other.submits;
  names |= other.names;
  cancels |= other.cancels;
  callbacks |= other.callbacks;
  polls |= other.polls;
  enters = enters || other.enters;
  closes = closes || other.closes;
  cancels_pending = cancels_pending || other.cancels_pending;
}

Explorer::Explorer(const model::Policy& policy, const Trace& trace, bool reduce)
    : policy_(policy),
      trace_(trace),
      bodies_(bodies_of(trace)),
      registrations_(count_registrations(trace)),
      mapped_(mapped_calls(trace)),
      reduce_(reduce) {}

World Explorer::start() const {
  World world;
  world.core = model::initial_state(trace_.clients + 1);  // One more for the epilogue.
  return world;
}

bool Explorer::comes_too_late(const World& world, const Statement& statement) {
  return world.destroyed && needs_executor(statement.verb);
}

bool Explorer::is_passed_over(const World& world, const Statement& statement) const {
  return !policy_.bodies_act || comes_too_late(world, statement) ||
         (names_call(statement) && !contains(world.known, statement.call));
}

bool Explorer::can_issue(const World& world, Client client, const Statement& statement) const {
  if (world.core.clients[client].phase != OpPhase::kIdle || comes_too_late(world, statement)) return false;
  if (statement.verb != Verb::kDestroy) return !names_call(statement) || contains(world.known, statement.call);
  const std::vector<Client> clients = model::clients_of(world.core);
  return std::none_of(clients.begin(), clients.end(), [&](Client other) {
    const OpKind kind = model::find_client(world.core, other)->operation.kind;
    return kind == OpKind::kSubmit || kind == OpKind::kShutdown || kind == OpKind::kDestroy;
  });
}

void Explorer::issue(World& world, Client client, const Statement& statement, int step) const {
  if (statement.verb == Verb::kRelease) {
    world.released |= bit(statement.gate);
    return;
  }
  if (statement.verb == Verb::kDestroy) world.destroyed = true;
  if (statement.verb == Verb::kAsCompleted || statement.verb == Verb::kMap) {
    Script& script = world.scripts[client];
    script = {.step = static_cast<std::int8_t>(step),
              .left = static_cast<std::uint16_t>(statement.calls & world.known)};
    if (!next_operation(world, client)) script = {};
    return;
  }
  model::Operation operation = operation_of(statement);
  operation.calls &= static_cast<model::CallSet>(world.known);
  make(world, {.action = {.kind = ActionKind::kInvoke, .client = client, .operation = operation}});
}

std::optional<model::Operation> Explorer::next_operation(const World& world, Client client) const {
  const Script& script = world.scripts[client];
  if (script.step < 0) return std::nullopt;
  const Statement& statement = trace_.steps[static_cast<std::size_t>(script.step)].statement;
  if (statement.verb == Verb::kMap) return next_of_map(statement, static_cast<std::size_t>(script.at));
  if (script.left == 0) return std::nullopt;
  return model::Operation{.kind = OpKind::kNext, .calls = script.left, .poll = statement.poll};
}

// Whether the script is that of a map that is past its submits: has invoked a result, or more.
bool Explorer::has_submitted_all(const Script& script) const {
  const Statement& statement = trace_.steps[static_cast<std::size_t>(script.step)].statement;
  return statement.verb == Verb::kMap && static_cast<std::size_t>(script.at) > statement.body[0].statements.size();
}

// First all submits, then the results that are taken, then the rest is let go.
std::optional<model::Operation> Explorer::next_of_map(const Statement& map, std::size_t at) const {
  const std::vector<Statement>& inputs = map.body[0].statements;
  const auto taken = static_cast<std::size_t>(map.body[0].value);
  model::Operation operation;
  if (at < inputs.size()) {
    operation = {.kind = OpKind::kSubmit, .call = static_cast<Call>(inputs[at].call)};
    if (policy_.refused_map_cancels) operation.calls = calls_between(map, 0, at);
  } else if (at < inputs.size() + taken) {
    const std::size_t item = at - inputs.size();
    operation = {.kind = OpKind::kResult, .call = static_cast<Call>(inputs[item].call)};
    if (policy_.map_ends_at_error) operation.calls = calls_between(map, item + 1, inputs.size());
  } else {
    const bool lets_go = taken > 0 || policy_.abandons_unadvanced_map;
    if (at > inputs.size() + taken || taken == inputs.size() || !lets_go) return std::nullopt;
    operation = {.kind = OpKind::kAbandon, .calls = calls_between(map, taken, inputs.size())};
  }
  return operation;
}

void Explorer::continue_script(World& world, Client client, const model::Reply& reply) const {
  Script& script = world.scripts[client];
  if (script.step < 0) return;
  switch (reply.kind) {
    case ReplyKind::kOk:     // A submit, or the end of a map that was let go.
    case ReplyKind::kValue:  // A result of a map.
      break;
    case ReplyKind::kDone:
      script.left &= static_cast<std::uint16_t>(~model::set_of(static_cast<Call>(reply.value)));
      break;
    default:  // Of a map's result that may be an item like any other: law M3.
      if (!policy_.map_ends_at_error && has_submitted_all(script)) break;
      script = {};
      return;
  }
  if (!next_operation(world, client)) script = {};
}

// ---------------------------------------------------------------------------------------------- moves

std::vector<Move> Explorer::moves(const World& world) const {
  std::vector<Move> moves;
  for (const Action& action : model::internal_actions(policy_, world.core)) moves.push_back({.action = action});
  for (const Action& action : model::executor_events(policy_, world.core)) moves.push_back({.action = action});
  add_script_moves(world, moves);
  return moves;
}

void Explorer::add_script_moves(const World& world, std::vector<Move>& moves) const {
  for (int client = 0; client < trace_.clients; ++client) {
    if (world.scripts[client].step < 0 || world.core.clients[client].phase != OpPhase::kIdle) continue;
    moves.push_back({.action = {.kind = ActionKind::kInvoke,
                                .client = static_cast<Client>(client),
                                .operation = *next_operation(world, static_cast<Client>(client))}});
  }
  for (std::size_t i = 0; i < world.core.calls.size(); ++i) {
    if (world.core.calls[i].phase != Phase::kStarted || world.core.bodies[i].phase != OpPhase::kIdle) continue;
    const Call call = static_cast<Call>(i);
    const Body& body = *bodies_[i];
    const auto position = static_cast<std::size_t>(world.positions[i]);
    if (position >= body.statements.size()) {
      moves.push_back({.action = {.kind = ActionKind::kBodyEnd, .call = call, .reply = outcome_of(body)}});
      continue;
    }
    const Statement& statement = body.statements[position];
    if (statement.verb == Verb::kGate) {
      if (contains(world.released, statement.gate)) moves.push_back({.passes = true, .call = call});
    } else if (is_passed_over(world, statement)) {
      moves.push_back({.passes = true, .call = call});
    } else {
      moves.push_back(
          {.action = {
               .kind = ActionKind::kInvoke, .client = model::body_client(call), .operation = operation_of(statement)}});
    }
  }
}

void Explorer::make(World& world, const Move& move) const {
  if (move.passes) {
    ++world.positions[move.call];
    return;
  }
  const Action& action = move.action;
  std::optional<model::State> next = model::step(policy_, world.core, action);
  CHECK(next.has_value()) << "the model refuses " << to_string(action) << " in " << to_string(world.core);
  world.core = *std::move(next);
  const bool by_client = !model::is_body_client(action.client) && action.client < trace_.clients;
  if (action.kind == ActionKind::kInvoke && model::is_body_client(action.client)) {
    ++world.positions[model::call_of_body(action.client)];
  }
  if (action.kind == ActionKind::kInvoke && by_client && world.scripts[action.client].step >= 0) {
    ++world.scripts[action.client].at;
  }
  if (action.kind != ActionKind::kReturn) return;
  if (action.operation.kind == OpKind::kSubmit && action.reply.kind == ReplyKind::kOk &&
      !model::is_in(mapped_, action.operation.call)) {
    world.known |= bit(action.operation.call);
  }
  if (!by_client) return;
  world.replies[action.client] = action.reply;
  continue_script(world, action.client, action.reply);
}

bool Explorer::may_stay_away(const World& world, const Move& move) const {
  if (move.passes) return false;
  switch (move.action.kind) {
    case ActionKind::kTake:
      return model::count_under_way(world.core) >= policy_.max_workers;
    case ActionKind::kClaim:
      return model::count_under_way(world.core) > policy_.max_workers;
    case ActionKind::kReturn: {
      const model::Operation& operation = move.action.operation;
      const bool joins = operation.kind == OpKind::kShutdown || operation.kind == OpKind::kDestroy;
      if (!joins || !operation.wait || !world.core.left_alone || policy_.later_shutdown_waits) return false;
      for (std::size_t i = 0; i < world.core.calls.size(); ++i) {
        const Call call = static_cast<Call>(i);
        if (phase_of(world, call) != Phase::kAbsent && !model::is_done(world.core, call)) return true;
      }
      return false;
    }
    default:
      return false;
  }
}

std::vector<Move> Explorer::settle(World& world) const {
  while (true) {
    std::vector<Move> choice = moves(world);
    if (choice.empty()) return choice;
    auto first = choice.begin();
    if (choice.size() == 1) {
      if (may_stay_away(world, *first)) return choice;
    } else {
      if (!reduce_) return choice;
      const std::vector<PossibleEffects> ahead = possible_effects(world);
      first = std::find_if(choice.begin(), choice.end(),
                           [&](const Move& move) { return may_go_first(world, move, ahead); });
      if (first == choice.end()) return choice;
    }
    make(world, *first);
  }
}

Explorer::Quiet Explorer::run_to_quiet(std::vector<World> worlds, std::size_t worlds_max) const {
  Quiet result;
  absl::flat_hash_set<World> quiet;
  absl::node_hash_set<World> seen;  // Worlds with a choice. A node set, since the stack points into it.
  std::vector<std::pair<const World*, std::vector<Move>>> stack;
  const auto visit = [&](World world) {
    std::vector<Move> choice = settle(world);
    const bool is_quiet =
        std::all_of(choice.begin(), choice.end(), [&](const Move& move) { return may_stay_away(world, move); });
    if (is_quiet && quiet.insert(world).second) result.worlds.push_back(world);
    if (choice.empty()) return;
    const auto [place, is_new] = seen.insert(std::move(world));
    if (is_new) stack.emplace_back(&*place, std::move(choice));
  };
  for (World& world : worlds) visit(std::move(world));
  while (!stack.empty()) {
    const auto [world, choice] = std::move(stack.back());
    stack.pop_back();
    for (const Move& move : choice) {
      World next = *world;
      make(next, move);
      visit(std::move(next));
    }
    if (seen.size() + quiet.size() > worlds_max) {
      result.gave_up = true;
      break;
    }
  }
  result.explored = seen.size();
  return result;
}

// ---------------------------------------------------------------------------------------------- reduction

void Explorer::add_body(const World& world, const Body& body, std::size_t from, PossibleEffects& effects) const {
  for (std::size_t i = from; i < body.statements.size(); ++i) {
    const Statement& statement = body.statements[i];
    if (!policy_.bodies_act && statement.verb != Verb::kGate) continue;
    if (names_call(statement)) effects.names |= bit(statement.call);
    switch (statement.verb) {
      case Verb::kSubmit:
        effects.submits |= bit(statement.call);
        effects.enters = true;
        add_body(world, statement.body[0], 0, effects);
        break;
      case Verb::kCancel:
        effects.cancels |= bit(statement.call);
        break;
      case Verb::kCallback:
        effects.callbacks |= bit(statement.call);
        break;
      case Verb::kShutdown:
        effects.closes = true;
        effects.cancels_pending = effects.cancels_pending || statement.cancel_futures;
        break;
      case Verb::kGate:
        if (!contains(world.released, statement.gate)) return;
        break;
      case Verb::kPoll:  // Of no consequence: nobody sees what a body's poll gives.
      case Verb::kResult:
      case Verb::kRelease:
      case Verb::kWait:
      case Verb::kAsCompleted:
      case Verb::kMap:
      case Verb::kDestroy:
        break;
    }
  }
}

void Explorer::add_operation(const World& world, const ClientState& in, PossibleEffects& effects) const {
  const model::Operation& operation = in.operation;
  if (in.phase == OpPhase::kIdle) return;
  if (operation.kind == OpKind::kSubmit) effects.submits |= bit(operation.call);
  if (in.phase == OpPhase::kDraining && operation.kind == OpKind::kShutdown) effects.cancels_pending = true;
  effects.cancels |= operation.kind == OpKind::kWait || operation.kind == OpKind::kNext ? 0 : operation.calls;
  if (in.phase != OpPhase::kInvoked) return;
  switch (operation.kind) {
    case OpKind::kSubmit:
      effects.enters = true;
      add_body(world, *bodies_[operation.call], 0, effects);
      break;
    case OpKind::kCancel:
      effects.cancels |= bit(operation.call);
      break;
    case OpKind::kAddCallback:
      effects.callbacks |= bit(operation.call);
      break;
    case OpKind::kPoll:
      if (!model::is_body_client(effects.owner)) effects.polls |= bit(operation.call);
      break;
    case OpKind::kShutdown:
      effects.closes = true;
      effects.cancels_pending = effects.cancels_pending || operation.cancel_futures;
      break;
    case OpKind::kDestroy:
      effects.closes = true;
      break;
    case OpKind::kWait:
    case OpKind::kNext:
      if (!says_one_thing(operation)) effects.polls |= operation.calls;
      break;
    case OpKind::kResult:
    case OpKind::kAbandon:
    case OpKind::kNone:
      break;
  }
}

// What a client does after its present operation: the rest of its script.
void Explorer::add_script(const World& world, const Script& script, PossibleEffects& effects) const {
  if (script.step < 0) return;
  const Statement& statement = trace_.steps[static_cast<std::size_t>(script.step)].statement;
  if (statement.verb != Verb::kMap) {
    if (statement.poll || std::popcount(script.left) > 1) effects.polls |= script.left;
    return;
  }
  const std::vector<Statement>& inputs = statement.body[0].statements;
  for (std::size_t i = static_cast<std::size_t>(script.at); i < inputs.size(); ++i) {
    effects.submits |= bit(inputs[i].call);
    effects.enters = true;
    add_body(world, *bodies_[static_cast<std::size_t>(inputs[i].call)], 0, effects);
  }
}

void Explorer::add_cancels_of_map(const World& world, const Script& script, bool may_be_cut,
                                  PossibleEffects& effects) const {
  if (script.step < 0) return;
  const Statement& map = trace_.steps[static_cast<std::size_t>(script.step)].statement;
  if (map.verb != Verb::kMap) return;
  const std::vector<Statement>& inputs = map.body[0].statements;
  const auto taken = static_cast<std::size_t>(map.body[0].value);
  if (!policy_.map_ends_at_error && (!may_be_cut || has_submitted_all(script))) {
    effects.cancels |= calls_between(map, taken, inputs.size());  // It is only let go.
    return;
  }
  const auto at = static_cast<std::size_t>(script.at);
  const std::size_t awaited = at > inputs.size() ? at - inputs.size() - 1 : 0;  // The first input that may not be done.
  const auto may_fail = [&](const Statement& input) {
    return bodies_[static_cast<std::size_t>(input.call)]->throws ||
           phase_of(world, static_cast<Call>(input.call)) == Phase::kCancelled;
  };
  if (taken == inputs.size() && !may_be_cut &&
      std::none_of(inputs.begin() + static_cast<std::ptrdiff_t>(std::min(awaited, inputs.size())), inputs.end(),
                   may_fail)) {
    return;
  }
  effects.cancels |= calls_between(map, std::min(awaited, inputs.size()), inputs.size());
}

std::vector<PossibleEffects> Explorer::possible_effects(const World& world) const {
  std::vector<PossibleEffects> all_effects;
  for (std::size_t i = 0; i < world.core.clients.size(); ++i) {
    const Script script = i < world.scripts.size() ? world.scripts[i] : Script();
    if (world.core.clients[i].phase == OpPhase::kIdle && script.step < 0) continue;
    PossibleEffects& effects = all_effects.emplace_back();
    effects.owner = static_cast<Client>(i);
    add_operation(world, world.core.clients[i], effects);
    add_script(world, script, effects);
  }
  for (std::size_t i = 0; i < world.core.calls.size(); ++i) {
    const Phase phase = world.core.calls[i].phase;
    const bool may_start = phase == Phase::kPending || phase == Phase::kTaken || phase == Phase::kClaimed;
    if (!may_start && phase != Phase::kStarted) continue;
    PossibleEffects& effects = all_effects.emplace_back();
    effects.owner = model::body_client(static_cast<Call>(i));
    add_operation(world, world.core.bodies[i], effects);
    add_body(world, *bodies_[i], static_cast<std::size_t>(world.positions[i]), effects);
  }
  if (world.core.note != model::CancelNote::kNone) {
    PossibleEffects& executor = all_effects.emplace_back();
    executor.owner = kFollower;
    executor.cancels_pending = true;
  }
  // A map is cut short by whoever closes the intake while it submits, or cancels one of its calls (if it ends at an
  // error).
  const bool may_be_cut = !world.core.intake_open ||
                          std::any_of(all_effects.begin(), all_effects.end(),
                                      [](const PossibleEffects& one) { return one.closes || one.cancels_pending; });
  for (PossibleEffects& effects : all_effects) {
    if (effects.owner < 0 || effects.owner >= trace_.clients) continue;
    add_cancels_of_map(world, world.scripts[effects.owner], may_be_cut, effects);
  }
  return all_effects;
}

bool Explorer::is_held(const World& world, Call call) const {
  if (phase_of(world, call) != Phase::kStarted || world.core.bodies[call].phase != OpPhase::kIdle) return false;
  const Body& body = *bodies_[call];
  const auto position = static_cast<std::size_t>(world.positions[call]);
  return position < body.statements.size() && body.statements[position].verb == Verb::kGate &&
         !contains(world.released, body.statements[position].gate);
}

bool Explorer::may_go_first(const World& world, const Move& move,
                            const std::vector<PossibleEffects>& all_effects) const {
  if (may_stay_away(world, move)) return false;
  if (move.passes) {
    const Statement& statement = bodies_[move.call]->statements[static_cast<std::size_t>(world.positions[move.call])];
    if (statement.verb == Verb::kGate || !policy_.bodies_act) return true;
    // Skipped for want of a future, unless somebody may yet deliver it.
    return !contains(others_than(model::body_client(static_cast<Call>(move.call)), all_effects).submits,
                     statement.call);
  }
  const Action& action = move.action;
  switch (action.kind) {
    case ActionKind::kBodyStart:  // Unless calls compete for workers.
      return policy_.claims_ahead == 0;
    case ActionKind::kBodyEnd:
    case ActionKind::kCallback:  // The order of the callbacks of one call is fixed; nothing else depends on it.
      return true;
    case ActionKind::kInvoke:
      // It only announces the operation; but what is done by now, a wait and a step of as_completed must report.
      if (action.operation.kind != OpKind::kWait && action.operation.kind != OpKind::kNext) return true;
      return says_one_thing(action.operation) || still_to_come(world, action.operation.calls) == 0;
    case ActionKind::kReturn:
      return return_may_go_first(world, action, others_than(action.client, all_effects));
    case ActionKind::kEffect:
      return effect_may_go_first(world, action.client, others_than(action.client, all_effects));
    case ActionKind::kTake:
      return take_may_go_first(world, others_than(model::kWorker, all_effects));
    case ActionKind::kClaim: {
      // What the call's own body does comes after the claim.
      const PossibleEffects others = others_than(model::body_client(action.call), all_effects);
      return !contains(others.cancels, action.call) && !others.cancels_pending;
    }
    case ActionKind::kFinish: {
      const PossibleEffects others = others_than(model::kWorker, all_effects);
      return !contains(others.callbacks | others.polls, action.call);
    }
    case ActionKind::kDrainStep:
    case ActionKind::kDeath:
      return false;
  }
  return false;
}

bool Explorer::return_may_go_first(const World& world, const Action& action, const PossibleEffects& others) const {
  if (action.operation.kind == OpKind::kSubmit && action.reply.kind == ReplyKind::kOk) {
    return !contains(others.names, action.operation.call);
  }
  if (action.operation.kind == OpKind::kPoll && !model::is_body_client(action.client)) {
    // Before its effect it may go either way, and the client sees which.
    return world.core.clients[action.client].phase == OpPhase::kEffective;
  }
  if (action.operation.kind == OpKind::kWait || action.operation.kind == OpKind::kNext) {
    // What else gets done may change what it says, and what it may say.
    const ClientState& in = world.core.clients[action.client];
    if (says_one_thing(in.operation)) return true;
    if (action.operation.kind == OpKind::kWait) return in.due == in.operation.calls;
    return in.due == in.operation.calls && std::popcount(in.due) == 1 && policy_.ready_after_deadline;
  }
  return true;  // The reply stands, and nobody waits for the return.
}

Bits Explorer::still_to_come(const World& world, model::CallSet calls) const {
  Bits open = 0;
  for (Call call = 0; call < model::kCallSetMax; ++call) {
    if (model::is_in(calls, call) && !model::is_done(world.core, call)) open |= bit(call);
  }
  return open;
}

bool Explorer::take_may_go_first(const World& world, const PossibleEffects& others) const {
  // To be taken changes nothing for a call that can be cancelled all the same: the states after that are equal, and
  // until then it holds a place that FIFO gives to nobody else.
  if (!policy_.shutdown_cancels_taken && others.cancels_pending) return false;
  if (policy_.start_order == model::StartOrder::kFifo) return true;
  const int places = policy_.max_workers - model::count_holding(policy_, world.core);
  return !others.enters && places >= static_cast<int>(world.core.queue.size());
}

bool Explorer::effect_may_go_first(const World& world, Client client, const PossibleEffects& others) const {
  const model::Operation& operation = model::find_client(world.core, client)->operation;
  const Phase phase = operation.call == model::kNoCall ? Phase::kAbsent : phase_of(world, operation.call);
  switch (operation.kind) {
    case OpKind::kSubmit:
      return !world.core.intake_open || (!others.enters && !others.closes);
    case OpKind::kCancel:
      return phase != Phase::kPending && phase != Phase::kTaken;  // The answer stands.
    case OpKind::kAddCallback:
      if (model::is_done(world.core, operation.call)) return true;
      return !contains(others.callbacks, operation.call) &&
             (client == model::body_client(operation.call) || is_held(world, operation.call));
    case OpKind::kShutdown:
      if (operation.cancel_futures) return false;
      if (!policy_.shutdown_cancels_itself && others.cancels_pending) return false;
      if (!policy_.later_shutdown_waits && others.closes) return false;
      return !world.core.intake_open || !others.enters;
    case OpKind::kDestroy:
      return !others.enters && !others.closes;
    case OpKind::kResult:  // It ends its map: the call has failed, which stands.
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

// ---------------------------------------------------------------------------------------------- observing

Observation Explorer::observe(const World& world) const {
  Observation seen;
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    const Call call = static_cast<Call>(i);
    const bool known = contains(world.known, call);
    const Phase phase = phase_of(world, call);
    seen.calls.push_back(known ? model::visible(world.core, call) : model::Visible::kAbsent);
    seen.outcomes.push_back(known && phase == Phase::kFinished ? world.core.calls[i].outcome : model::Reply());
    seen.started.push_back(phase != Phase::kAbsent && world.core.calls[i].starts > 0);
  }
  for (int client = 0; client < trace_.clients; ++client) {
    seen.busy.push_back(world.core.clients[client].phase != OpPhase::kIdle || world.scripts[client].step >= 0);
    seen.replies.push_back(world.replies[client]);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(registrations_); ++i) {
    seen.callbacks_ran.push_back(i < world.core.callbacks.size() &&
                                 world.core.callbacks[i].phase == model::CallbackPhase::kRan);
  }
  return seen;
}

}  // namespace futures::spec_tests
