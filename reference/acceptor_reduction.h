// Which internal actions the next event may need. This keeps the acceptor's set of states small.
#ifndef CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_
#define CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_

#include <vector>

#include "reference/model.h"

namespace futures::model {

// Returns the internal actions that can happen in `state` and that a path to `event` may have to take first. All
// others can be taken after `event`: they make nothing possible that is impossible without them.
//
// Returns nothing if `event` can happen now and no internal action has to come before it, or if other events have to
// come before `event`.
std::vector<Action> needed_actions(const Policy& policy, const State& state, const Event& event);

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_ACCEPTOR_REDUCTION_H_
