#include "spec_tests/judges/world.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::spec_tests {
namespace {

using Looks = std::vector<std::string>;

Trace parsed(const std::string& text) {
  absl::StatusOr<Trace> trace = parse_trace(text);
  EXPECT_TRUE(trace.ok()) << trace.status() << "\n" << text;
  return trace.ok() ? *trace : Trace();
}

model::Policy with_workers(model::Policy policy, const Trace& trace) {
  policy.max_workers = trace.workers;
  return policy;
}

// How the worlds look, in the order of the texts.
Looks looks_of(const WorldSet& worlds) {
  Looks looks;
  for (const Observation& observation : worlds.observations()) looks.push_back(to_string(observation));
  std::sort(looks.begin(), looks.end());
  return looks;
}

// A trace under way.
class Play {
 public:
  explicit Play(const std::string& text, const model::Policy& policy = {}, const WorldOptions& options = {})
      : trace_(parsed(text)), worlds_(with_workers(policy, trace_), trace_, options) {}

  // Issues the next `count` steps, or all that are left. Returns how it looks then.
  Looks go(int count = kStepsMax) {
    for (; count > 0 && next_ < std::ssize(trace_.steps); --count) {
      issued_ += worlds_.issue(next_++) ? '+' : '-';
    }
    return looks_of(worlds_);
  }

  Looks finish() {
    worlds_.finish();
    return looks_of(worlds_);
  }

  WorldSet& worlds() { return worlds_; }

  // + or - for each step so far: issued or skipped.
  const std::string& issued() const { return issued_; }

 private:
  const Trace trace_;
  WorldSet worlds_;
  int next_ = 0;
  std::string issued_;
};

// ---------------------------------------------------------------------------------------------- single worlds

TEST(World, WhatMayStayAwayMayEvenIfNothingElseCanHappen) {
  Play play(
      "workers 1\nclients 1\n0 submit c0 { gate g0; return 0 }\n0 submit c1 { gate g1; return 1 }\n"
      "0 submit c2 { return 2 }\n0 release g0\n",
      {.drain = model::Drain::kStepwise, .bodies_act = false, .claims_ahead = 1});
  const Looks looks = play.go();
  const auto shows = [&looks](const std::string& look) {
    return std::find(looks.begin(), looks.end(), look) != looks.end();
  };
  EXPECT_TRUE(shows("c0 finished (value 0); c1 running; c2 running, body not begun; client 0 idle, last reply ok"));
  EXPECT_TRUE(shows("c0 finished (value 0); c1 running; c2 pending; client 0 idle, last reply ok"));
}

TEST(World, NothingHasHappenedAtFirst) {
  Play play("workers 1\nclients 2\n0 submit c0 { return 0 }\n0 callback c0\n");
  EXPECT_EQ(play.go(0), Looks{"c0 no future; client 0 idle; client 1 idle"});
}

TEST(World, ACallBehindAHeldWorkerIsPending) {
  Play play("workers 1\nclients 1\n0 submit c0 { gate g0; return 7 }\n0 submit c1 { throw 3 }\n0 release g0\n");
  EXPECT_EQ(play.go(1), Looks{"c0 running; c1 no future; client 0 idle, last reply ok"});
  EXPECT_EQ(play.go(1), Looks{"c0 running; c1 pending; client 0 idle, last reply ok"});
  EXPECT_EQ(play.go(1), Looks{"c0 finished (value 7); c1 finished (error 3); client 0 idle, last reply ok"});
}

TEST(World, CancelSucceedsOnPendingAndCancelledCallsOnly) {
  const std::string start = "workers 1\nclients 1\n0 submit c0 { gate g0; return 7 }\n0 submit c1 { throw 3 }\n";
  EXPECT_EQ(Play(start + "0 cancel c1\n").go(), Looks{"c0 running; c1 cancelled; client 0 idle, last reply true"});
  EXPECT_EQ(Play(start + "0 cancel c1\n0 cancel c1\n").go(),
            Looks{"c0 running; c1 cancelled; client 0 idle, last reply true"});
  EXPECT_EQ(Play(start + "0 cancel c0\n").go(), Looks{"c0 running; c1 pending; client 0 idle, last reply false"});
  EXPECT_EQ(Play(start + "0 cancel c1\n0 release g0\n0 cancel c0\n").go(),
            Looks{"c0 finished (value 7); c1 cancelled; client 0 idle, last reply false"});
}

TEST(World, PollNeverWaitsAndResultDoes) {
  Play play(
      "workers 1\nclients 2\n0 submit c0 { gate g0; throw 4 }\n0 poll c0\n1 result c0\n0 release g0\n0 poll c0\n");
  EXPECT_EQ(play.go(2), Looks{"c0 running; client 0 idle, last reply TimeoutError; client 1 idle"});
  EXPECT_EQ(play.go(1), Looks{"c0 running; client 0 idle, last reply TimeoutError; client 1 busy"});
  EXPECT_EQ(play.go(1), Looks{"c0 finished (error 4); client 0 idle, last reply TimeoutError; "
                              "client 1 idle, last reply error 4"});
  EXPECT_EQ(play.go(1), Looks{"c0 finished (error 4); client 0 idle, last reply error 4; "
                              "client 1 idle, last reply error 4"});
}

TEST(World, CallbacksRunOnceTheCallIsDoneOrAtOnce) {
  Play play(
      "workers 1\nclients 1\n0 submit c0 { gate g0; return 0 }\n0 submit c1 { return 1 }\n"
      "0 callback c0\n0 callback c1\n0 cancel c1\n0 callback c1\n0 release g0\n");
  EXPECT_EQ(play.go(4), Looks{"c0 running; c1 pending; client 0 idle, last reply ok"});
  EXPECT_EQ(play.go(1), Looks{"c0 running; c1 cancelled; client 0 idle, last reply true; r1 ran"});
  EXPECT_EQ(play.go(1), Looks{"c0 running; c1 cancelled; client 0 idle, last reply ok; r1 ran; r2 ran"});
  EXPECT_EQ(play.go(1), Looks{"c0 finished (value 0); c1 cancelled; client 0 idle, last reply ok; "
                              "r0 ran; r1 ran; r2 ran"});
}

TEST(World, ShutdownClosesTheIntakeAndWaits) {
  Play play(
      "workers 1\nclients 2\n0 submit c0 { gate g0; return 0 }\n0 submit c1 { return 1 }\n1 shutdown wait\n"
      "0 submit c2 { return 2 }\n0 release g0\n");
  EXPECT_EQ(play.go(3), Looks{"c0 running; c1 pending; c2 no future; client 0 idle, last reply ok; client 1 busy"});
  EXPECT_EQ(play.go(1),
            Looks{"c0 running; c1 pending; c2 no future; client 0 idle, last reply ShutdownError; client 1 busy"});
  EXPECT_EQ(play.go(1), Looks{"c0 finished (value 0); c1 finished (value 1); c2 no future; "
                              "client 0 idle, last reply ShutdownError; client 1 idle, last reply ok"});
}

TEST(World, ShutdownCancelsWhatHasNotStartedAndRunsItsCallbacks) {
  Play play(
      "workers 1\nclients 1\n0 submit c0 { gate g0; return 0 }\n0 submit c1 { return 1 }\n0 callback c1\n"
      "0 shutdown nowait cancel\n");
  EXPECT_EQ(play.go(), Looks{"c0 running; c1 cancelled; client 0 idle, last reply ok; r0 ran"});
}

TEST(World, TheEpilogueEndsEverything) {
  Play play(
      "workers 1\nclients 2\n0 submit c0 { gate g0; gate g1; return 0 }\n0 submit c1 { gate g2; return 1 }\n"
      "1 result c1\n0 callback c1\n");
  play.go();
  EXPECT_EQ(play.finish(), Looks{"c0 finished (value 0); c1 finished (value 1); client 0 idle, last reply ok; "
                                 "client 1 idle, last reply value 1; r0 ran"});
}

// ---------------------------------------------------------------------------------------------- bodies

TEST(World, ABodySubmitsWhileTheExecutorStillDrains) {
  // The nested submit comes after the shutdown and is refused, so the statements that name its call are skipped.
  Play play(
      "workers 1\nclients 2\n0 submit c0 { gate g0; submit c1 { return 1 }; cancel c1; callback c1; return 0 }\n"
      "1 shutdown wait\n0 release g0\n0 cancel c1\n");
  EXPECT_EQ(play.go(), Looks{"c0 finished (value 0); c1 no future; client 0 idle, last reply ok; "
                             "client 1 idle, last reply ok"});
  EXPECT_EQ(play.issued(), "+++-");
}

TEST(World, ABodySubmitsBeforeTheShutdown) {
  Play play("workers 1\nclients 1\n0 submit c0 { submit c1 { return 1 }; gate g0; return 0 }\n0 shutdown nowait\n");
  EXPECT_EQ(play.go(), Looks{"c0 running; c1 pending; client 0 idle, last reply ok"});
  EXPECT_EQ(play.finish(), Looks{"c0 finished (value 0); c1 finished (value 1); client 0 idle, last reply ok"});
}

TEST(World, ABodyThatShutsDownItsOwnExecutorGoesOn) {
  Play play("workers 1\nclients 1\n0 submit c0 { shutdown wait; return 5 }\n0 submit c1 { return 1 }\n");
  EXPECT_EQ(play.go(), Looks{"c0 finished (value 5); c1 no future; client 0 idle, last reply ShutdownError"});
}

TEST(World, ABodyCancelsACallThatCannotStartBeforeIt) {
  Play play(
      "workers 1\nclients 1\n0 submit c0 { gate g0; cancel c1; return 0 }\n0 submit c1 { return 1 }\n0 release g0\n");
  EXPECT_EQ(play.go(), Looks{"c0 finished (value 0); c1 cancelled; client 0 idle, last reply ok"});
}

TEST(World, ABodySkipsWhatNamesACallOfNobody) {
  Play play(
      "workers 1\nclients 1\n0 submit c0 { cancel c1; callback c1; poll c1; return 0 }\n0 submit c1 { return 1 }\n");
  EXPECT_EQ(play.go(1), Looks{"c0 finished (value 0); c1 no future; client 0 idle, last reply ok"});
  EXPECT_EQ(play.go(), Looks{"c0 finished (value 0); c1 finished (value 1); client 0 idle, last reply ok"});
}

// ---------------------------------------------------------------------------------------------- maps

TEST(World, AMapGoesOnBehindAnError) {
  const std::string text =
      "workers 1\nclients 2\n0 map { submit c0 { throw 3 }; submit c1 { gate g0; return 1 }; submit c2 { return 2 }; "
      "take 2 }\n"
      "1 release g0\n";
  Play goes_on(text);
  EXPECT_EQ(goes_on.go(1), Looks{"c0 no future, body begun; c1 no future, body begun; c2 no future; "
                                 "client 0 busy, last reply error 3; client 1 idle"});
  // Letting go of the third call races with its start.
  for (const std::string& look : goes_on.go()) {
    EXPECT_NE(look.find("client 0 idle, last reply ok"), std::string::npos) << look;
  }
  Play ends(text, {.map_ends_at_error = true});
  for (const std::string& look : ends.go(1)) {
    EXPECT_NE(look.find("client 0 idle, last reply error 3"), std::string::npos) << look;
  }
}

// ---------------------------------------------------------------------------------------------- skipped steps

TEST(World, StepsOfBusyClientsAndOfUnknownCallsAreSkipped) {
  Play play(
      "workers 1\nclients 2\n0 poll c0\n0 submit c0 { gate g0; submit c1 { return 1 }; return 0 }\n1 result c0\n"
      "1 poll c0\n1 release g0\n0 cancel c1\n0 release g0\n0 cancel c1\n1 poll c0\n");
  play.go();
  EXPECT_EQ(play.issued(), "-++---+++");
}

TEST(World, StepsOfRefusedCallsAreSkipped) {
  Play play(
      "workers 1\nclients 1\n0 shutdown nowait\n0 submit c0 { return 0 }\n0 cancel c0\n0 callback c0\n"
      "0 shutdown wait\n");
  play.go();
  EXPECT_EQ(play.issued(), "++--+");
}

// Whether c1 is accepted is open: two bodies race.
constexpr char kRace[] =
    "workers 2\nclients 1\n0 submit c0 { gate g0; submit c1 { return 1 }; return 0 }\n"
    "0 submit c2 { gate g0; shutdown nowait; return 2 }\n0 release g0\n0 cancel c1\n0 shutdown wait\n";

TEST(World, WorldsThatDisagreeSkipTheStep) {
  Play play(kRace);
  EXPECT_EQ(play.go(3).size(), 2u);
  play.go();
  EXPECT_EQ(play.issued(), "+++-+");
}

TEST(World, KeepingWhatWasSeenDecides) {
  for (const auto& [kept, issued] : {std::pair<bool, const char*>{true, "++++"}, {false, "+++-"}}) {
    Play play(kRace);
    play.go(3);
    EXPECT_FALSE(play.worlds().deterministic());
    std::vector<Observation> observations = play.worlds().observations();
    ASSERT_EQ(observations.size(), 2u);
    if ((observations[0].calls[1] != model::Visible::kAbsent) != kept) std::swap(observations[0], observations[1]);
    for (const Observation& observation : observations) EXPECT_TRUE(play.worlds().contains(observation));
    play.worlds().keep(observations[0]);
    EXPECT_EQ(play.worlds().observations(), std::vector<Observation>{observations[0]});
    EXPECT_TRUE(play.worlds().contains(observations[0]));
    EXPECT_FALSE(play.worlds().contains(observations[1]));
    EXPECT_TRUE(play.worlds().deterministic());
    play.go(1);
    EXPECT_EQ(play.issued(), issued);
  }
}

TEST(World, KeepingWhatCannotBeLeavesNoWorld) {
  Play play("workers 1\nclients 1\n0 submit c0 { return 0 }\n0 poll c0\n");
  play.go(1);
  Observation impossible = play.worlds().observations()[0];
  impossible.started[0] = false;
  EXPECT_FALSE(play.worlds().contains(impossible));
  play.worlds().keep(impossible);
  EXPECT_EQ(play.worlds().size(), 0u);
  EXPECT_TRUE(play.go().empty());
  EXPECT_TRUE(play.finish().empty());
  EXPECT_EQ(play.issued(), "+-");
}

// ---------------------------------------------------------------------------------------------- several worlds

TEST(World, ACancelRacesWithTheStart) {
  Play play("workers 2\nclients 1\n0 submit c0 { submit c1 { return 1 }; cancel c1; return 0 }\n");
  EXPECT_EQ(play.go(), (Looks{"c0 finished (value 0); c1 cancelled; client 0 idle, last reply ok",
                              "c0 finished (value 0); c1 finished (value 1); client 0 idle, last reply ok"}));
}

TEST(World, TwoBodiesSubmitInEitherOrder) {
  Play play(
      "workers 2\nclients 1\n0 submit c0 { gate g0; submit c1 { gate g3; return 1 }; gate g1; return 0 }\n"
      "0 submit c2 { gate g0; submit c3 { gate g3; return 3 }; gate g2; return 2 }\n0 release g0\n0 release g1\n");
  EXPECT_EQ(play.go(3), Looks{"c0 running; c1 pending; c2 running; c3 pending; client 0 idle, last reply ok"});
  EXPECT_EQ(play.worlds().size(), 2u);
  EXPECT_EQ(play.go(1),
            (Looks{"c0 finished (value 0); c1 pending; c2 running; c3 running; client 0 idle, last reply ok",
                   "c0 finished (value 0); c1 running; c2 running; c3 pending; client 0 idle, last reply ok"}));
}

TEST(World, OnlyAnyOrderLetsLaterCallsStartFirst) {
  const std::string text =
      "workers 1\nclients 1\n0 submit c0 { gate g0; return 0 }\n0 submit c1 { gate g1; return 1 }\n"
      "0 submit c2 { gate g1; return 2 }\n0 release g0\n";
  const std::string in_order = "c0 finished (value 0); c1 running; c2 pending; client 0 idle, last reply ok";
  const std::string overtaken = "c0 finished (value 0); c1 pending; c2 running; client 0 idle, last reply ok";
  EXPECT_EQ(Play(text).go(), Looks{in_order});
  EXPECT_EQ(Play(text, {.start_order = model::StartOrder::kAny}).go(), (Looks{overtaken, in_order}));
}

TEST(World, AnyOrderLetsACallOvertakeOneThatHadAFreeWorker) {
  const std::string text =
      "workers 2\nclients 1\n"
      "0 submit c0 { submit c1 { gate g0; return 1 }; submit c2 { gate g0; return 2 }; gate g0; return 0 }\n";
  EXPECT_EQ(Play(text).go().size(), 1u);
  EXPECT_EQ(Play(text, {.start_order = model::StartOrder::kAny}).go().size(), 2u);
}

TEST(World, AShutdownRacesWithTheStart) {
  const std::string text =
      "workers 2\nclients 1\n0 submit c0 { submit c1 { return 1 }; shutdown nowait cancel; return 0 }\n";
  const Looks either = {"c0 finished (value 0); c1 cancelled; client 0 idle, last reply ok",
                        "c0 finished (value 0); c1 finished (value 1); client 0 idle, last reply ok"};
  EXPECT_EQ(Play(text).go(), either);
  EXPECT_EQ(Play(text, {.drain = model::Drain::kStepwise}).go(), either);
  EXPECT_EQ(Play(text, {.shutdown_cancels_taken = false}).go(), either);
}

// ---------------------------------------------------------------------------------------------- size

TEST(World, ATraceThatIsTooLargeSaysSo) {
  Play play(kRace, {}, {.worlds_max = 1});
  EXPECT_EQ(play.go(2).size(), 1u);
  EXPECT_TRUE(play.worlds().status().ok());
  EXPECT_TRUE(play.go(1).empty());
  EXPECT_EQ(play.worlds().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(play.worlds().status().message(), "trace too large: step 2 leads through more than 1 worlds");
  play.go();
  play.finish();
  EXPECT_EQ(play.issued(), "+++--");
  EXPECT_EQ(play.worlds().status().message(), "trace too large: step 2 leads through more than 1 worlds");
}

TEST(World, GeneratedTracesAreCheap) {
  constexpr int kTraces = 1000;
  int without_choice = 0;
  std::size_t explored = 0;
  for (int i = 0; i < kTraces; ++i) {
    const Trace trace = trace_from_seed(5, i);
    WorldSet worlds(with_workers({}, trace), trace);
    for (int step = 0; step < std::ssize(trace.steps); ++step) worlds.issue(step);
    worlds.finish();
    EXPECT_TRUE(worlds.status().ok()) << worlds.status() << "\n" << trace;
    without_choice += worlds.explored() == 0 ? 1 : 0;
    explored += worlds.explored();
  }
  // The others: what ends at once may be told in any order, and a map's submits race with the bodies of its first
  // calls.
  EXPECT_GE(without_choice, kTraces * 65 / 100);
  EXPECT_LE(explored, kTraces * 50u);
}

// ---------------------------------------------------------------------------------------------- reduction

struct NamedPolicy {
  const char* name;
  model::Policy policy;
  int traces = 300;  // Fewer where the full search has far more worlds to go through.
};

std::vector<NamedPolicy> policies() {
  using model::Drain;
  using model::StartOrder;
  return {
      {"fifo", {}},
      {"stepwise", {.drain = Drain::kStepwise}},
      {"any order", {.start_order = StartOrder::kAny}},
      {"any order, stepwise", {.start_order = StartOrder::kAny, .drain = Drain::kStepwise}},
      {"taken calls escape", {.shutdown_cancels_taken = false, .self_shutdown_throws = false}},
      {"taken calls escape, stepwise", {.drain = Drain::kStepwise, .shutdown_cancels_taken = false}},
      {"as CPython",
       {.drain = Drain::kStepwise,
        .shutdown_cancels_taken = false,
        .destroy_respects_no_wait = false,
        .abandons_unadvanced_map = false,
        .map_ends_at_error = true,
        .refused_map_cancels = false,
        .ready_after_deadline = false,
        .done_at_call_first = false}},
      {"outcomes travel", {.drain = Drain::kStepwise, .bodies_act = false, .outcomes_travel = true}},
      {"outcomes travel, any order, bodies act", {.start_order = StartOrder::kAny, .outcomes_travel = true}},
      {"as CPython's processes",
       {.drain = Drain::kStepwise,
        .bodies_act = false,
        .abandons_unadvanced_map = false,
        .map_ends_at_error = true,
        .refused_map_cancels = false,
        .claims_ahead = 1,
        .shutdown_cancels_itself = false,
        .later_shutdown_waits = false,
        .ready_after_deadline = false,
        .done_at_call_first = false},
       60},
  };
}

// A few bodies that are let go together and get in each other's way: few steps, many worlds.
Trace racy_trace(unsigned seed) {
  std::minstd_rand random(seed);  // An engine, unlike a distribution, is the same everywhere.
  random.discard(10);
  const auto below = [&](int bound) { return static_cast<int>(random() / 64 % static_cast<unsigned>(bound)); };
  Trace trace{.workers = 1 + below(3), .clients = 3, .steps = {}};
  int calls = 0;
  const auto submit = [&] {
    Statement statement{.verb = Verb::kSubmit, .call = calls++, .body = {}};
    statement.body.emplace_back();
    return statement;
  };
  const auto some_statement = [&]() -> Statement {
    const int call = below(6);
    switch (below(7)) {
      case 0:
        return {.verb = Verb::kCallback, .call = call, .body = {}};
      case 1:
        return {.verb = Verb::kPoll, .call = call, .body = {}};
      case 2:
        return {.verb = Verb::kShutdown, .wait = below(2) == 0, .cancel_futures = below(2) == 0, .body = {}};
      case 3:
      case 4:
        return {.verb = Verb::kCancel, .call = call, .body = {}};
      default:
        break;
    }
    Statement nested = submit();
    if (below(2) == 0) nested.body[0].statements.push_back({.verb = Verb::kGate, .gate = 1, .body = {}});
    return nested;
  };
  const auto add_step = [&](Statement statement) {
    trace.steps.push_back({.client = 0, .statement = std::move(statement)});
  };
  const int bodies = 2 + below(3);
  for (int i = 0; i < bodies; ++i) {
    Statement statement = submit();
    std::vector<Statement>& statements = statement.body[0].statements;
    if (below(4) > 0) statements.push_back({.verb = Verb::kGate, .gate = 0, .body = {}});
    for (int more = below(3); more > 0; --more) statements.push_back(some_statement());
    if (below(3) == 0) statements.push_back({.verb = Verb::kGate, .gate = 1, .body = {}});
    add_step(std::move(statement));
    if (below(3) == 0) add_step({.verb = Verb::kCallback, .call = i, .body = {}});
  }
  // Two clients wait for several of the calls in one way or another, or map.
  for (int client = 1; client < 3; ++client) {
    const auto some_calls = static_cast<std::uint16_t>(below(1 << bodies));
    Statement waiting{.verb = Verb::kWait, .calls = some_calls, .wait_for = static_cast<WaitFor>(below(3)), .body = {}};
    switch (below(4)) {
      case 0:
        continue;
      case 1:
        break;
      case 2:
        waiting.verb = Verb::kAsCompleted;
        waiting.poll = below(4) == 0;
        break;
      case 3: {
        waiting.verb = Verb::kMap;
        Body& inputs = waiting.body.emplace_back();
        for (int left = 1 + below(2); left > 0; --left) {
          inputs.statements.push_back(submit());
          inputs.statements.back().body[0].throws = below(3) == 0;
          std::vector<Statement>& body = inputs.statements.back().body[0].statements;
          if (below(2) == 0) body.push_back({.verb = Verb::kGate, .gate = 0, .body = {}});
        }
        inputs.value = below(3);
        break;
      }
    }
    trace.steps.push_back({.client = client, .statement = std::move(waiting)});
  }
  add_step({.verb = Verb::kRelease, .gate = 0, .body = {}});
  if (below(5) == 0) add_step({.verb = Verb::kDestroy, .body = {}});
  if (below(4) == 0) add_step({.verb = Verb::kWait, .calls = 0xff, .poll = true, .body = {}});
  return normalised(std::move(trace));
}

// Runs the trace with and without the reduction and compares after each step. Returns how many steps had several looks;
// the full search gives up early, and then so does the comparison.
int compare_with_full_search(const model::Policy& policy, const Trace& trace) {
  constexpr int kFullWorldsMax = 1000;
  WorldSet reduced(policy, trace);
  WorldSet full(policy, trace, {.worlds_max = kFullWorldsMax, .reduce = false});
  int several = 0;
  for (int step = 0; step <= std::ssize(trace.steps); ++step) {
    if (step < std::ssize(trace.steps)) {
      EXPECT_EQ(reduced.issue(step), full.issue(step));
    } else {
      reduced.finish();
      full.finish();
    }
    if (!full.status().ok()) break;
    EXPECT_TRUE(reduced.status().ok());
    EXPECT_EQ(looks_of(reduced), looks_of(full)) << "step " << step;
    several += full.deterministic() ? 0 : 1;
  }
  return several;
}

TEST(World, ReductionLosesNoWorld) {
  for (const NamedPolicy& named : policies()) {
    SCOPED_TRACE(named.name);
    int several = 0;
    for (int i = 0; i < named.traces && !HasFailure(); ++i) {
      const Trace trace = i % 5 == 0 ? trace_from_seed(11, i) : racy_trace(static_cast<unsigned>(i));
      SCOPED_TRACE(to_text(trace));
      several += compare_with_full_search(with_workers(named.policy, trace), trace);
    }
    EXPECT_GE(several, named.traces / 6);
  }
}

// ---------------------------------------------------------------------------------------------- situations

// Counts what comes about in a trace, step by step.
void count_situations(const Trace& trace, std::map<std::string, int>& counts) {
  WorldSet worlds(with_workers({}, trace), trace);
  Observation before = worlds.observations()[0];
  for (int i = 0; i < std::ssize(trace.steps); ++i) {
    const Step& step = trace.steps[i];
    if (!worlds.issue(i)) {
      ++counts[before.busy[step.client] ? "skipped: busy" : "skipped: unknown call"];
      continue;
    }
    if (!worlds.deterministic()) ++counts["several looks"];
    const Observation seen = worlds.observations()[0];
    const std::string verb = to_text(step.statement).substr(0, to_text(step.statement).find(' '));
    if (seen.busy[step.client]) {
      ++counts[absl::StrCat(verb, ": waits")];
    } else if (step.statement.verb != Verb::kRelease) {
      ++counts[absl::StrCat(verb, ": ", to_string(model::Reply{seen.replies[step.client].kind}))];
    }
    if (std::count(seen.callbacks_ran.begin(), seen.callbacks_ran.end(), true) >
        std::count(before.callbacks_ran.begin(), before.callbacks_ran.end(), true)) {
      ++counts[absl::StrCat(verb, ": a callback runs")];
    }
    for (std::size_t call = 0; call < seen.calls.size(); ++call) {
      if (before.calls[call] == seen.calls[call]) continue;
      if (seen.calls[call] == model::Visible::kCancelled) ++counts[absl::StrCat(verb, ": a call is cancelled")];
      if (before.calls[call] == model::Visible::kPending && seen.calls[call] != model::Visible::kCancelled) {
        ++counts[absl::StrCat(verb, ": a pending call starts")];
      }
    }
    worlds.keep(seen);
    before = seen;
  }
}

TEST(World, GeneratedTracesReachEverySituation) {
  std::map<std::string, int> counts;
  for (int i = 0; i < 2600; ++i) count_situations(trace_from_seed(1, i), counts);
  const std::map<std::string, int> least = {
      {"submit: ok", 5000},
      {"submit: ShutdownError", 300},
      {"submit: a callback runs", 20},
      {"cancel: true", 200},
      {"cancel: false", 300},
      {"cancel: a call is cancelled", 200},
      {"cancel: a callback runs", 20},
      {"callback: ok", 500},
      {"callback: a callback runs", 200},
      {"poll: TimeoutError", 150},
      {"poll: CancelledError", 20},
      {"poll: value 0", 60},
      {"poll: error 0", 20},
      {"result: waits", 200},
      {"result: CancelledError", 20},
      {"result: value 0", 90},
      {"result: error 0", 30},
      {"release: a pending call starts", 250},
      {"release: a call is cancelled", 10},
      {"release: a callback runs", 60},
      {"shutdown: waits", 150},
      {"shutdown: ok", 250},
      {"shutdown: a call is cancelled", 180},
      {"shutdown: a callback runs", 12},
      {"wait: waits", 150},
      {"wait: done 0", 250},
      {"as_completed: waits", 100},
      {"as_completed: done 0", 40},
      {"as_completed: TimeoutError", 40},
      {"map: waits", 200},
      {"map: ok", 150},
      {"map: value 0", 20},
      {"map: error 0", 10},  // That of its last item.
      {"map: ShutdownError", 30},
      {"destroy: waits", 20},
      {"destroy: ok", 50},
      {"skipped: busy", 100},
      {"skipped: unknown call", 100},
      {"several looks", 20},
  };
  for (const auto& [situation, times] : least) EXPECT_GE(counts[situation], times) << situation;
  for (const auto& [situation, times] : counts) RecordProperty(situation, times);
}

}  // namespace
}  // namespace futures::spec_tests
