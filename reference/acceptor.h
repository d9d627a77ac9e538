// Decides whether a recorded history is one of the model's.
#ifndef CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_
#define CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "reference/model.h"

namespace futures::model {

// The model as an automaton that reads events (subset construction). It holds states from which, by internal actions,
// every state is reached that the model can be in after the events so far, or one that can do all that such a state
// can. Internal actions are taken just in time: before the event that needs them, and only those that it may need.
// Without that, sixteen pending calls alone would stand for thousands of states.
//
// Exact: it accepts what the subset construction with all internal actions at all times accepts. acceptor_reduction.cc says why, and
// acceptor_property_test compares the two.
//
// Not thread-safe. Example:
//   Acceptor acceptor(policy, /*clients=*/2);
//   for (const Event& event : history)
//     if (!acceptor.feed(event)) FAIL() << acceptor.rejection();
class Acceptor {
 public:
  Acceptor(const Policy& policy, int clients);

  // Reads one event. Returns false if no path of the model has it here; from then on every feed returns false.
  bool feed(const Event& event);

  // Says which event was rejected, after which ones, and what the model could have done instead. Empty while accepting.
  const std::string& rejection() const { return rejection_; }

  // The states held, internal actions not yet taken. Empty once rejected.
  const absl::flat_hash_set<State>& states() const { return states_; }

  // Every state that those reach by internal actions. The number grows fast with the calls that are pending:
  // `states_max` bounds it, for reports.
  absl::flat_hash_set<State> closure(std::size_t states_max = static_cast<std::size_t>(-1)) const;

  // The most states held at once, a measure of what the history left open.
  std::size_t states_peak() const { return states_peak_; }

  // How many states were looked at in all, a measure of the work done.
  std::size_t states_searched() const { return states_searched_; }

 private:
  std::string describe_rejection(const Event& event) const;

  const Policy policy_;
  absl::flat_hash_set<State> states_;
  std::vector<Event> history_;
  std::string rejection_;
  std::size_t states_peak_ = 1;
  std::size_t states_searched_ = 0;
};

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_H_
