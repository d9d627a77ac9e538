// The laws hold in every state of the model, and nothing gets stuck: by looking at all of them.
//
// What is covered. Two clients, up to four operations each, at most three calls. A client may do, whenever it is idle:
// submit the next call; cancel, poll or wait for the result of any call whose submit has returned, its own or the other
// client's; add a callback to such a call while the scope has callbacks left; shut down in each of the four forms.
// Bodies end with a value or an error at any time. Internal actions happen in every order. Explored are
//   - one worker, both start orders, both drains: with up to two callbacks;
//   - two workers, both start orders, both drains: with up to one callback;
//   - two workers, FIFO, both drains: no callbacks, but every body too may do one operation: submit, cancel, shutdown;
//   - one and two workers, FIFO, stepwise drain: no callbacks, up to three operations each, which may also be a wait of
//   any
//     kind, a step of as_completed, a submit or a result of a map, letting a map go, the destructor.
// Equal states are merged, as exploration.h says. What is not covered: more callbacks, results awaited or callbacks
// added by bodies, several operations per body, worker death.
//
// What is checked, in every state and on every step: broken_law; that nothing repeats for ever; that where nothing can
// happen any more but invokes, every accepted call is done, every operation has returned and every callback has run.
// Since nothing repeats, every state leads to such a one. And each situation named below is met, or the test fails:
// laws that hold because nothing happens prove nothing.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reference/exploration.h"
#include "reference/model.h"

namespace futures::model {
namespace {

// One step of the exploration, as the situations below look at it.
struct Step {
  const State& before;
  const Action& action;
  const State& after;

  Phase phase(Call call) const { return call == kNoCall ? Phase::kAbsent : before.calls[call].phase; }
  // The operation of the step's client.
  const Operation& operation() const { return find_client(before, action.client)->operation; }
  Reply reply() const { return find_client(after, action.client)->reply; }
  bool is(OpKind kind) const { return find_client(before, action.client)->operation.kind == kind; }
  bool by_body() const { return is_body_client(action.client); }

  bool any_call_is(Phase phase) const {
    return std::any_of(before.calls.begin(), before.calls.end(),
                       [&](const CallState& call) { return call.phase == phase; });
  }
  // Whether a client other than the step's is in an operation that `matches`.
  template <typename Predicate>
  bool another(Predicate matches) const {
    const std::vector<Client> clients = clients_of(before);
    return std::any_of(clients.begin(), clients.end(),
                       [&](Client client) { return client != action.client && matches(*find_client(before, client)); });
  }
  bool another_waits_to(OpKind kind, Call call = kNoCall) const {
    return another([&](const ClientState& in) {
      return in.phase == OpPhase::kInvoked && in.operation.kind == kind &&
             (call == kNoCall || in.operation.call == call);
    });
  }
  bool another_drains() const {
    return another([](const ClientState& in) { return in.phase == OpPhase::kDraining; });
  }
  bool cancels(Call call) const {
    return before.calls[call].phase != Phase::kCancelled && after.calls[call].phase == Phase::kCancelled;
  }
  // Whether the step cancels a call whose result a client is waiting for.
  bool cancels_what_is_awaited() const {
    for (std::size_t i = 0; i < before.calls.size(); ++i) {
      if (cancels(static_cast<Call>(i)) && another_waits_to(OpKind::kResult, static_cast<Call>(i))) return true;
    }
    return false;
  }
};

enum class Applies {
  kAlways,
  kTwoWorkers,
  kFull,
  kStepwise,
  kCallbacks,
  kTwoCallbacks,
  kBodies,
  kStepwiseBodies,
  kWaits,
  kMapsThatEnd,
};

// A situation that must be met somewhere in each scope that it applies to. Grouped by kind of action, for speed.
struct Situation {
  const char* name;
  ActionKind kind;
  Applies applies;
  bool (*holds)(const Step&);
};

constexpr Situation kSituations[] = {
    // Cancel.
    {"a cancel wins against a claim that could come first", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kCancel) && s.phase(s.operation().call) == Phase::kTaken; }},
    {"a claim wins against a cancel that could come first", ActionKind::kClaim, Applies::kAlways,
     [](const Step& s) { return s.another_waits_to(OpKind::kCancel, s.action.call); }},
    {"a cancel of a running call is refused", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kCancel) && s.phase(s.operation().call) == Phase::kStarted; }},
    {"two cancels of one pending call at once", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kCancel) && s.phase(s.operation().call) == Phase::kPending &&
              s.another_waits_to(OpKind::kCancel, s.operation().call);
     }},
    {"a cancel of a cancelled call", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kCancel) && s.phase(s.operation().call) == Phase::kCancelled; }},
    {"a result is awaited, then cancelled by the other client", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kCancel) && s.cancels_what_is_awaited(); }},
    // Submit.
    {"a submit is refused", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) { return s.reply().kind == ReplyKind::kShutdownError; }},
    {"a submit loses a race against shutdown", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.before.intake_open && s.another_waits_to(OpKind::kSubmit);
     }},
    {"a call starts before its submit has returned", ActionKind::kBodyStart, Applies::kAlways,
     [](const Step& s) {
       return s.another([&](const ClientState& in) {
         return in.operation.kind == OpKind::kSubmit && in.operation.call == s.action.call;
       });
     }},
    // Running.
    {"two calls run at once", ActionKind::kBodyStart, Applies::kTwoWorkers,
     [](const Step& s) { return s.any_call_is(Phase::kStarted); }},
    {"a call starts after shutdown", ActionKind::kBodyStart, Applies::kAlways,
     [](const Step& s) { return !s.before.intake_open; }},
    {"a body ends with an error", ActionKind::kBodyEnd, Applies::kAlways,
     [](const Step& s) { return s.action.reply.kind == ReplyKind::kError; }},
    {"a poll times out and its call is done by now", ActionKind::kReturn, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kPoll) && s.action.reply.kind == ReplyKind::kTimeout &&
              is_done(s.before, s.operation().call);
     }},
    {"a result rethrows", ActionKind::kReturn, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kResult) && s.action.reply.kind == ReplyKind::kError; }},
    // Shutdown.
    {"a shutdown with pending and running calls", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.any_call_is(Phase::kPending) && s.any_call_is(Phase::kStarted);
     }},
    {"a cancelling shutdown with pending, taken and running calls", ActionKind::kEffect, Applies::kFull,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.operation().cancel_futures && s.any_call_is(Phase::kPending) &&
              s.any_call_is(Phase::kTaken) && s.any_call_is(Phase::kStarted);
     }},
    {"two shutdowns at once", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.another([](const ClientState& in) {
         return in.phase != OpPhase::kIdle && in.operation.kind == OpKind::kShutdown;
       });
     }},
    {"cancel_futures after a plain shutdown cancels", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.operation().cancel_futures && !s.before.intake_open &&
              s.any_call_is(Phase::kPending) && !s.another_drains();
     }},
    {"a result is awaited, then cancelled by a shutdown at once", ActionKind::kEffect, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.operation().cancel_futures &&
              (s.cancels_what_is_awaited() || s.another([&](const ClientState& in) {
                return in.phase == OpPhase::kInvoked && in.operation.kind == OpKind::kResult &&
                       s.phase(in.operation.call) == Phase::kPending;
              }));
     }},
    {"a shutdown without wait returns while a call runs", ActionKind::kReturn, Applies::kAlways,
     [](const Step& s) { return s.is(OpKind::kShutdown) && !s.operation().wait && s.any_call_is(Phase::kStarted); }},
    {"a shutdown that cancels and waits returns, something cancelled", ActionKind::kReturn, Applies::kAlways,
     [](const Step& s) {
       return s.is(OpKind::kShutdown) && s.operation().wait && s.operation().cancel_futures &&
              s.any_call_is(Phase::kCancelled) && s.any_call_is(Phase::kFinished);
     }},
    // The stepwise drain.
    {"a worker takes in the middle of a drain", ActionKind::kTake, Applies::kStepwise,
     [](const Step& s) { return s.another_drains(); }},
    {"a claim in the middle of a drain", ActionKind::kClaim, Applies::kStepwise,
     [](const Step& s) { return s.another_drains(); }},
    {"a cancel in the middle of a drain", ActionKind::kEffect, Applies::kStepwise,
     [](const Step& s) { return s.is(OpKind::kCancel) && s.another_drains(); }},
    {"a drain cancels a taken call", ActionKind::kDrainStep, Applies::kStepwise,
     [](const Step& s) { return s.phase(s.action.call) == Phase::kTaken; }},
    {"a drain cancels what is awaited", ActionKind::kDrainStep, Applies::kStepwise,
     [](const Step& s) { return s.cancels_what_is_awaited(); }},
    {"two drains at once", ActionKind::kDrainStep, Applies::kStepwise,
     [](const Step& s) { return s.another_drains(); }},
    // Callbacks.
    {"a callback runs in the client that cancelled", ActionKind::kCallback, Applies::kCallbacks,
     [](const Step& s) { return s.action.client >= 0 && s.is(OpKind::kCancel); }},
    {"a callback runs in the client whose shutdown cancelled", ActionKind::kCallback, Applies::kCallbacks,
     [](const Step& s) { return s.action.client >= 0 && s.is(OpKind::kShutdown); }},
    {"a late callback runs in its adder", ActionKind::kCallback, Applies::kCallbacks,
     [](const Step& s) { return s.action.client >= 0 && s.is(OpKind::kAddCallback); }},
    {"a callback runs on a worker", ActionKind::kCallback, Applies::kCallbacks,
     [](const Step& s) { return s.action.client == kWorker; }},
    {"a callback runs on a worker while a shutdown waits for it", ActionKind::kCallback, Applies::kCallbacks,
     [](const Step& s) {
       return s.action.client == kWorker && s.another([](const ClientState& in) {
         return in.phase == OpPhase::kEffective && in.operation.kind == OpKind::kShutdown && in.operation.wait;
       });
     }},
    {"a callback is added while its call is being cancelled", ActionKind::kEffect, Applies::kCallbacks,
     [](const Step& s) {
       return s.is(OpKind::kAddCallback) && s.another_waits_to(OpKind::kCancel, s.operation().call);
     }},
    {"a result returns before a callback has run", ActionKind::kReturn, Applies::kCallbacks,
     [](const Step& s) {
       return s.is(OpKind::kResult) &&
              std::any_of(s.before.callbacks.begin(), s.before.callbacks.end(), [&](const CallbackState& callback) {
                return callback.phase == CallbackPhase::kDue && callback.call == s.operation().call;
              });
     }},
    {"a callback runs and another of the same call is next", ActionKind::kCallback, Applies::kTwoCallbacks,
     [](const Step& s) {
       return std::any_of(s.before.callbacks.begin(), s.before.callbacks.end(), [&](const CallbackState& callback) {
         return callback.call == s.action.call && callback.ahead > 0;
       });
     }},
    {"a late callback runs before an earlier one", ActionKind::kCallback, Applies::kTwoCallbacks,
     [](const Step& s) {
       return s.before.callbacks[s.action.operation.registration].late &&
              std::any_of(s.before.callbacks.begin(), s.before.callbacks.end(), [&](const CallbackState& callback) {
                return callback.call == s.action.call && callback.phase == CallbackPhase::kDue && !callback.late;
              });
     }},
    // Waiting for several, and maps.
    {"a wait for the first returns, one of two done", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) {
       return s.is(OpKind::kWait) && s.operation().when == ReturnWhen::kFirstCompleted &&
              static_cast<CallSet>(s.action.reply.value) != s.operation().calls && s.action.reply.value != 0;
     }},
    {"a wait for an exception passes over a call that is cancelled", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) {
       return s.is(OpKind::kWait) && s.operation().when == ReturnWhen::kFirstException &&
              static_cast<CallSet>(s.action.reply.value) == s.operation().calls && s.any_call_is(Phase::kCancelled);
     }},
    {"a wait for an exception ends at one", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) {
       return s.is(OpKind::kWait) && s.operation().when == ReturnWhen::kFirstException &&
              static_cast<CallSet>(s.action.reply.value) != s.operation().calls;
     }},
    {"a wait ends by a cancel", ActionKind::kEffect, Applies::kWaits,
     [](const Step& s) {
       return s.is(OpKind::kCancel) && s.cancels(s.operation().call) && s.another_waits_to(OpKind::kWait);
     }},
    {"as_completed runs out of time", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) { return s.is(OpKind::kNext) && s.action.reply.kind == ReplyKind::kTimeout; }},
    {"as_completed yields what was done before, another being done by now", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) {
       const ClientState& in = *find_client(s.before, s.action.client);
       return s.is(OpKind::kNext) && in.due != 0 && in.due != in.operation.calls &&
              std::all_of(s.before.calls.begin(), s.before.calls.end(), [](const CallState& call) {
                return call.phase == Phase::kFinished || call.phase == Phase::kCancelled ||
                       call.phase == Phase::kAbsent;
              });
     }},
    {"a map ends at an error and cancels what is pending", ActionKind::kDrainStep, Applies::kMapsThatEnd,
     [](const Step& s) { return s.is(OpKind::kResult); }},
    {"a map ends at an error and another of its calls is running", ActionKind::kEffect, Applies::kMapsThatEnd,
     [](const Step& s) { return s.is(OpKind::kResult) && s.any_call_is(Phase::kStarted); }},
    {"a map is refused halfway and cancels", ActionKind::kDrainStep, Applies::kWaits,
     [](const Step& s) { return s.is(OpKind::kSubmit); }},
    {"a map is let go and loses a call to a claim", ActionKind::kClaim, Applies::kWaits,
     [](const Step& s) {
       return s.another([](const ClientState& in) {
         return in.phase == OpPhase::kDraining && in.operation.kind == OpKind::kAbandon;
       });
     }},
    {"two maps with one call are let go at once", ActionKind::kDrainStep, Applies::kWaits,
     [](const Step& s) { return s.is(OpKind::kAbandon) && s.another_drains(); }},
    // The destructor.
    {"the destructor waits for what is pending", ActionKind::kEffect, Applies::kWaits,
     [](const Step& s) { return s.is(OpKind::kDestroy) && s.any_call_is(Phase::kPending) && !s.before.left_alone; }},
    {"the destructor returns after a shutdown without wait, a call running", ActionKind::kReturn, Applies::kWaits,
     [](const Step& s) { return s.is(OpKind::kDestroy) && s.any_call_is(Phase::kStarted); }},
    // Bodies.
    {"a body submits", ActionKind::kEffect, Applies::kBodies,
     [](const Step& s) { return s.by_body() && s.is(OpKind::kSubmit) && s.before.intake_open; }},
    {"a body submits while the executor drains, and is refused", ActionKind::kEffect, Applies::kBodies,
     [](const Step& s) { return s.by_body() && s.is(OpKind::kSubmit) && !s.before.intake_open; }},
    {"a body submits in the middle of a stepwise drain", ActionKind::kEffect, Applies::kStepwiseBodies,
     [](const Step& s) { return s.by_body() && s.is(OpKind::kSubmit) && s.another_drains(); }},
    {"a body cancels another call", ActionKind::kEffect, Applies::kBodies,
     [](const Step& s) { return s.by_body() && s.is(OpKind::kCancel) && s.cancels(s.operation().call); }},
    {"a body is refused to cancel itself", ActionKind::kEffect, Applies::kBodies,
     [](const Step& s) {
       return s.by_body() && s.is(OpKind::kCancel) && s.operation().call == call_of_body(s.action.client);
     }},
    {"a body shuts down without wait", ActionKind::kReturn, Applies::kBodies,
     [](const Step& s) { return s.by_body() && s.is(OpKind::kShutdown) && s.action.reply.kind == ReplyKind::kOk; }},
    {"a body's shutdown with wait is refused", ActionKind::kReturn, Applies::kBodies,
     [](const Step& s) { return s.action.reply.kind == ReplyKind::kDeadlockError; }},
    {"a body's refused shutdown has cancelled a call", ActionKind::kReturn, Applies::kBodies,
     [](const Step& s) {
       return s.action.reply.kind == ReplyKind::kDeadlockError && s.operation().cancel_futures &&
              s.any_call_is(Phase::kCancelled);
     }},
    {"two bodies shut down with wait at once", ActionKind::kReturn, Applies::kBodies,
     [](const Step& s) {
       return s.action.reply.kind == ReplyKind::kDeadlockError &&
              s.another([](const ClientState& in) { return in.reply.kind == ReplyKind::kDeadlockError; });
     }},
};

bool applies(const Scope& scope, Applies to) {
  const bool stepwise = scope.policy.drain == Drain::kStepwise;
  switch (to) {
    case Applies::kAlways:
      return true;
    case Applies::kTwoWorkers:
      return scope.policy.max_workers >= 2;
    case Applies::kFull:
      return scope.policy.max_workers >= 2 && scope.operations_max >= 4;
    case Applies::kWaits:
      return scope.waits;
    case Applies::kMapsThatEnd:
      return scope.waits && scope.policy.map_ends_at_error;
    case Applies::kStepwise:
      return stepwise;
    case Applies::kCallbacks:
      return scope.registrations > 0;
    case Applies::kTwoCallbacks:
      return scope.registrations > 1;
    case Applies::kBodies:
      return scope.bodies_act;
    case Applies::kStepwiseBodies:
      return scope.bodies_act && stepwise;
  }
  return false;
}

// Counts the steps at which each situation holds.
class Census {
 public:
  Census() {
    for (std::size_t i = 0; i < std::size(kSituations); ++i) {
      by_kind_[static_cast<std::size_t>(kSituations[i].kind)].push_back(i);
    }
  }

  void count(const Step& step) {
    for (const std::size_t i : by_kind_[static_cast<std::size_t>(step.action.kind)]) {
      if (kSituations[i].holds(step)) ++counts_[i];
    }
  }

  void report(const Scope& scope) const {
    for (std::size_t i = 0; i < std::size(kSituations); ++i) {
      if (!applies(scope, kSituations[i].applies)) continue;
      std::printf("  %9zu  %s\n", counts_[i], kSituations[i].name);
      EXPECT_GT(counts_[i], 0u) << "never met: " << kSituations[i].name;
    }
  }

 private:
  std::array<std::vector<std::size_t>, static_cast<std::size_t>(ActionKind::kFinish) + 1> by_kind_;
  std::array<std::size_t, std::size(kSituations)> counts_ = {};
};

std::string name_of(const Scope& scope) {
  return absl::StrCat(scope.policy.start_order == StartOrder::kFifo ? "Fifo" : "Any",
                      scope.policy.drain == Drain::kAtomic ? "Atomic" : "Stepwise", "Workers", scope.policy.max_workers,
                      scope.bodies_act ? "BodiesAct" : "", scope.waits ? "Waits" : "",
                      scope.policy.map_ends_at_error ? "MapsThatEnd" : "");
}

std::vector<Scope> scopes() {
  std::vector<Scope> all;
  for (const int workers : {1, 2}) {
    for (const StartOrder order : {StartOrder::kFifo, StartOrder::kAny}) {
      for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
        all.push_back({.policy = {.max_workers = workers, .start_order = order, .drain = drain},
                       .registrations = workers == 1 ? 2 : 1});
      }
    }
  }
  for (const Drain drain : {Drain::kAtomic, Drain::kStepwise}) {
    all.push_back({.policy = {.max_workers = 2, .drain = drain}, .bodies_act = true});
  }
  for (const int workers : {1, 2}) {
    all.push_back({.policy = {.max_workers = workers, .drain = Drain::kStepwise, .map_ends_at_error = workers == 2},
                   .operations_max = 3,
                   .waits = true});
  }
  return all;
}

class ModelExploration : public testing::TestWithParam<Scope> {};

TEST_P(ModelExploration, EveryStateKeepsTheLawsAndLeadsToAnEnd) {
  Census census;
  const Exploration found = explore(GetParam(), [&](const State& before, const Action& action, const State& after) {
    census.count({before, action, after});
  });
  EXPECT_EQ(found.violation, "");
  std::printf("%s: %zu states, %zu steps, %zu endings; how often each situation was met:\n",
              name_of(GetParam()).c_str(), found.states, found.steps, found.endings);
  census.report(GetParam());
}

// The policies that stand for CPython's process pool: the laws that they leave hold, and what they are for comes about.
TEST(PythonsProcesses, KeepTheOtherLawsAndLeadToAnEnd) {
  const Scope scope{.policy = {.drain = Drain::kStepwise,
                               .bodies_act = false,
                               .claims_ahead = 1,
                               .shutdown_cancels_itself = false,
                               .later_shutdown_waits = false},
                    .operations_max = 3,
                    .registrations = 1};
  std::map<std::string_view, int> met;
  const Exploration found = explore(scope, [&](const State& before, const Action& action, const State& after) {
    const Step step{before, action, after};
    const bool shuts_down = action.kind == ActionKind::kEffect && step.is(OpKind::kShutdown);
    met["a call is claimed while another one runs"] += action.kind == ActionKind::kClaim && count_started(before) == 1;
    met["a note is followed"] += action.kind == ActionKind::kDrainStep && action.client == kWorker;
    met["a note is taken away"] += shuts_down && before.note == CancelNote::kLeft && after.note == CancelNote::kNone;
    met["a shutdown returns before the calls are done"] += action.kind == ActionKind::kReturn &&
                                                           step.is(OpKind::kShutdown) && before.left_alone &&
                                                           step.any_call_is(Phase::kStarted);
  });
  EXPECT_EQ(found.violation, "");
  EXPECT_EQ(met.size(), 4u);
  for (const auto& [what, times] : met) EXPECT_GT(times, 0) << "never met: " << what;
  std::printf("%zu states, %zu steps, %zu endings\n", found.states, found.steps, found.endings);
}

// The policy that stands for our process pool.
TEST(OutcomesTravel, KeepTheLawsAndLeadToAnEnd) {
  for (const int workers : {1, 2}) {
    const Scope scope{
        .policy = {.max_workers = workers, .drain = Drain::kStepwise, .bodies_act = false, .outcomes_travel = true},
        .operations_max = 3,
        .registrations = 1};
    std::map<std::string_view, int> met;
    const Exploration found = explore(scope, [&](const State& before, const Action& action, const State&) {
      const int ended = count_occupied(before) - count_under_way(before);
      met["more calls show as running than there are workers"] +=
          action.kind == ActionKind::kBodyStart && ended + count_started(before) >= workers;
      met["a callback is added to a call whose outcome travels while another one runs"] +=
          action.kind == ActionKind::kEffect && Step{before, action, before}.is(OpKind::kAddCallback) && ended > 0 &&
          count_started(before) > 0;
      met["two outcomes travel"] += action.kind == ActionKind::kFinish && ended == 2;
    });
    EXPECT_EQ(found.violation, "");
    EXPECT_EQ(met.size(), 3u);
    for (const auto& [what, times] : met) EXPECT_GT(times, 0) << "never met: " << what;
    std::printf("%d workers: %zu states, %zu steps, %zu endings\n", workers, found.states, found.steps, found.endings);
  }
}

INSTANTIATE_TEST_SUITE_P(Scopes, ModelExploration, testing::ValuesIn(scopes()),
                         [](const testing::TestParamInfo<Scope>& info) { return name_of(info.param); });

}  // namespace
}  // namespace futures::model
