#include "reference/coverage.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "reference/acceptor.h"
#include "reference/model.h"

namespace futures::model {
namespace {

constexpr int kClients = 2;
constexpr Call kCalls = 3;
constexpr int kRegistrations = 3;
constexpr int kWalks = 4000;
constexpr int kStepsPerWalk = 60;

// An operation with anything in it; the model refuses those that nobody can invoke.
Operation random_operation(std::mt19937& random) {
  const auto below = [&](unsigned count) { return static_cast<int>(random() % count); };
  Operation operation{.kind = static_cast<OpKind>(1 + below(10))};
  switch (operation.kind) {
    case OpKind::kAddCallback:
      operation.registration = static_cast<std::int8_t>(below(kRegistrations));
      [[fallthrough]];
    case OpKind::kSubmit:
    case OpKind::kCancel:
    case OpKind::kResult:
    case OpKind::kPoll:
      operation.call = static_cast<Call>(below(kCalls));
      break;
    case OpKind::kShutdown:
      operation.wait = below(2) == 0;
      operation.cancel_futures = below(2) == 0;
      break;
    case OpKind::kWait:
      operation.when = static_cast<ReturnWhen>(below(3));
      [[fallthrough]];
    case OpKind::kNext:
      operation.poll = below(2) == 0;
      [[fallthrough]];
    case OpKind::kAbandon:
      operation.calls = static_cast<CallSet>(1 + below((1u << kCalls) - 1));
      break;
    case OpKind::kNone:
    case OpKind::kDestroy:
      break;
  }
  return operation;
}

// What can happen next, and some of what clients and bodies may do.
std::vector<Action> some_actions(const Policy& policy, const State& state, std::mt19937& random) {
  std::vector<Action> actions = internal_actions(policy, state);
  for (const Event& event : executor_events(policy, state)) actions.push_back(event);
  for (Client client = 0; client < kClients; ++client) {
    actions.push_back({.kind = ActionKind::kInvoke, .client = client, .operation = random_operation(random)});
  }
  for (Call call = 0; call < kCalls; ++call) {
    actions.push_back(
        {.kind = ActionKind::kInvoke, .client = body_client(call), .operation = random_operation(random)});
    if (random() % 4 != 0) continue;
    const ReplyKind end = random() % 2 == 0 ? ReplyKind::kValue : ReplyKind::kError;
    actions.push_back({.kind = ActionKind::kBodyEnd, .call = call, .reply = {end, 1}});
    if (policy.worker_death && random() % 4 == 0) actions.push_back({.kind = ActionKind::kDeath, .call = call});
  }
  return actions;
}

// What is seen on one random path of the model.
std::vector<Event> random_history(const Policy& policy, std::mt19937& random) {
  std::vector<Event> history;
  State state = initial_state(kClients);
  for (int i = 0; i < kStepsPerWalk; ++i) {
    const std::vector<Action> actions = some_actions(policy, state, random);
    const Action& action = actions[random() % actions.size()];
    std::optional<State> next = step(policy, state, action);
    if (!next.has_value()) continue;
    state = *std::move(next);
    if (action.kind <= ActionKind::kDeath) history.push_back(action);
  }
  return history;
}

Coverage walked() {
  Coverage coverage;
  std::mt19937 random(1);
  for (const OnDeath on_death : {OnDeath::kFailCall, OnDeath::kBreakPool}) {
    for (const bool death : {false, true}) {
      const Policy policy{.max_workers = 2, .on_death = on_death, .worker_death = death};
      for (int walk = 0; walk < kWalks; ++walk) coverage.add(random_history(policy, random));
    }
  }
  return coverage;
}

TEST(Coverage, ListsWhatTheModelShowsAndNothingElse) {
  const Coverage coverage = walked();
  std::vector<std::string> seen;
  for (const auto& [kind, count] : coverage.seen()) seen.push_back(kind);
  EXPECT_EQ(seen, kinds_of_events()) << absl::StrJoin(seen, "\n");
}

TEST(Coverage, CountsWhatAHistoryRecords) {
  const Operation submit{.kind = OpKind::kSubmit, .call = 0};
  const Operation cancel{.kind = OpKind::kCancel, .call = 0};
  const std::vector<Event> history = {
      {.kind = ActionKind::kInvoke, .client = 0, .operation = submit},
      {.kind = ActionKind::kInvoke, .client = 1, .operation = {.kind = OpKind::kPoll, .call = 0}},
      {.kind = ActionKind::kReturn, .client = 0, .reply = {ReplyKind::kOk}},
      {.kind = ActionKind::kReturn, .client = 1, .reply = {ReplyKind::kTimeout}},
      {.kind = ActionKind::kInvoke, .client = 0, .operation = cancel},
      {.kind = ActionKind::kReturn, .client = 0, .reply = {ReplyKind::kTrue}},
      {.kind = ActionKind::kInvoke, .client = 0, .operation = cancel},
      {.kind = ActionKind::kReturn, .client = 0, .reply = {ReplyKind::kTrue}},
  };
  Acceptor acceptor(Policy{}, kClients);
  for (const Event& event : history) ASSERT_TRUE(acceptor.feed(event)) << acceptor.rejection();
  Coverage coverage;
  coverage.add(history);
  const std::map<std::string, int> expected = {
      {"cancel returns true", 2}, {"poll returns TimeoutError", 1}, {"submit returns ok", 1}};
  EXPECT_EQ(coverage.seen(), expected);
}

TEST(Coverage, SaysWhatWasNeverSeen) {
  EXPECT_EQ(Coverage().never_seen(), kinds_of_events());
  Coverage coverage;
  coverage.add({{.kind = ActionKind::kBodyStart, .call = 0}});
  const std::vector<std::string> never = coverage.never_seen();
  EXPECT_EQ(never.size() + 1, kinds_of_events().size());
  EXPECT_EQ(std::count(never.begin(), never.end(), "body starts"), 0);
}

}  // namespace
}  // namespace futures::model
