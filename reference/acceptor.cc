#include "reference/acceptor.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "reference/acceptor_reduction.h"
#include "reference/model.h"

namespace futures::model {
namespace {

constexpr std::size_t kEventsShownMax = 24;      // A screen of context; the whole history is in the trace's replay.
constexpr std::size_t kStatesShownMax = 3;
constexpr std::size_t kStatesReportedMax = 20'000;  // Bounds the time of a report, not of a verdict.

// Whether a take may always wait until just before its claim. So it is if any pending call may be taken, and if a taken
// call can be cancelled like a pending one: a take alone then changes nothing but that it holds a worker.
bool takes_only_to_claim(const Policy& policy) {
  return policy.start_order == StartOrder::kAny && policy.shutdown_cancels_taken;
}

State after_internal(const Policy& policy, const State& state, const Action& action) {
  State next = *step(policy, state, action);
  if (action.kind != ActionKind::kTake || !takes_only_to_claim(policy)) return next;
  return *step(policy, next, {.kind = ActionKind::kClaim, .call = action.call});
}

}  // namespace

Acceptor::Acceptor(const Policy& policy, int clients) : policy_(policy) { states_.push_back(initial_state(clients)); }

bool Acceptor::feed(const Event& event) {
  if (!rejection_.empty()) return false;
  absl::flat_hash_set<State> next;
  absl::flat_hash_set<State> seen;
  std::vector<State> todo = states_;
  while (!todo.empty()) {
    const State state = std::move(todo.back());
    todo.pop_back();
    ++states_searched_;
    if (std::optional<State> after = step(policy_, state, event)) next.insert(*std::move(after));
    for (const Action& action : needed_actions(policy_, state, event)) {
      State reached = after_internal(policy_, state, action);
      if (seen.insert(reached).second) todo.push_back(std::move(reached));
    }
  }
  if (next.empty()) rejection_ = describe_rejection(event);
  states_.assign(next.begin(), next.end());
  states_peak_ = std::max(states_peak_, states_.size());
  history_.push_back(event);
  return rejection_.empty();
}

std::vector<State> Acceptor::closure(std::size_t states_max) const {
  absl::flat_hash_set<State> reached(states_.begin(), states_.end());
  std::vector<State> todo = states_;
  while (!todo.empty() && reached.size() < states_max) {
    const State state = std::move(todo.back());
    todo.pop_back();
    for (const Action& action : internal_actions(policy_, state)) {
      State next = *step(policy_, state, action);
      if (reached.insert(next).second) todo.push_back(std::move(next));
    }
  }
  return {reached.begin(), reached.end()};
}

std::string Acceptor::describe_rejection(const Event& event) const {
  std::string text;
  const std::size_t first = history_.size() > kEventsShownMax ? history_.size() - kEventsShownMax : 0;
  if (first > 0) absl::StrAppend(&text, "   ... ", first, " events before\n");
  const auto add_line = [&](std::size_t index, const Event& shown, const char* mark) {
    const std::string number = absl::StrCat(index);
    const std::string padding(number.size() < 5 ? 5 - number.size() : 0, ' ');
    absl::StrAppend(&text, mark, padding, number, "  ", to_string(shown), "\n");
  };
  for (std::size_t i = first; i < history_.size(); ++i) add_line(i, history_[i], "  ");
  add_line(history_.size(), event, "> ");
  absl::StrAppend(&text, "The model has no path to the event marked >. What it can show there instead:\n");

  const std::vector<State> reached = closure(kStatesReportedMax);
  std::set<std::string> possible;
  for (const State& state : reached) {
    for (const Event& other : executor_events(policy_, state)) possible.insert(to_string(other));
  }
  for (const std::string& line : possible) absl::StrAppend(&text, "         ", line, "\n");
  if (possible.empty()) absl::StrAppend(&text, "         nothing until a client or a body acts\n");

  absl::StrAppend(&text, "States before it (", states_.size(), "), what is internal not yet done:\n");
  std::set<std::string> states;
  for (const State& state : states_) states.insert(to_string(state));
  std::size_t shown = 0;
  for (const std::string& line : states) {
    if (shown++ == kStatesShownMax) break;
    absl::StrAppend(&text, "         ", line, "\n");
  }
  if (states.size() > kStatesShownMax) absl::StrAppend(&text, "         ...\n");
  return text;
}

}  // namespace futures::model
