// One scripted world, and the search for the quiet worlds that follow it. Private to the target :world.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_EXPLORER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_EXPLORER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// A set of calls, or of gates, as bits.
using Bits = std::uint32_t;
constexpr Bits bit(int index) { return index < 0 ? 0 : Bits{1} << index; }

// How far a client is in a statement that is a row of operations: as_completed and map.
struct Script {
  std::int8_t step = -1;  // Of the trace; -1: in none.
  std::int8_t at = 0;     // How many operations have been invoked.
  std::uint16_t left = 0;  // as_completed: the calls not yet yielded.

  friend bool operator==(const Script&, const Script&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Script& script) {
    return H::combine(std::move(h), script.step, script.at, script.left);
  }
};

// A state of the model and how far the scripts of the trace are.
struct World {
  model::State core;
  std::array<std::int8_t, kCallsMax> positions{};  // By call: the statement that its body begins next.
  Bits known = 0;                                  // Calls whose submit has returned a future.
  Bits released = 0;                               // Gates.
  bool destroyed = false;                          // The executor's destructor has begun.
  std::array<Script, kClientsMax> scripts{};       // By client of the trace.
  std::array<model::Reply, kClientsMax> replies{};  // By client of the trace: to its last returned operation.

  friend bool operator==(const World&, const World&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const World& world) {
    h = H::combine(std::move(h), world.core, world.positions, world.known, world.released, world.destroyed,
                   world.scripts);
    for (const model::Reply& reply : world.replies) h = H::combine(std::move(h), reply.kind, reply.value);
    return h;
  }
};

// Something that can happen next in a world.
struct Move {
  bool passes = false;   // The body of `call` goes past a statement: an open gate, or one that is skipped.
  int call = -1;
  model::Action action;  // Otherwise.
};

// What one client, or a body that may still start, might do before the world is quiet.
struct PossibleEffects {
  model::Client owner = model::kWorker;
  Bits submits = 0;    // Calls whose submit might return.
  Bits names = 0;      // Calls named by statements of bodies that have not begun.
  Bits cancels = 0;    // Calls it might cancel one by one.
  Bits callbacks = 0;  // Calls it might add a callback to.
  Bits polls = 0;      // Calls that a client of the trace is polling, or waiting for among others.
  bool enters = false;            // A submit might take effect.
  bool closes = false;            // A shutdown might take effect.
  bool cancels_pending = false;   // A shutdown might cancel what has not started.

  void add(const PossibleEffects& other);
};

class Explorer {
 public:
  // Keeps a reference to the trace.
  Explorer(const model::Policy& policy, const Trace& trace, bool reduce);

  World start() const;

  // Whether a step with this statement makes sense for `client` now.
  bool can_issue(const World& world, model::Client client, const Statement& statement) const;

  // Begins the operation of a step, or the first of several, or releases its gate. Requires can_issue. `step`: its
  // index in the trace; -1 for one that is in none, which must be a single operation.
  void issue(World& world, model::Client client, const Statement& statement, int step) const;

  struct Quiet {
    std::vector<World> worlds;  // Distinct.
    std::size_t explored = 0;   // Worlds with a choice that were gone through.
    bool gave_up = false;       // There were more than `worlds_max`; `worlds` is not all.
  };
  // Every quiet world that `worlds` lead to.
  Quiet run_to_quiet(std::vector<World> worlds, std::size_t worlds_max) const;

  Observation observe(const World& world) const;

 private:
  std::vector<Move> moves(const World& world) const;
  void add_script_moves(const World& world, std::vector<Move>& moves) const;
  void make(World& world, const Move& move) const;

  // The next operation of the client's script; none at its end.
  std::optional<model::Operation> next_operation(const World& world, model::Client client) const;
  std::optional<model::Operation> next_of_map(const Statement& map, std::size_t at) const;
  bool has_submitted_all(const Script& script) const;
  // The client has had a reply: invokes nothing yet, but ends the script if it is over.
  void continue_script(World& world, model::Client client, const model::Reply& reply) const;
  // Whether the executor is needed for it, and gone.
  static bool comes_too_late(const World& world, const Statement& statement);
  // Whether a body passes over the statement.
  bool is_passed_over(const World& world, const Statement& statement) const;

  // Whether the move may also not come, so that a world without any other is quiet: a claim ahead of the workers, which
  // Python makes only when there is news, and the return of a shutdown that does not wait any more.
  bool may_stay_away(const World& world, const Move& move) const;

  // Follows `world` while there is one move, or one that may go first. Returns the moves to choose from; none if quiet.
  std::vector<Move> settle(World& world) const;

  // The partial order reduction. A move may go first, before all others, if whatever else might happen before it
  // neither prevents it, nor is prevented or changed by it: then every quiet world is also reached by a path beginning
  // with it. The test World.ReductionLosesNoWorld holds it against the full search.
  bool may_go_first(const World& world, const Move& move, const std::vector<PossibleEffects>& all_effects) const;
  bool effect_may_go_first(const World& world, model::Client client, const PossibleEffects& others) const;
  bool return_may_go_first(const World& world, const model::Action& action, const PossibleEffects& others) const;
  bool take_may_go_first(const World& world, const PossibleEffects& others) const;

  std::vector<PossibleEffects> possible_effects(const World& world) const;
  void add_operation(const World& world, const model::ClientState& in, PossibleEffects& effects) const;
  void add_script(const World& world, const Script& script, PossibleEffects& effects) const;
  // The calls that a map may come to cancel. `may_be_cut`: whether it may fail though no call of it throws.
  void add_cancels_of_map(const World& world, const Script& script, bool may_be_cut, PossibleEffects& effects) const;
  // Those of `calls` that are not done.
  Bits still_to_come(const World& world, model::CallSet calls) const;
  void add_body(const World& world, const Body& body, std::size_t from, PossibleEffects& effects) const;

  // Whether the body of `call` waits at a gate, so that it is still running once all is quiet.
  bool is_held(const World& world, model::Call call) const;

  const model::Policy policy_;
  const Trace& trace_;
  const std::vector<const Body*> bodies_;
  const int registrations_;
  const std::uint16_t mapped_;  // Calls without a future.
  const bool reduce_;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_EXPLORER_H_
