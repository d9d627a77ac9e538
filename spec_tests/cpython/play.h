// What the tests of CPython share: one trace, played step by step, and what they look for in its history.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PLAY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PLAY_H_

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "reference/acceptor.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/cpython/cpython_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

using Clock = std::chrono::steady_clock;
using Hold = CPythonPlayer::Hold;
using Pool = CPythonPlayer::Pool;
using model::Event;
using model::Reply;
using model::ReplyKind;
using model::Visible;

// How long a step may take until it looks as expected. Only a failing test, or an overloaded machine, needs more than
// milliseconds.
inline constexpr std::chrono::seconds kStepPatience{20};

inline Trace parsed(std::string_view text) {
  const absl::StatusOr<Trace> trace = parse_trace(text);
  EXPECT_TRUE(trace.ok()) << trace.status();
  return trace.ok() ? *trace : Trace();
}

// Observes until `expected` holds of it, and returns the last observation.
template <typename Predicate>
Observation observe_until(TracePlayer& player, Predicate expected) {
  const Clock::time_point deadline = Clock::now() + kStepPatience;
  Observation seen = player.observe();
  while (!expected(seen) && Clock::now() < deadline) seen = player.observe();
  return seen;
}

inline bool all_idle(const Observation& seen) { return std::count(seen.busy.begin(), seen.busy.end(), true) == 0; }

inline std::string text_of(const std::vector<Event>& history) {
  std::string text;
  for (const Event& event : history) absl::StrAppend(&text, to_string(event), "\n");
  return text;
}

// Why the model rejects the history; empty if it accepts it.
inline std::string rejection(const model::Policy& policy, const Trace& trace, const std::vector<Event>& history) {
  model::Acceptor acceptor(policy, trace.clients + 1);  // One more for the epilogue.
  for (const Event& event : history) {
    if (!acceptor.feed(event)) return acceptor.rejection();
  }
  return "";
}

// One trace, from begin to a history that the model accepts.
class Play {
 public:
  explicit Play(std::string_view text, CPythonPlayer::Options options = {}) : player_(options), trace_(parsed(text)) {
    const absl::Status begun = player_.begin(trace_);
    EXPECT_TRUE(begun.ok()) << begun;
  }

  // Issues the next step, and waits until every client is idle again.
  Observation step() {
    begin_step();
    return observe_until(player_, all_idle);
  }

  // The next step, and what is seen once the first call's body has begun.
  Observation step_until_started() {
    step();
    return until([](const Observation& seen) { return seen.started[0]; });
  }

  void begin_step() {
    const absl::Status issued = player_.issue(next_++);
    EXPECT_TRUE(issued.ok()) << issued;
  }

  template <typename Predicate>
  Observation until(Predicate expected) {
    const Observation seen = observe_until(player_, expected);
    EXPECT_TRUE(expected(seen)) << to_string(seen);
    return seen;
  }

  // Issues the steps that are left, finishes, and returns the history.
  std::vector<Event> finish() {
    while (next_ < std::ssize(trace_.steps)) step();
    const absl::Status finished = player_.finish();
    EXPECT_TRUE(finished.ok()) << finished;
    return player_.history();
  }

  std::vector<Event> finish_accepted() {
    std::vector<Event> history = finish();
    EXPECT_EQ(rejection(player_.policy(trace_.workers), trace_, history), "");
    return history;
  }

  CPythonPlayer& player() { return player_; }
  const Trace& trace() const { return trace_; }

 private:
  CPythonPlayer player_;
  const Trace trace_;
  int next_ = 0;
};

// The lines of the history that have `part` in them.
inline std::vector<std::string> lines_with(const std::vector<Event>& history, std::string_view part) {
  std::vector<std::string> lines;
  for (const Event& event : history) {
    std::string line = to_string(event);
    if (line.find(part) != std::string::npos) lines.push_back(std::move(line));
  }
  return lines;
}

using Lines = std::vector<std::string>;
using Visibles = std::vector<Visible>;
using Replies = std::vector<Reply>;
using Bits = std::vector<bool>;

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PLAY_H_
