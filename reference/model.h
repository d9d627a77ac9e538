// The model: what an executor may do, as a transition system over plain values.
//
// This is the definition of submit, cancel and shutdown. It has no threads, no clocks and no futures; it shares no code
// with the executors or with futures/, so it can judge both. Everything else in the project is checked against it:
//   - explored exhaustively over small scopes, the laws hold in every state (model_exploration_test);
//   - a history recorded from real threads is one of its paths, or the executor is wrong (acceptor.h);
//   - the visible state of a real executor, once quiet, is one that the model reaches (spec_tests/judges/world.h).
//
// The life of a call:
//
//   kAbsent --submit--> kPending --take--> kTaken --claim--> kClaimed --body start--> kStarted --body end--> kEnded
//                          |                  |                                          |               finish |
//                          +------ cancel ----+--> kCancelled                            +-death-> kFinished <--+
//
// A future shows kPending and kTaken as pending, and kClaimed to kEnded as running. A call holds a worker from kTaken
// until it is finished, or only until kEnded where outcomes travel. When a worker's death breaks the pool
// (OnDeath::kBreakPool), every call that is not done goes to kFinished at once, wherever it was.
//
// Actions are external or internal. An external one is seen by a client, and is in recorded histories. An internal
// one is never seen. A client does one operation at a time: it invokes it, the operation takes effect (internal), it
// returns. Clients 0, 1, ... are threads of the program. While the body of call k runs it is a client, too:
// `body_client(k)`.
//
// result and poll have no effect of their own. A result returns once its call is done, and a call that is done stays
// so. A poll may time out if its call was not done when it was invoked. It returns as a result does if the call is
// done when it returns. wait and next are alike: they must report what was done when they were invoked, and may
// report what got done since.
//
// A map is a row of operations of its client: a submit for each input, a result for each item, and an abandon where the
// range is destroyed before its end. Its submits carry the calls that the map lets go of if they are refused; where a
// map ends at an error (Policy::map_ends_at_error), so do its results.
#ifndef CONCURRENT_FUTURES_REFERENCE_MODEL_H_
#define CONCURRENT_FUTURES_REFERENCE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace futures::model {

// A set of calls, a bit for each: bit 0 is call 0. Only the first sixteen calls can be in one.
using CallSet = std::uint16_t;
// A call is named by its index in State::calls: 0, 1, ... in the order of the trace that submits them.
using Call = std::int8_t;
// A client is named by its index; the body of call k is client kFirstBodyClient + k.
using Client = std::int8_t;

inline constexpr Client kFirstBodyClient = 64;
inline constexpr Client kWorker = -1;  // Where a callback ran: on a thread of the executor, outside any body.
inline constexpr Call kNoCall = -1;
inline constexpr int kModelCallsMax = 64;  // What body_client can name in eight bits.
inline constexpr int kCallSetMax = 16;
inline constexpr int kModelClientsMax = 64;
inline constexpr int kModelRegistrationsMax = 127;

constexpr CallSet set_of(Call call) {
  return call >= 0 && call < kCallSetMax ? static_cast<CallSet>(1u << call) : CallSet{0};
}
constexpr bool is_in(CallSet calls, Call call) { return (calls & set_of(call)) != 0; }

constexpr Client body_client(Call call) { return static_cast<Client>(kFirstBodyClient + call); }
constexpr bool is_body_client(Client client) { return client >= kFirstBodyClient; }
constexpr Call call_of_body(Client client) { return static_cast<Call>(client - kFirstBodyClient); }

enum class StartOrder : std::uint8_t { kFifo, kAny };  // Law E5.
enum class Drain : std::uint8_t { kAtomic, kStepwise };  // How shutdown cancels: all in one step, or one by one.
enum class OnDeath : std::uint8_t { kFailCall, kBreakPool };  // Law P5.

// What an executor states about itself. Constant over one exploration or history.
struct Policy {
  int max_workers = 1;
  StartOrder start_order = StartOrder::kFifo;
  Drain drain = Drain::kAtomic;
  OnDeath on_death = OnDeath::kFailCall;
  bool worker_death = false;  // Whether a body may end by the death of its worker.
  bool shutdown_cancels_taken = true;  // Law S3. False describes CPython: a taken call may still start.
  // Law S7: shutdown(wait) in a body closes the intake, cancels what cancel_futures asks for, then throws and waits for
  // nothing. False: it waits for its own call, for ever.
  bool self_shutdown_throws = true;
  // Whether a body may use the executor and the futures of the trace. False: it runs where there are none; it passes
  // gates, and its other statements do nothing (law P1).
  bool bodies_act = true;
  // Law S6: the destructor waits, unless a shutdown(wait = false) came before it. False: it waits always.
  bool destroy_respects_no_wait = true;
  // Law M4: a map that was never advanced is abandoned like any other. False: its calls stay.
  bool abandons_unadvanced_map = true;
  // Law M3: what a call of a map threw is its item's, and the map goes on. True: the map ends there and is abandoned.
  bool map_ends_at_error = false;
  // Law M7: if a submit of a map is refused, what it has submitted is cancelled. False: it stays.
  bool refused_map_cancels = true;
  // Law P1: a call is claimed once a worker has it. More: so many are claimed ahead of that, one after the other, into
  // a queue that workers take from.
  int claims_ahead = 0;
  // Law P1: a worker is free once its body has ended, and the outcome is on its way; those of one worker arrive in the
  // order in which they left. False: a worker is held until the call is done.
  bool outcomes_travel = false;
  // Law S3: a shutdown with cancel_futures cancels. False: it leaves a note to do so, which a later shutdown without
  // cancel_futures takes away, until the executor follows it on a thread of its own.
  bool shutdown_cancels_itself = true;
  // Law S5: a shutdown waits also after one without wait. False: it returns at once.
  bool later_shutdown_waits = true;
  // as_completed without time left yields what has got done since it was called. False: it may time out instead.
  bool ready_after_deadline = true;
  // Law W5: as_completed yields what was done when it was called before what got done since. False: what is done when
  // it looks, in any order.
  bool done_at_call_first = true;

  friend bool operator==(const Policy&, const Policy&) = default;
};

enum class OpKind : std::uint8_t {
  kNone,
  kSubmit,
  kCancel,
  kResult,
  kPoll,
  kAddCallback,
  kShutdown,
  kWait,  // futures::wait.
  kNext,  // One step of as_completed.
  kAbandon,  // A map is let go: what has not started of `calls` is cancelled, one by one.
  kDestroy,  // The executor's destructor.
};

enum class ReturnWhen : std::uint8_t { kAllCompleted, kFirstCompleted, kFirstException };

// One call of the interface.
struct Operation {
  OpKind kind = OpKind::kNone;
  Call call = kNoCall;  // kSubmit, kCancel, kResult (waits), kPoll (result with timeout 0), kAddCallback.
  std::int8_t registration = -1;  // kAddCallback: which of the trace's callbacks this is, counted over all of it.
  bool wait = false;  // kShutdown.
  bool cancel_futures = false;  // kShutdown.
  // kWait: those waited for. kNext: those not yet yielded. kAbandon: those let go. kSubmit of a map: those that are
  // cancelled, one by one, before it returns, if it is refused. kResult of a map, with map_ends_at_error: the same, if
  // it comes to anything but a value.
  CallSet calls = 0;
  ReturnWhen when = ReturnWhen::kAllCompleted;  // kWait.
  bool poll = false;  // kWait, kNext: with timeout 0.

  friend bool operator==(const Operation&, const Operation&) = default;
};

// How an operation, or a body, came out.
enum class ReplyKind : std::uint8_t {
  kNone,
  kOk,  // submit accepted, callback added, shutdown returned
  kTrue,  // cancel
  kFalse,  // cancel
  kValue,  // result or body: returned `value`
  kError,  // result or body: threw the test's exception number `value`
  kCancelled,  // result: CancelledError
  kTimeout,  // poll, next: TimeoutError
  kShutdownError,  // submit: intake is closed
  kDeadlockError,  // shutdown(wait) from a worker of the same executor
  kBroken,  // result: the worker died or the pool is broken
  kDone,  // wait: the calls of the set `value` (a CallSet's bits) are done; next: call number `value` is
};

struct Reply {
  ReplyKind kind = ReplyKind::kNone;
  std::int16_t value = 0;

  friend bool operator==(const Reply&, const Reply&) = default;
};

enum class ActionKind : std::uint8_t {
  // External: one of these per event of a history.
  kInvoke,  // client, operation
  kReturn,  // client, reply
  kBodyStart,  // call
  kBodyEnd,  // call, reply (kValue or kError)
  kCallback,  // call, operation.registration, client (where it ran; kWorker for a thread of the executor)
  kDeath,  // call: its worker died while the body ran
  // Internal.
  kEffect,  // client: its operation takes effect (a stepwise shutdown: closes the intake; a map's result: it ends the
  // map)
  kDrainStep,  // client, call: a stepwise shutdown, or a map that is let go, cancels one call; kWorker: the executor
  // does,
  // following a shutdown's note
  kTake,  // call leaves the queue
  kClaim,  // call: its future becomes running
  kFinish,  // call: its future becomes finished
};

struct Action {
  ActionKind kind = ActionKind::kInvoke;
  Client client = kWorker;
  Call call = kNoCall;
  Operation operation = {};
  Reply reply = {};

  friend bool operator==(const Action&, const Action&) = default;
};

// What a client sees and does; what a history consists of.
using Event = Action;

enum class Phase : std::uint8_t {
  kAbsent,
  kPending,
  kTaken,
  kClaimed,
  kStarted,
  kEnded,
  kFinished,
  kCancelled,
};

// What a future shows.
enum class Visible : std::uint8_t { kAbsent, kPending, kRunning, kFinished, kCancelled };

enum class CallbackPhase : std::uint8_t { kAbsent, kRegistered, kDue, kRan };

struct CallbackState {
  CallbackPhase phase = CallbackPhase::kAbsent;
  Call call = kNoCall;
  bool late = false;  // Added when the future was already done: runs in the adder's thread (law F9).
  Client runs_on = kWorker;  // Once due: the client in whose operation it runs, or kWorker.
  std::int8_t ahead = 0;  // How many callbacks of this call, registered earlier, must run first (law F8).

  friend bool operator==(const CallbackState&, const CallbackState&) = default;
};

struct CallState {
  Phase phase = Phase::kAbsent;
  Reply outcome = {};  // From kEnded on.
  std::uint8_t starts = 0;  // How often the body has started: law E2 says at most once.
  std::uint8_t ahead = 0;  // kEnded, where outcomes travel: how many calls of the same worker must be finished first.
                           // Known if there is one worker; of several the model does not say which ran what.

  friend bool operator==(const CallState&, const CallState&) = default;
};

// That what is pending is to be cancelled; only if shutdowns do not do it themselves.
enum class CancelNote : std::uint8_t { kNone, kLeft, kFollowed };

enum class OpPhase : std::uint8_t { kIdle, kInvoked, kDraining, kEffective };

struct ClientState {
  OpPhase phase = OpPhase::kIdle;
  Operation operation = {};
  Reply reply = {};  // Once effective or draining. A result, a wait, a next, and a poll that may still go both ways,
                     // stay kInvoked.
  CallSet due = 0;  // kWait, kNext: those of its calls that were done when it was invoked.

  friend bool operator==(const ClientState&, const ClientState&) = default;
};

// Fields that no longer matter have their default values, so that equal situations are equal states. The replies that a
// client has had are not part of it.
//
// The inlined sizes are those of the exploration: a copy of a small state allocates nothing.
struct State {
  bool intake_open = true;
  bool left_alone = false;  // A shutdown without wait has taken effect (law S6).
  bool broken = false;  // OnDeath::kBreakPool: a worker has died.
  CancelNote note = CancelNote::kNone;  // Until nothing is left that it is about.
  absl::InlinedVector<CallState, 3> calls;  // By Call; as long as the highest number seen needs.
  absl::InlinedVector<Call, 8> queue;  // Pending calls: kFifo: in the order of their submits' effects;
                                       // kAny: by number, since their order does not matter.
  absl::InlinedVector<ClientState, 2> clients;  // By Client, the program's threads.
  absl::InlinedVector<ClientState, 3> bodies;  // By Call: the body as a client. As long as `calls`.
  absl::InlinedVector<CallbackState, 3> callbacks;  // By registration; as long as the highest number seen needs.

  friend bool operator==(const State&, const State&) = default;
  // The same in every run and on every machine.
  friend std::uint64_t fingerprint(const State& state);
  template <typename H>
  friend H AbslHashValue(H h, const State& state) {
    return H::combine(std::move(h), fingerprint(state));
  }
};

std::uint64_t fingerprint(const State& state);

// The state before anything has happened, for `clients` threads of the program.
State initial_state(int clients);

// The state after `action`, or nothing if `action` cannot happen in `state`. Pure.
std::optional<State> step(const Policy& policy, const State& state, const Action& action);

// The internal actions that can happen in `state`.
std::vector<Action> internal_actions(const Policy& policy, const State& state);

// The external actions that the executor, not a client or a body, may show next in `state`: returns, body starts and
// callbacks. With internal_actions, and with bodies that end, it is all that happens once the clients fall silent.
std::vector<Action> executor_events(const Policy& policy, const State& state);

// The call's phase; kAbsent for one that `state` has not seen.
inline Phase phase_of(const State& state, Call call) {
  return call >= 0 && static_cast<std::size_t>(call) < state.calls.size() ? state.calls[call].phase : Phase::kAbsent;
}

// What the future of `call` shows in `state`.
Visible visible(const State& state, Call call);

// True once `call` is finished or cancelled.
inline bool is_done(const State& state, Call call) {
  const Phase phase = phase_of(state, call);
  return phase == Phase::kFinished || phase == Phase::kCancelled;
}

// What result() of a done call comes to: its outcome, or kCancelled. kNone if it is not done.
Reply result_of(const State& state, Call call);

// The client's part of the state; null for a client that `state` does not have.
const ClientState* find_client(const State& state, Client client);

// Every client of `state`: the program's threads, then the bodies that run.
std::vector<Client> clients_of(const State& state);

// Calls that are between leaving the queue and being done: each holds a worker, unless outcomes travel.
int count_occupied(const State& state);

// Calls that are between leaving the queue and the end of their bodies: where calls are claimed ahead, what is to go
// through the workers; where outcomes travel, each holds one.
int count_under_way(const State& state);

// Calls that hold a worker.
int count_holding(const Policy& policy, const State& state);

// Calls whose bodies run.
int count_started(const State& state);

// Whether a wait for `calls` may return once `done` of them are.
bool is_enough(const State& state, ReturnWhen when, CallSet calls, CallSet done);

// Whether a client that drains has to cancel `call`.
bool is_drained_by(const Policy& policy, const State& state, const ClientState& in, Call call);

// Whether a shutdown with cancel_futures still has to cancel `call` (law S3).
bool is_cancellable(const Policy& policy, const State& state, Call call);

// The safety laws as predicates on one state: the id of the first law that `state` breaks and a sentence, or nothing.
std::optional<std::string> broken_law(const Policy& policy, const State& state);

// The safety laws as predicates on one step, whoever made it: written from the laws, sharing nothing with `step`.
std::optional<std::string> broken_law(const Policy& policy, const State& before, const Action& action,
                                      const State& after);

// One line of text for reports.
std::string to_string(const Action& action);
std::string to_string(const Operation& operation);
std::string to_string(const Reply& reply);
std::string to_string(const State& state);

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_MODEL_H_
