// Exploration: takes every path of the model in a small scope, and merges equal states.
//
// In a scope two clients do any operations in any order, up to `operations_max` each. Bodies end with a value or an
// error at any moment and, in some scopes, use the executor themselves. The explored graph is finite. The explorer
// checks on every step that the graph has no cycle: a rank must grow. So one check suffices for progress: in every
// state in which nothing can happen but an invoke of a client, every call is done.
//
// States are merged in three ways:
//   - By equality: State has a canonical form.
//   - By symmetry: the numbers of clients, calls and callbacks are only names to the model. A state represents all
//     states that differ from it by these names.
//   - By budget: of two equal states the one whose clients have done fewer operations can do all that the other can. A
//     state is explored again only with a pair of budgets that no earlier pair covers.
#ifndef CONCURRENT_FUTURES_REFERENCE_EXPLORATION_H_
#define CONCURRENT_FUTURES_REFERENCE_EXPLORATION_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "reference/model.h"

namespace futures::model {

struct Scope {
  Policy policy = {};
  int operations_max = 4;       // Per client; at most four.
  int calls = 3;                // At most three.
  int registrations = 0;        // Callbacks in all, at most three.
  bool bodies_act = false;      // Each body too does up to one operation: submit, cancel or shutdown.
  // Clients also wait, step through as_completed, map, abandon maps, and destroy the executor. A map has the calls
  // that were submitted. A client waits for all of them or for one.
  bool waits = false;
  bool merge = true;            // False: only equal states with equal budgets are merged. For a test of the merging.
};

struct Move {
  Action action;
  State state;  // After it.
};

// Changes the model on purpose, for tests of the laws. Called with every internal step and every event of the
// executor that `before` allows. It may add, change and remove some.
using Change = std::function<void(const Policy& policy, const State& before, std::vector<Move>& moves)>;

// Called with every step of the exploration, invokes and ends of bodies included.
using Watch = std::function<void(const State& before, const Action& action, const State& after)>;

struct Exploration {
  std::size_t states = 0;    // Different ones.
  std::size_t visits = 0;    // The same, counted once per pair of budgets.
  std::size_t steps = 0;
  std::size_t endings = 0;   // States in which nothing can happen any more but invokes.
  std::string violation;     // Empty, or the law that is broken, or what is stuck, and the path to it.
};

// Explores until all is explored or a law is broken. The path in the report is one of merged states, so clients,
// calls and callbacks may change their names from one line to the next.
Exploration explore(const Scope& scope, const Watch& watch, const Change& change = nullptr);

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_EXPLORATION_H_
