// Over thousands of random histories the acceptor says the same as a subset construction without any of its economies,
// and it stays cheap where histories are long.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "reference/acceptor.h"
#include "reference/model.h"

namespace futures::model {
namespace {

// The subset construction with every internal action taken at once.
class NaiveAcceptor {
 public:
  NaiveAcceptor(const Policy& policy, int clients) : policy_(policy) {
    states_.insert(initial_state(clients));
    close();
  }

  bool feed(const Event& event) {
    absl::flat_hash_set<State> next;
    for (const State& state : states_) {
      if (std::optional<State> after = step(policy_, state, event)) next.insert(*std::move(after));
    }
    states_ = std::move(next);
    close();
    return !states_.empty();
  }

  const absl::flat_hash_set<State>& states() const { return states_; }

 private:
  void close() {
    std::vector<State> todo(states_.begin(), states_.end());
    while (!todo.empty()) {
      const State state = std::move(todo.back());
      todo.pop_back();
      for (const Action& action : internal_actions(policy_, state)) {
        State next = *step(policy_, state, action);
        if (states_.insert(next).second) todo.push_back(std::move(next));
      }
    }
  }

  const Policy policy_;
  absl::flat_hash_set<State> states_;
};

struct Scope {
  int clients = 2;
  int calls = 4;
  int registrations = 3;
  int events = 40;
  bool bodies_act = true;
  // How often, against all else, a client invokes something, and an operation or an internal action goes on. Many
  // operations at the same time, all unfinished, are what makes an acceptor's life hard.
  int invokes = 2;
  int returns = 3;
  int internals = 2;
  int shutdowns = 2;  // Of the operations invoked, out of about twelve.
  bool waits = false;  // Half of the operations: wait, next, abandon, destroy, and what belongs to a map.
};

// Random paths of the model.
class Walk {
 public:
  Walk(const Policy& policy, const Scope& scope, std::uint32_t seed)
      : policy_(policy), scope_(scope), random_(seed), state_(initial_state(scope.clients)) {}

  std::vector<Event> history() {
    for (int steps = 0; steps < 20 * scope_.events && static_cast<int>(history_.size()) < scope_.events; ++steps) {
      const Action action = pick();
      std::optional<State> next = step(policy_, state_, action);
      if (!next.has_value()) continue;
      state_ = *std::move(next);
      if (action.kind < ActionKind::kEffect) history_.push_back(action);
      if (action.kind == ActionKind::kInvoke && action.operation.kind == OpKind::kSubmit) ++submitted_;
      if (action.kind == ActionKind::kInvoke && action.operation.kind == OpKind::kAddCallback) ++registered_;
    }
    return history_;
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }

  // Some of the calls submitted so far.
  CallSet some_calls() { return static_cast<CallSet>(below(1 << submitted_)); }

  Operation pick_wait() {
    const Call call = static_cast<Call>(below(submitted_));
    switch (below(7)) {
      case 0:
        return {.kind = OpKind::kNext, .calls = some_calls(), .poll = below(2) == 0};
      case 1:
        return {.kind = OpKind::kAbandon, .calls = some_calls()};
      case 2:
        if (!policy_.map_ends_at_error) break;
        return {.kind = OpKind::kResult, .call = call, .calls = some_calls()};
      case 3:
        if (submitted_ == scope_.calls) break;
        return {.kind = OpKind::kSubmit, .call = static_cast<Call>(submitted_), .calls = some_calls()};
      case 4:
        if (below(3) != 0) break;
        return {.kind = OpKind::kDestroy};
      default:
        break;
    }
    const auto when = static_cast<ReturnWhen>(below(3));
    return {.kind = OpKind::kWait, .calls = some_calls(), .when = when, .poll = below(3) == 0};
  }

  Operation pick_operation() {
    if (scope_.waits && submitted_ > 0 && below(2) == 0) return pick_wait();
    const Call call = static_cast<Call>(below(std::max(1, submitted_)));
    const int picked = below(10 + scope_.shutdowns);
    if (picked < 4 && submitted_ < scope_.calls) {
      return {.kind = OpKind::kSubmit, .call = static_cast<Call>(submitted_)};
    }
    if (picked == 4 || picked == 5) return {.kind = OpKind::kPoll, .call = call};
    if (picked == 6) return {.kind = OpKind::kResult, .call = call};
    if (picked >= 10 && (submitted_ == scope_.calls || below(2) == 0)) {
      return {.kind = OpKind::kShutdown, .wait = below(2) == 0, .cancel_futures = below(2) == 0};
    }
    if (below(2) == 0 && registered_ < scope_.registrations) {
      return {.kind = OpKind::kAddCallback, .call = call, .registration = static_cast<std::int8_t>(registered_)};
    }
    return {.kind = OpKind::kCancel, .call = call};
  }

  Action pick_invoke() {
    const bool body = scope_.bodies_act && below(3) == 0;
    Operation operation = pick_operation();
    if (body && operation.kind == OpKind::kResult) operation.kind = OpKind::kPoll;  // A body never waits.
    if (operation.kind == OpKind::kPoll) operation.calls = 0;
    return {.kind = ActionKind::kInvoke,
            .client =
                body ? body_client(static_cast<Call>(below(scope_.calls))) : static_cast<Client>(below(scope_.clients)),
            .operation = operation};
  }

  Action pick() {
    int picked = below(scope_.invokes + scope_.returns + scope_.internals + 1);
    if ((picked -= scope_.invokes) < 0) return pick_invoke();
    if ((picked -= scope_.returns) < 0) return any_of(executor_events(policy_, state_));
    if ((picked -= scope_.internals) < 0) return any_of(internal_actions(policy_, state_));
    const Call call = static_cast<Call>(below(scope_.calls));
    if (policy_.worker_death && below(4) == 0) return {.kind = ActionKind::kDeath, .call = call};
    return {.kind = ActionKind::kBodyEnd,
            .call = call,
            .reply = {below(4) == 0 ? ReplyKind::kError : ReplyKind::kValue, call}};
  }

  // One of `actions`; if there are none, one that cannot happen.
  Action any_of(const std::vector<Action>& actions) {
    return actions.empty() ? Action{.kind = ActionKind::kTake} : actions[below(static_cast<int>(actions.size()))];
  }

  const Policy policy_;
  const Scope scope_;
  std::mt19937 random_;
  State state_;
  std::vector<Event> history_;
  int submitted_ = 0;
  int registered_ = 0;
};

// Makes a history wrong, often.
void mutate(std::vector<Event>& history, std::mt19937& random) {
  if (history.size() < 2) return;
  const std::size_t at = random() % (history.size() - 1);
  constexpr ReplyKind kReplies[] = {ReplyKind::kOk,    ReplyKind::kTrue,         ReplyKind::kFalse,
                                    ReplyKind::kValue, ReplyKind::kCancelled,    ReplyKind::kTimeout,
                                    ReplyKind::kError, ReplyKind::kShutdownError};
  switch (random() % 6) {
    case 0:
      std::swap(history[at], history[at + 1]);
      return;
    case 1:
      history.erase(history.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    case 2:
      history[at].reply.kind = kReplies[random() % std::size(kReplies)];
      return;
    case 3:
      std::swap(history[at], history[random() % history.size()]);
      return;
    case 4:
      if (history[at].reply.kind == ReplyKind::kDone) history[at].reply.value ^= 1 << random() % 3;
      return;
    default:
      if (history[at].kind == ActionKind::kCallback) history[at].client = static_cast<Client>(random() % 3) - 1;
      if (history[at].kind == ActionKind::kBodyStart) history[at].call = static_cast<Call>(random() % 4);
  }
}

// What can be seen of a set of states from outside.
template <typename States>
absl::flat_hash_set<std::string> views(const States& states) {
  absl::flat_hash_set<std::string> views;
  for (const State& state : states) {
    std::string view;
    for (Call call = 0; call < static_cast<Call>(state.calls.size()); ++call) {
      absl::StrAppend(&view, static_cast<int>(visible(state, call)), to_string(result_of(state, call)), ",");
    }
    views.insert(view);
  }
  return views;
}

std::string text_of(const std::vector<Event>& history) {
  std::string text;
  for (const Event& event : history) absl::StrAppend(&text, "  ", to_string(event), "\n");
  return text;
}

struct Tally {
  int accepted = 0;
  int rejected = 0;
  std::size_t events = 0;
  std::size_t searched = 0;
  std::size_t naive_peak = 0;
};

// Both acceptors on one history: the same verdict on every event, the same views after it.
void compare(const Policy& policy, const Scope& scope, const std::vector<Event>& history, Tally& tally) {
  Acceptor acceptor(policy, scope.clients);
  NaiveAcceptor naive(policy, scope.clients);
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool accepts = acceptor.feed(history[i]);
    ASSERT_EQ(accepts, naive.feed(history[i])) << "event " << i << ": " << to_string(history[i]) << "\n"
                                               << acceptor.rejection();
    tally.naive_peak = std::max(tally.naive_peak, naive.states().size());
    ++tally.events;
    if (!accepts) break;
    if (i % 4 == 0) {
      ASSERT_EQ(views(acceptor.closure()), views(naive.states())) << "after event " << i << " of\n" << text_of(history);
    }
  }
  tally.searched += acceptor.states_searched();
  ++(acceptor.states().empty() ? tally.rejected : tally.accepted);
}

struct NamedPolicy {
  const char* name;
  Policy policy;
};

class Exactness : public testing::TestWithParam<NamedPolicy> {};

TEST_P(Exactness, TheSameVerdictsAsTheWholeClosure) {
  constexpr std::uint32_t kHistories = 800;
  Tally right;
  Tally wrong;
  for (std::uint32_t seed = 0; seed < kHistories; ++seed) {
    std::mt19937 random(seed);
    const auto between = [&](int low, int high) { return low + static_cast<int>(random() % (high - low + 1)); };
    const Scope scope{.clients = between(2, 4),
                      .calls = between(1, 4),
                      .registrations = between(0, 3),
                      .events = between(12, 40),
                      .bodies_act = between(0, 4) != 0,
                      .invokes = between(1, 6),
                      .returns = between(1, 3),
                      .internals = between(1, 6),
                      .shutdowns = between(0, 8),
                      .waits = between(0, 1) == 0};
    std::vector<Event> history = Walk(GetParam().policy, scope, seed).history();
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    compare(GetParam().policy, scope, history, right);
    if (HasFatalFailure()) return;
    for (int i = 0; i < 3; ++i) {
      mutate(history, random);
      compare(GetParam().policy, scope, history, wrong);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_EQ(right.rejected, 0);
  EXPECT_GT(wrong.rejected, 300) << "the mutations are too mild to tell";
  EXPECT_GT(wrong.accepted, 50);
  std::printf("%s: %d right and %d wrong histories rejected %d; %.1f states searched per event, naive peak %zu\n",
              GetParam().name, right.accepted, wrong.accepted + wrong.rejected, wrong.rejected,
              static_cast<double>(right.searched) / static_cast<double>(right.events), right.naive_peak);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, Exactness,
    testing::Values(
        NamedPolicy{"FifoAtomic1", {}}, NamedPolicy{"FifoAtomic2", {.max_workers = 2}},
        NamedPolicy{"FifoStepwise1", {.drain = Drain::kStepwise}},
        NamedPolicy{"FifoStepwise2", {.max_workers = 2, .drain = Drain::kStepwise}},
        NamedPolicy{"AnyAtomic1", {.start_order = StartOrder::kAny}},
        NamedPolicy{"AnyAtomic2", {.max_workers = 2, .start_order = StartOrder::kAny}},
        NamedPolicy{"AnyStepwise2", {.max_workers = 2, .start_order = StartOrder::kAny, .drain = Drain::kStepwise}},
        NamedPolicy{"FifoAtomic2Python", {.max_workers = 2, .shutdown_cancels_taken = false}},
        NamedPolicy{
            "FifoStepwise2Python",
            {.max_workers = 2, .drain = Drain::kStepwise, .shutdown_cancels_taken = false, .map_ends_at_error = true}},
        NamedPolicy{"AnyStepwise2Python",
                    {.max_workers = 2,
                     .start_order = StartOrder::kAny,
                     .drain = Drain::kStepwise,
                     .shutdown_cancels_taken = false}},
        NamedPolicy{"AnyAtomic2Python",
                    {.max_workers = 2, .start_order = StartOrder::kAny, .shutdown_cancels_taken = false}},
        NamedPolicy{"ClaimsAhead1", {.drain = Drain::kStepwise, .claims_ahead = 2}},
        NamedPolicy{"ClaimsAhead2", {.max_workers = 2, .drain = Drain::kStepwise, .claims_ahead = 1}},
        NamedPolicy{"OutcomesTravel1", {.drain = Drain::kStepwise, .outcomes_travel = true}},
        NamedPolicy{"OutcomesTravel2", {.max_workers = 2, .drain = Drain::kStepwise, .outcomes_travel = true}},
        NamedPolicy{"OutcomesTravelAny2", {.max_workers = 2, .start_order = StartOrder::kAny, .outcomes_travel = true}},
        NamedPolicy{"DoneInAnyOrder",
                    {.drain = Drain::kStepwise, .ready_after_deadline = false, .done_at_call_first = false}},
        NamedPolicy{"LeavesNotes", {.max_workers = 2, .drain = Drain::kStepwise, .shutdown_cancels_itself = false}},
        NamedPolicy{"WaitsOnce", {.drain = Drain::kStepwise, .later_shutdown_waits = false}},
        NamedPolicy{"PythonsProcesses",
                    {.drain = Drain::kStepwise,
                     .map_ends_at_error = true,
                     .claims_ahead = 2,
                     .shutdown_cancels_itself = false,
                     .later_shutdown_waits = false}},
        NamedPolicy{"FailCall", {.max_workers = 2, .worker_death = true}},
        NamedPolicy{
            "BreakPool",
            {.max_workers = 2, .drain = Drain::kStepwise, .on_death = OnDeath::kBreakPool, .worker_death = true}}),
    [](const testing::TestParamInfo<NamedPolicy>& info) { return info.param.name; });

// Histories as long as those of the concurrent checks.
TEST(Acceptor, LongHistoriesAreCheap) {
  for (const StartOrder order : {StartOrder::kFifo, StartOrder::kAny}) {
    for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
      const Policy policy{.max_workers = 4, .start_order = order, .drain = drain};
      std::size_t states_peak = 0;
      std::size_t states_searched = 0;
      std::size_t events = 0;
      const auto begin = std::chrono::steady_clock::now();
      for (std::uint32_t seed = 0; seed < 100; ++seed) {
        const Scope scope{.clients = 4, .calls = 16, .registrations = 8, .events = 200};
        const std::vector<Event> history = Walk(policy, scope, seed).history();
        Acceptor acceptor(policy, scope.clients);
        for (const Event& event : history) ASSERT_TRUE(acceptor.feed(event)) << acceptor.rejection();
        states_peak = std::max(states_peak, acceptor.states_peak());
        states_searched += acceptor.states_searched();
        events += history.size();
      }
      const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
      std::printf("order %d, drain %d: %zu events, %zu states searched, at most %zu held, %.2f ms per history\n",
                  static_cast<int>(order), static_cast<int>(drain), events, states_searched, states_peak,
                  spent.count() / 100);
    }
  }
}

}  // namespace
}  // namespace futures::model
