// Explores the model: every path of a small scope, equal states merged.
//
// Scope: two clients that do anything the alphabet has, up to `operations_max` operations each, in any order, while
// bodies end with a value or an error whenever they like and, in some scopes, act themselves. The explored graph is
// finite, and the explorer checks on every step that it has no cycle (a rank grows). So one check says it all about
// progress: in every state in which nothing can happen but that a client invokes something, all is done.
//
// States are merged
//   - by equality: State has a canonical form;
//   - by symmetry: the model treats clients alike, and calls, and callbacks; their numbers are only names. A state
//     stands for all that differ from it by names;
//   - by budget: of two equal states the one whose clients have done fewer operations can do all that the other can. A
//     state is explored again only with a pair of budgets that no earlier one covers.
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
  // Clients also wait, step through as_completed, map, let maps go, and destroy the executor. Maps hold the calls that are
  // there; what a client waits for is all of them, or one.
  bool waits = false;
  bool merge = true;            // False: only equal states with equal budgets are merged. To check the merging itself.
};

struct Move {
  Action action;
  State state;  // After it.
};

// What is explored: the model, or the model changed on purpose.
//
// Called with every internal step and every event of the executor that `before` allows; may add, change and remove.
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

// Explores until done or the first violation. The path in the report is made of merged states: from one line to the
// next, clients, calls and callbacks may have changed names.
Exploration explore(const Scope& scope, const Watch& watch, const Change& change = nullptr);

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_EXPLORATION_H_
