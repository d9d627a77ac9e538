// The acceptor accepts what the model does, and rejects each kind of wrong history at the event that is wrong.
#include "reference/acceptor.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "reference/model.h"

namespace futures::model {
namespace {

// Events, short enough to read a history at a glance.
Event invoke(Client client, Operation operation) {
  return {.kind = ActionKind::kInvoke, .client = client, .operation = operation};
}
Event submit(Client client, Call call) { return invoke(client, {.kind = OpKind::kSubmit, .call = call}); }
Event cancel(Client client, Call call) { return invoke(client, {.kind = OpKind::kCancel, .call = call}); }
Event result(Client client, Call call) { return invoke(client, {.kind = OpKind::kResult, .call = call}); }
Event poll(Client client, Call call) { return invoke(client, {.kind = OpKind::kPoll, .call = call}); }
Event add_callback(Client client, Call call, std::int8_t registration) {
  return invoke(client, {.kind = OpKind::kAddCallback, .call = call, .registration = registration});
}
Event shutdown(Client client, bool wait, bool cancel_futures) {
  return invoke(client, {.kind = OpKind::kShutdown, .wait = wait, .cancel_futures = cancel_futures});
}
Event returns(Client client, ReplyKind kind, std::int16_t value = 0) {
  return {.kind = ActionKind::kReturn, .client = client, .reply = {kind, value}};
}
Event starts(Call call) { return {.kind = ActionKind::kBodyStart, .call = call}; }
Event ends(Call call, std::int16_t value) {
  return {.kind = ActionKind::kBodyEnd, .call = call, .reply = {ReplyKind::kValue, value}};
}
Event callback(Client client, Call call, std::int8_t registration) {
  Event event{.kind = ActionKind::kCallback, .client = client, .call = call};
  event.operation.registration = registration;
  return event;
}

// The index of the event that is rejected, or the length of the history.
std::size_t rejected_at(const Policy& policy, const std::vector<Event>& history, std::string* why = nullptr) {
  Acceptor acceptor(policy, 3);
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (acceptor.feed(history[i])) continue;
    if (why != nullptr) *why = acceptor.rejection();
    return i;
  }
  return history.size();
}

void expect_accepted(const Policy& policy, const std::vector<Event>& history) {
  std::string why;
  EXPECT_EQ(rejected_at(policy, history, &why), history.size()) << why;
}

void expect_rejected_last(const Policy& policy, const std::vector<Event>& history) {
  EXPECT_EQ(rejected_at(policy, history), history.size() - 1);
}

TEST(Acceptor, AcceptsACallsWholeLife) {
  expect_accepted({}, {submit(0, 0), starts(0), returns(0, ReplyKind::kOk), result(1, 0), ends(0, 7),
                       returns(1, ReplyKind::kValue, 7), shutdown(0, true, false), returns(0, ReplyKind::kOk)});
}

TEST(Acceptor, F2_AcceptsBothOutcomesOfACancelThatRaces) {
  const std::vector<Event> racing = {submit(0, 0), returns(0, ReplyKind::kOk), cancel(1, 0)};
  for (const ReplyKind reply : {ReplyKind::kTrue, ReplyKind::kFalse}) {
    std::vector<Event> history = racing;
    history.push_back(returns(1, reply));
    expect_accepted({}, history);
    history.push_back(starts(0));
    EXPECT_EQ(rejected_at({}, history), reply == ReplyKind::kTrue ? 4u : 5u);
  }
}

TEST(Acceptor, E5_RejectsAStartOutOfTurnUnlessAnyOrderIsStated) {
  std::vector<Event> history = {submit(0, 0), returns(0, ReplyKind::kOk), submit(0, 1), returns(0, ReplyKind::kOk),
                                starts(1)};
  expect_rejected_last({.max_workers = 1}, history);
  expect_accepted({.max_workers = 1, .start_order = StartOrder::kAny}, history);
  // With two workers both calls have left the queue, and which starts first is open.
  expect_accepted({.max_workers = 2}, history);
  history.insert(history.begin() + 4, {submit(0, 2), returns(0, ReplyKind::kOk)});
  history.back() = starts(2);
  expect_rejected_last({.max_workers = 2}, history);
}

TEST(Acceptor, E5_TheOrderOfSubmitsAtTheSameTimeIsOpenUntilSeen) {
  std::vector<Event> history = {
      submit(0, 0), submit(1, 1), returns(0, ReplyKind::kOk), returns(1, ReplyKind::kOk), starts(1),
      ends(1, 0),   starts(0)};
  expect_accepted({}, history);
  std::swap(history[1], history[2]);  // Now the first has returned before the second is invoked.
  EXPECT_EQ(rejected_at({}, history), 4u);
}

TEST(Acceptor, E6_RejectsMoreCallsAtOnceThanWorkers) {
  expect_rejected_last({.max_workers = 1}, {submit(0, 0), starts(0), submit(1, 1), starts(1)});
}

TEST(Acceptor, E6_ACancelOfATakenCallFreesItsWorker) {
  // c0 has left the queue, since c1 has started; only its cancel, not seen to end, makes room for c2.
  std::vector<Event> history = {submit(0, 0), returns(0, ReplyKind::kOk), submit(0, 1), returns(0, ReplyKind::kOk),
                                submit(0, 2), returns(0, ReplyKind::kOk), starts(1)};
  std::vector<Event> cancelled = history;
  cancelled.insert(cancelled.end(), {cancel(1, 0), starts(2)});
  expect_accepted({.max_workers = 2}, cancelled);
  cancelled.push_back(returns(1, ReplyKind::kFalse));
  expect_rejected_last({.max_workers = 2}, cancelled);
  history.push_back(starts(2));
  expect_rejected_last({.max_workers = 2}, history);
}

TEST(Acceptor, E2_RejectsASecondStart) { expect_rejected_last({}, {submit(0, 0), starts(0), ends(0, 0), starts(0)}); }

TEST(Acceptor, E4_RejectsAStartAfterARefusedSubmit) {
  const std::vector<Event> refused = {shutdown(0, false, false), returns(0, ReplyKind::kOk), submit(1, 0),
                                      returns(1, ReplyKind::kShutdownError)};
  expect_accepted({}, refused);
  std::vector<Event> history = refused;
  history.push_back(starts(0));
  expect_rejected_last({}, history);
  history = refused;
  history.back() = returns(1, ReplyKind::kOk);
  expect_rejected_last({}, history);
}

TEST(Acceptor, F3_RejectsAWrongResult) {
  const std::vector<Event> ended = {submit(0, 0), returns(0, ReplyKind::kOk), starts(0), ends(0, 7), poll(0, 0)};
  for (const Event& right : {returns(0, ReplyKind::kTimeout), returns(0, ReplyKind::kValue, 7)}) {
    std::vector<Event> history = ended;
    history.push_back(right);
    expect_accepted({}, history);
  }
  for (const Event& wrong : {returns(0, ReplyKind::kValue, 8), returns(0, ReplyKind::kError, 7),
                             returns(0, ReplyKind::kCancelled), returns(0, ReplyKind::kNone)}) {
    std::vector<Event> history = ended;
    history.push_back(wrong);
    expect_rejected_last({}, history);
  }
}

TEST(Acceptor, F1_RejectsADoneCallThatIsPendingAgain) {
  expect_rejected_last({}, {submit(0, 0), starts(0), ends(0, 7), result(1, 0), returns(1, ReplyKind::kValue, 7),
                            poll(1, 0), returns(1, ReplyKind::kTimeout)});
}

TEST(Acceptor, F8_CallbacksRunInOrderOnceAndBeforeCancelReturns) {
  const std::vector<Event> begun = {
      submit(0, 0),          returns(0, ReplyKind::kOk), add_callback(0, 0, 0), returns(0, ReplyKind::kOk),
      add_callback(0, 0, 1), returns(0, ReplyKind::kOk), cancel(1, 0)};
  const auto with = [&](const std::vector<Event>& more) {
    std::vector<Event> history = begun;
    history.insert(history.end(), more.begin(), more.end());
    return history;
  };
  expect_accepted({}, with({callback(1, 0, 0), callback(1, 0, 1), returns(1, ReplyKind::kTrue)}));
  expect_rejected_last({}, with({callback(1, 0, 1)}));
  expect_rejected_last({}, with({callback(1, 0, 0), callback(1, 0, 0)}));
  expect_rejected_last({}, with({callback(1, 0, 0), returns(1, ReplyKind::kTrue)}));
  expect_rejected_last({}, with({callback(kWorker, 0, 0)}));
}

TEST(Acceptor, F9_ALateCallbackRunsInItsAdder) {
  const std::vector<Event> done = {
      submit(0, 0), starts(0), ends(0, 7), result(1, 0), returns(1, ReplyKind::kValue, 7), add_callback(1, 0, 0)};
  std::vector<Event> history = done;
  history.insert(history.end(), {callback(1, 0, 0), returns(1, ReplyKind::kOk)});
  expect_accepted({}, history);
  history = done;
  history.push_back(callback(kWorker, 0, 0));
  expect_rejected_last({}, history);
}

// What is seen first forces a cancel, and only later does it show what came before the cancel.
TEST(Acceptor, F8_ACallbackSeenLateWasAddedBeforeTheCancel) {
  for (const Event& canceller : {cancel(0, 0), shutdown(0, false, true)}) {
    for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
      const std::vector<Event> history = {submit(0, 0), returns(0, ReplyKind::kOk),
                                          canceller,    add_callback(1, 0, 0),
                                          result(2, 0), returns(2, ReplyKind::kCancelled)};
      for (const Client runs_on : {Client{0}, Client{1}}) {
        std::vector<Event> seen = history;
        seen.push_back(callback(runs_on, 0, 0));
        expect_accepted({.drain = drain}, seen);
      }
    }
  }
}

TEST(Acceptor, F8_ACallbackWasAddedBeforeAShutdownThatARefusedSubmitShows) {
  for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
    expect_accepted({.drain = drain},
                    {submit(0, 0), returns(0, ReplyKind::kOk), shutdown(0, false, true), add_callback(1, 0, 0),
                     submit(2, 1), returns(2, ReplyKind::kShutdownError), callback(0, 0, 0)});
  }
}

TEST(Acceptor, F8_OfTwoCancellersTheOneThatReturnsFirstMayHaveBeenSecond) {
  const auto canceller = [](Client client, bool shuts_down) {
    return shuts_down ? shutdown(client, false, true) : cancel(client, 0);
  };
  const auto reply = [](bool shuts_down) { return shuts_down ? ReplyKind::kOk : ReplyKind::kTrue; };
  for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
    for (const bool first : {false, true}) {
      for (const bool second : {false, true}) {
        expect_accepted({.drain = drain}, {submit(0, 0), returns(0, ReplyKind::kOk), add_callback(0, 0, 0),
                                           returns(0, ReplyKind::kOk), canceller(0, first), canceller(1, second),
                                           returns(0, reply(first)), callback(1, 0, 0), returns(1, reply(second))});
      }
    }
  }
}

TEST(Acceptor, S1_RejectsAShutdownThatDoesNotWait) {
  const std::vector<Event> history = {submit(0, 0), returns(0, ReplyKind::kOk), starts(0), shutdown(1, true, false),
                                      returns(1, ReplyKind::kOk)};
  expect_rejected_last({}, history);
}

TEST(Acceptor, S3_ATakenCallMayNotStartAfterShutdownHasCancelled) {
  const std::vector<Event> history = {
      submit(0, 0), returns(0, ReplyKind::kOk),     shutdown(1, false, true), returns(1, ReplyKind::kOk),
      poll(0, 0),   returns(0, ReplyKind::kTimeout)};
  for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
    // Not done after the shutdown: it was running, and so must start, or the shutdown has missed it.
    expect_accepted({.drain = drain}, history);
    std::vector<Event> missed = history;
    missed.insert(missed.end(), {cancel(0, 0), returns(0, ReplyKind::kTrue)});
    expect_rejected_last({.drain = drain}, missed);
    expect_accepted({.drain = drain, .shutdown_cancels_taken = false}, missed);
  }
}

TEST(Acceptor, S7_AWaitingShutdownInABodyIsRefused) {
  const Client body = body_client(0);
  expect_accepted({}, {submit(0, 0), starts(0), shutdown(body, true, false), returns(body, ReplyKind::kDeadlockError),
                       ends(0, 0), submit(1, 1), returns(1, ReplyKind::kShutdownError)});
  expect_rejected_last({}, {submit(0, 0), starts(0), shutdown(body, true, false), returns(body, ReplyKind::kOk)});
}

TEST(Acceptor, TheRejectionNamesTheEventAndTheAlternatives) {
  std::string why;
  rejected_at({}, {submit(0, 0), returns(0, ReplyKind::kOk), cancel(1, 0), returns(1, ReplyKind::kOk)}, &why);
  EXPECT_NE(why.find(">     3  client 1: returns ok"), std::string::npos) << why;
  EXPECT_NE(why.find("client 1: returns true"), std::string::npos) << why;
  EXPECT_NE(why.find("client 1: returns false"), std::string::npos) << why;
  EXPECT_NE(why.find("c0 pending"), std::string::npos) << why;
}

TEST(Acceptor, StaysRejected) {
  Acceptor acceptor({}, 1);
  EXPECT_FALSE(acceptor.feed(starts(0)));
  EXPECT_FALSE(acceptor.feed(submit(0, 0)));
  EXPECT_TRUE(acceptor.states().empty());
}

}  // namespace
}  // namespace futures::model
