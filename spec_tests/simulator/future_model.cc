#include "spec_tests/simulator/future_model.h"

#include <array>
#include <compare>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace futures::simulator {
namespace {

using Kind = FutureEvent::Kind;
using Reply = FutureEvent::Reply;

constexpr int kClients = 3;  // The third one drops the promise.

// What a client is in.
struct Doing {
  enum class At : std::uint8_t { kNothing, kInvoked, kDelivering, kReplies };
  At at = At::kNothing;
  FutureOperation operation = FutureOperation::kDrop;
  std::int8_t number = 0;
  Reply reply = Reply::kNone;
  std::int8_t reply_number = 0;
  std::vector<std::int8_t> callbacks;  // Which it has to run before it returns.
  auto operator<=>(const Doing&) const = default;
};

struct State {
  enum class Phase : std::uint8_t { kPending, kRunning, kDelivering, kFinished, kCancelled };
  Phase phase = Phase::kPending;
  Reply outcome = Reply::kNone;
  std::int8_t number = 0;  // Of the operation that has set the outcome.
  std::vector<std::int8_t> callbacks;  // Which wait for the future to be done.
  std::array<Doing, kClients> clients;
  auto operator<=>(const State&) const = default;

  bool is_done() const { return phase == Phase::kFinished || phase == Phase::kCancelled; }
};

using Phase = State::Phase;
using At = Doing::At;

void reply_with(Doing& doing, Reply reply, std::int8_t number = 0) {
  doing.at = At::kReplies;
  doing.reply = reply;
  doing.reply_number = number;
}

// The client makes the future done.
void end(State& state, Doing& doing, Phase phase, Reply outcome, std::int8_t number) {
  state.phase = phase;
  state.outcome = outcome;
  state.number = number;
  doing.callbacks = std::exchange(state.callbacks, {});
}

void reply_with_outcome(const State& state, Doing& doing) {
  if (state.phase == Phase::kCancelled) return reply_with(doing, Reply::kCancelled);
  reply_with(doing, state.outcome, state.number);
}

Reply outcome_of(FutureOperation operation) {
  return operation == FutureOperation::kSetResult      ? Reply::kValue
         : operation == FutureOperation::kSetException ? Reply::kError
                                                       : Reply::kBroken;
}

// Begins to deliver an outcome, if there is none.
void deliver(State& state, Doing& doing) {
  if (state.phase == Phase::kPending || state.phase == Phase::kRunning) {
    state.phase = Phase::kDelivering;
    doing.at = At::kDelivering;
    return;
  }
  reply_with(doing, doing.operation == FutureOperation::kDrop ? Reply::kOk : Reply::kInvalid);
}

// The next step of what the client is in. Returns false if there is none now.
bool step(State& state, int client) {
  Doing& doing = state.clients[static_cast<std::size_t>(client)];
  if (doing.at == At::kDelivering) {
    end(state, doing, Phase::kFinished, outcome_of(doing.operation), doing.number);
    reply_with(doing, Reply::kOk);
    return true;
  }
  if (doing.at != At::kInvoked) return false;
  switch (doing.operation) {
    case FutureOperation::kSetResult:
    case FutureOperation::kSetException:
    case FutureOperation::kDrop:
      deliver(state, doing);
      return true;
    case FutureOperation::kSetRunning:
      reply_with(doing, state.phase == Phase::kPending     ? Reply::kTrue
                        : state.phase == Phase::kCancelled ? Reply::kFalse
                                                           : Reply::kInvalid);
      if (state.phase == Phase::kPending) state.phase = Phase::kRunning;
      return true;
    case FutureOperation::kCancel:
      if (state.phase == Phase::kPending) end(state, doing, Phase::kCancelled, Reply::kCancelled, 0);
      reply_with(doing, state.phase == Phase::kCancelled ? Reply::kTrue : Reply::kFalse);
      return true;
    case FutureOperation::kPoll:
      state.is_done() ? reply_with_outcome(state, doing) : reply_with(doing, Reply::kTimeout);
      return true;
    case FutureOperation::kResult:
      if (!state.is_done()) return false;
      reply_with_outcome(state, doing);
      return true;
    case FutureOperation::kWait:
      if (!state.is_done()) return false;
      reply_with(doing, Reply::kOk);
      return true;
    case FutureOperation::kCallback:
      (state.is_done() ? doing.callbacks : state.callbacks).push_back(doing.number);
      reply_with(doing, Reply::kOk);
      return true;
  }
  return false;
}

// Adds all states that steps lead to.
void close(std::set<State>& states) {
  std::vector<State> todo(states.begin(), states.end());
  while (!todo.empty()) {
    const State state = std::move(todo.back());
    todo.pop_back();
    for (int client = 0; client < kClients; ++client) {
      State next = state;
      if (step(next, client) && states.insert(next).second) todo.push_back(std::move(next));
    }
  }
}

// Reads an event. Returns false if the state does not have it.
bool read(State& state, const FutureEvent& event) {
  Doing& doing = state.clients[static_cast<std::size_t>(event.client)];
  switch (event.kind) {
    case Kind::kInvoke:
      if (doing.at != At::kNothing) return false;
      doing = {.at = At::kInvoked, .operation = event.operation, .number = event.number};
      return true;
    case Kind::kReturn:
      if (doing.at != At::kReplies || !doing.callbacks.empty()) return false;
      if (doing.reply != event.reply || doing.reply_number != event.number) return false;
      doing = {};
      return true;
    case Kind::kCallback:
      if (doing.callbacks.empty() || doing.callbacks.front() != event.number) return false;
      doing.callbacks.erase(doing.callbacks.begin());
      return true;
  }
  return false;
}

std::string to_text(const std::vector<FutureEvent>& history, std::size_t events) {
  std::string text;
  for (std::size_t i = 0; i < events; ++i) absl::StrAppend(&text, "\n    ", to_text(history[i]));
  return text;
}

}  // namespace

std::string_view to_text(FutureOperation operation) {
  static constexpr std::string_view kTexts[] = {"set_result", "set_exception", "set_running", "cancel", "result",
                                                "poll",       "wait",          "callback",    "drop"};
  return kTexts[static_cast<std::size_t>(operation)];
}

std::string to_text(const FutureEvent& event) {
  static constexpr std::string_view kReplies[] = {"nothing", "ok",    "true",      "false",  "InvalidStateError",
                                                  "value",   "error", "cancelled", "broken", "timeout"};
  switch (event.kind) {
    case Kind::kInvoke:
      return absl::StrCat("client ", event.client, " invokes ", to_text(event.operation), " ", event.number);
    case Kind::kReturn:
      return absl::StrCat("client ", event.client, " returns ", kReplies[static_cast<std::size_t>(event.reply)], " ",
                          event.number);
    case Kind::kCallback:
      return absl::StrCat("client ", event.client, " runs callback ", event.number);
  }
  return "";
}

std::string judge_future_history(const std::vector<FutureEvent>& history) {
  std::set<State> states = {State()};
  for (std::size_t i = 0; i < history.size(); ++i) {
    close(states);
    std::set<State> next;
    for (State state : states) {
      if (read(state, history[i])) next.insert(std::move(state));
    }
    if (next.empty()) {
      return absl::StrCat("no order of steps explains the last event of this history:", to_text(history, i + 1));
    }
    states = std::move(next);
  }
  for (const State& state : states) {
    bool rests = state.is_done() && state.callbacks.empty();
    for (const Doing& doing : state.clients) rests = rests && doing.at == At::kNothing;
    if (rests) return "";
  }
  return absl::StrCat("the history ends before all is done:", to_text(history, history.size()));
}

}  // namespace futures::simulator
