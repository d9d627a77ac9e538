// CPython's ProcessPoolExecutor through the driver: that it runs traces, and where it departs from the laws.
#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/cpython/cpython_player.h"
#include "spec_tests/cpython/play.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

constexpr CPythonPlayer::Options kProcesses{.pool = Pool::kProcesses};

TEST(CPythonProcesses, ShowWhatACallGoesThrough) {
  Play play(
      "workers 2\n"
      "clients 2\n"
      "0 submit c0 { gate g0; return 7 }\n"
      "0 submit c1 { throw 3 }\n"
      "0 callback c1\n"
      "0 callback c0\n"
      "1 result c0\n"
      "0 release g0\n",
      kProcesses);
  for (int i = 0; i < 4; ++i) play.step();
  play.begin_step();
  play.until([](const Observation& seen) { return seen.busy[1]; });
  play.step();
  const Observation quiet = play.until([](const Observation& seen) {
    return all_idle(seen) && seen.calls == Visibles{Visible::kFinished, Visible::kFinished} &&
           seen.callbacks_ran == Bits{true, true};
  });
  EXPECT_EQ(quiet.outcomes, (Replies{{ReplyKind::kValue, 7}, {ReplyKind::kError, 3}}));
  EXPECT_EQ(quiet.started, (Bits{true, true}));
  EXPECT_EQ(quiet.replies[1], (Reply{ReplyKind::kValue, 7}));
  play.finish_accepted();
}

// The pool marks calls as running when it puts them into the queue that workers take from: one more than there are
// workers.
TEST(CPythonProcessesDiffer, P1_CallsThatNoWorkerHasAreRunning) {
  Play play(
      "workers 1\n"
      "clients 1\n"
      "0 submit c0 { gate g0; return 0 }\n"
      "0 submit c1 { return 1 }\n"
      "0 submit c2 { return 2 }\n"
      "0 submit c3 { return 3 }\n"
      "0 cancel c1\n"
      "0 cancel c3\n",
      kProcesses);
  play.step_until_started();
  play.step();
  play.until([](const Observation& seen) { return seen.calls[1] == Visible::kRunning; });
  play.step();
  play.until([](const Observation& seen) { return seen.calls[2] == Visible::kRunning; });
  EXPECT_EQ(play.step().calls[3], Visible::kPending);
  EXPECT_EQ(play.step().replies, (Replies{{ReplyKind::kFalse}})) << "its body has not begun";
  const Observation seen = play.step();
  EXPECT_EQ(seen.replies, (Replies{{ReplyKind::kTrue}}));
  EXPECT_EQ(seen.started, (Bits{true, false, false, false}));
  const std::vector<Event> history = play.finish_accepted();
  model::Policy policy = play.player().policy(1);
  policy.claims_ahead = 0;
  EXPECT_NE(rejection(policy, play.trace(), history), "") << text_of(history);
}

// A first shutdown without wait makes the executor forget how to wake the pool's thread. What a later one asks for is
// done when that next has news, which here is when c0 ends.
constexpr std::string_view kCancelsAfterShutdown =
    "workers 1\n"
    "clients 1\n"
    "0 submit c0 { gate g0; return 0 }\n"
    "0 submit c1 { return 1 }\n"
    "0 submit c2 { return 2 }\n"
    "0 submit c3 { return 3 }\n"
    "0 submit c4 { return 4 }\n"
    "0 shutdown nowait\n"
    "0 shutdown nowait cancel\n";

// Lets every step of a trace that begins as that one come to its end but those behind it.
Observation after_cancelling(Play& play) {
  play.step_until_started();
  for (int i = 1; i < 5; ++i) play.step();
  play.until([](const Observation& seen) { return seen.calls[2] == Visible::kRunning; });
  play.step();
  return play.step();
}

TEST(CPythonProcessesDiffer, S3_ThePoolCancelsAfterTheShutdownHasReturned) {
  Play play(absl::StrCat(kCancelsAfterShutdown, "0 release g0\n"), kProcesses);
  EXPECT_FALSE(CPythonPlayer::is_stepwise(play.trace(), Pool::kProcesses));
  const Observation returned = after_cancelling(play);
  EXPECT_EQ(returned.replies, (Replies{{ReplyKind::kOk}}));
  EXPECT_EQ(returned.calls[4], Visible::kPending);
  play.begin_step();
  play.until([](const Observation& seen) { return seen.calls[4] == Visible::kCancelled; });
  const std::vector<Event> history = play.finish_accepted();
  EXPECT_EQ(lines_with(history, "body of c4"), Lines{});
}

TEST(CPythonProcessesDiffer, S5_ALaterShutdownUndoesCancelFutures) {
  Play play(absl::StrCat(kCancelsAfterShutdown, "0 shutdown nowait\n0 release g0\n"), kProcesses);
  after_cancelling(play);
  play.step();
  const std::vector<Event> history = play.finish_accepted();
  EXPECT_EQ(lines_with(history, "body of c4: ends"), Lines{"body of c4: ends with value 4"});
  model::Policy policy = play.player().policy(1);
  policy.shutdown_cancels_itself = true;
  EXPECT_NE(rejection(policy, play.trace(), history), "") << text_of(history);
}

TEST(CPythonProcessesDiffer, S5_AShutdownThatWaitsReturnsAtOnceAfterOneThatDidNot) {
  Play play(
      "workers 1\n"
      "clients 1\n"
      "0 submit c0 { gate g0; return 0 }\n"
      "0 shutdown nowait\n"
      "0 shutdown wait\n",
      kProcesses);
  play.step_until_started();
  play.step();
  const Observation seen = play.step();
  EXPECT_EQ(seen.replies, (Replies{{ReplyKind::kOk}}));
  EXPECT_EQ(seen.calls, (Visibles{Visible::kRunning}));
  const std::vector<Event> history = play.finish_accepted();
  model::Policy policy = play.player().policy(1);
  policy.later_shutdown_waits = true;
  EXPECT_NE(rejection(policy, play.trace(), history), "") << text_of(history);
}

// Each sets to None what the other is about to use.
TEST(CPythonProcessesDiffer, S5_TwoShutdownsAtOnceMayRaiseAttributeError) {
  Play play(
      "workers 1\n"
      "clients 2\n"
      "0 shutdown wait\n"
      "1 shutdown wait\n",
      {.hold = Hold::kClosing, .pool = Pool::kProcesses});
  EXPECT_FALSE(CPythonPlayer::is_asked(play.trace(), Pool::kProcesses));
  play.begin_step();
  play.until([](const Observation& seen) { return seen.busy[0]; });
  const Observation seen = play.step();
  // Whichever came first to where it is held.
  EXPECT_EQ(std::count(seen.replies.begin(), seen.replies.end(), Reply{}), 1) << to_string(seen);
  EXPECT_EQ(std::count(seen.replies.begin(), seen.replies.end(), Reply{ReplyKind::kOk}), 1) << to_string(seen);
  EXPECT_NE(rejection(play.player().policy(1), play.trace(), play.finish()), "");
}

// Unlike that of threads, the end of a `with` keeps law S6: it does not wait after a shutdown without wait.
TEST(CPythonProcesses, S6_TheEndOfAWithDoesNotWaitAfterAShutdownWithoutWait) {
  Play play(
      "workers 1\n"
      "clients 1\n"
      "0 submit c0 { gate g0; return 0 }\n"
      "0 shutdown nowait\n"
      "0 destroy\n",
      kProcesses);
  play.step_until_started();
  play.step();
  EXPECT_EQ(play.step().calls, (Visibles{Visible::kRunning}));
  play.finish_accepted();
}

TEST(CPythonProcessesDiffer, W4_AWaitForWhatAShutdownHasCancelledHangs) {
  Play play(
      "workers 1\n"
      "clients 2\n"
      "0 submit c0 { gate g0; return 0 }\n"
      "0 submit c1 { return 1 }\n"
      "0 submit c2 { return 2 }\n"
      "0 submit c3 { return 3 }\n"
      "0 submit c4 { return 4 }\n"
      "0 shutdown nowait cancel\n"
      "1 wait first c4\n"
      "1 release g0\n",
      {.patience = std::chrono::milliseconds(500), .pool = Pool::kProcesses});
  EXPECT_FALSE(CPythonPlayer::is_asked(play.trace(), Pool::kProcesses));
  for (int i = 0; i < 6; ++i) play.step();
  play.until([](const Observation& seen) { return seen.calls[4] == Visible::kCancelled; });
  play.begin_step();
  play.until([](const Observation& seen) { return seen.busy[1]; });
  play.begin_step();
  EXPECT_EQ(play.player().finish().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(CPythonProcesses, RunTracesOneAfterTheOther) {
  CPythonPlayer player(kProcesses);
  EXPECT_EQ(player.name(), "cpython_process_pool");
  const Trace trace = parsed("workers 2\nclients 2\n0 submit c0 { gate g0; return 1 }\n1 wait all c0\n");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(player.begin(trace).ok());
    ASSERT_TRUE(player.issue(0).ok());
    observe_until(player, [](const Observation& seen) { return seen.started[0]; });
    if (round == 0) continue;  // Also without finish, which begin then does.
    ASSERT_TRUE(player.finish().ok());
  }
}

}  // namespace
}  // namespace futures::spec_tests
