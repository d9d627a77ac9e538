// Which internal actions may matter for the next event: what keeps the acceptor small.
#ifndef CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_
#define CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_

#include <vector>

#include "reference/model.h"

namespace futures::model {

// Internal actions that can happen in `state` and that a path to `event` may have to take first. All others may wait
// until after `event`: from where they would have led, nothing can happen that cannot happen without them.
//
// Returns nothing if `event` can happen now and the order of it and any internal action does not matter, or if it
// cannot happen before other events have.
std::vector<Action> needed_actions(const Policy& policy, const State& state, const Event& event);

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_
