// Acceptor: decides whether a recorded history is one of the model's.
#ifndef CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_
#define CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_

#include <cstddef>
#include <string>
#include <vector>

#include "reference/model.h"

namespace futures::model {

// The model as an automaton that reads events, by subset construction: it holds a set of states that the model may be
// in. Internal actions are taken only before an event that may need them. So the set holds just those states from
// which internal actions lead to all others, or to states that can do as much. If all internal actions were taken at
// once, sixteen pending calls alone would make thousands of states.
//
// It is exact: it accepts a history if and only if the full subset construction does. acceptor_reduction.cc says why,
// and acceptor_property_test compares the two.
//
// Not thread-safe. Example:
//   Acceptor acceptor(policy, /*clients=*/2);
//   for (const Event& event : history)
//     if (!acceptor.feed(event)) FAIL() << acceptor.rejection();
class Acceptor {
 public:
  Acceptor(const Policy& policy, int clients);

  // Reads one event. Returns false if no path of the model has it here. From then on every feed returns false.
  bool feed(const Event& event);

  // Describes the rejected event, the events before it, and what the model could have done instead. Empty while it
  // accepts.
  const std::string& rejection() const { return rejection_; }

  // The states held, before any internal action that the next event may need. None twice, in no order. Empty once an
  // event was rejected.
  const std::vector<State>& states() const { return states_; }

  // Every state that internal actions reach from those. Their number grows fast with the number of pending calls. At
  // most `states_max` are returned, which is enough for a report.
  std::vector<State> closure(std::size_t states_max = static_cast<std::size_t>(-1)) const;

  // The most states held at once. It measures how much the history left open.
  std::size_t states_peak() const { return states_peak_; }

  // How many states were visited in all. It measures the work done.
  std::size_t states_searched() const { return states_searched_; }

 private:
  std::string describe_rejection(const Event& event) const;

  const Policy policy_;
  std::vector<State> states_;
  std::vector<Event> history_;
  std::string rejection_;
  std::size_t states_peak_ = 1;
  std::size_t states_searched_ = 0;
};

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_
