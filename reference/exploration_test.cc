// The explorer itself: merging states by names and budgets loses none.
#include "reference/exploration.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "reference/model.h"

namespace futures::model {
namespace {

// What a state is like, whatever its clients, calls and callbacks are called.
std::string nameless(const Policy& policy, const State& state) {
  const bool fifo = policy.start_order == StartOrder::kFifo;
  std::vector<std::string> calls;
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    const CallState& call = state.calls[i];
    const auto place = std::find(state.queue.begin(), state.queue.end(), static_cast<Call>(i)) - state.queue.begin();
    std::vector<int> operations;
    for (const ClientState& in : state.clients) {
      if (in.operation.call == static_cast<Call>(i)) operations.push_back(static_cast<int>(in.operation.kind));
    }
    std::sort(operations.begin(), operations.end());
    calls.push_back(absl::StrCat(static_cast<int>(call.phase), to_string(call.outcome), fifo ? place : 0, "(",
                                 absl::StrJoin(operations, ""), ")", static_cast<int>(state.bodies[i].phase),
                                 to_string(state.bodies[i].reply)));
  }
  std::vector<std::string> clients;
  for (const ClientState& in : state.clients) {
    clients.push_back(absl::StrCat(static_cast<int>(in.phase), static_cast<int>(in.operation.kind),
                                   static_cast<int>(in.operation.wait), static_cast<int>(in.operation.cancel_futures),
                                   to_string(in.reply)));
  }
  std::vector<std::string> callbacks;
  for (const CallbackState& callback : state.callbacks) {
    callbacks.push_back(absl::StrCat(static_cast<int>(callback.phase), static_cast<int>(callback.late),
                                     static_cast<int>(callback.ahead), callback.runs_on == kWorker));
  }
  std::sort(calls.begin(), calls.end());
  std::sort(clients.begin(), clients.end());
  std::sort(callbacks.begin(), callbacks.end());
  return absl::StrCat(state.intake_open, "|", absl::StrJoin(calls, " "), "|", absl::StrJoin(clients, " "), "|",
                      absl::StrJoin(callbacks, " "));
}

TEST(Exploration, MergingLosesNothing) {
  for (const StartOrder order : {StartOrder::kFifo, StartOrder::kAny}) {
    for (const bool bodies_act : {false, true}) {
      Scope scope{.policy = {.max_workers = 2, .start_order = order, .drain = Drain::kStepwise},
                  .operations_max = 2,
                  .calls = 2,
                  .registrations = bodies_act ? 0 : 1,
                  .bodies_act = bodies_act};
      absl::flat_hash_set<std::string> merged;
      const Exploration with = explore(
          scope, [&](const State&, const Action&, const State& to) { merged.insert(nameless(scope.policy, to)); });
      scope.merge = false;
      absl::flat_hash_set<std::string> plain;
      const Exploration without = explore(
          scope, [&](const State&, const Action&, const State& to) { plain.insert(nameless(scope.policy, to)); });
      EXPECT_EQ(with.violation, "");
      EXPECT_EQ(without.violation, "");
      EXPECT_LT(2 * with.visits, without.visits);
      EXPECT_TRUE(merged == plain) << merged.size() << " and " << plain.size();
      std::printf("merged: %zu visits; without: %zu; %zu states apart from names\n", with.visits, without.visits,
                  plain.size());
    }
  }
}

}  // namespace
}  // namespace futures::model
