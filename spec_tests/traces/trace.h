// A trace: a list of operations by numbered clients, as data. It is what every tool reads and writes: property tests,
// fuzzers, replay, bug reports. It can be run on any executor and in the model.
//
// Text form, one operation per line, `#` starts a comment:
//
// clang-format off
//
//   workers 2
//   clients 2
//   0 submit c0 { gate g0; return 7 }
//   1 submit c1 { submit c2 { throw 3 }; cancel c2; poll c0; callback c0; shutdown nowait; return 1 }
//   0 cancel c1
//   1 callback c0          # a done callback; callbacks are numbered r0, r1, ... in the order of the text
//   0 poll c0              # result with timeout 0
//   1 result c0            # result, waits
//   0 release g0
//   1 wait first c0 c1       # `all`, `first` or `exception`, then `poll` (timeout 0) or nothing, then calls
//   1 as_completed poll c0   # `poll` or nothing, then calls; goes on to the end
//   1 map { submit c3 { return 1 }; submit c4 { throw 2 }; take 1 }  # two inputs; takes one result, lets go of the map
//   0 shutdown wait cancel   # `wait` or `nowait`, then `cancel` or nothing
//   0 destroy                # the executor's destructor
//
// clang-format on
//
// For a simulated executor a line `schedule 12:1 40:2` may stand before the first operation: which option the run takes
// at which of its choices (spec_tests/simulator/schedule.h).
//
// Calls are numbered c0, c1, ... in the order in which their `submit` stands in the text, nested ones too. A body is a
// list of statements that ends with `return N` or `throw N`. The calls of a map have no future that anybody could name.
// After the last line every trace has the same epilogue: all gates are released, every client finishes, and the
// executor is shut down with wait, unless it was destroyed.
//
// An operation is skipped, on every executor alike, where it makes no sense: its client is still busy with an earlier
// one, it names a call that was not submitted (yet, or because submit was refused), it needs an executor that has been
// destroyed, or it would destroy one that somebody is in. Of the calls that wait and as_completed name, those without a
// future are left out.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "spec_tests/simulator/schedule.h"

namespace futures::spec_tests {

inline constexpr int kTraceWorkersMax = 4;  // More adds states to the model and finds nothing that four do not.
inline constexpr int kClientsMax = 4;
inline constexpr int kGatesMax = 4;
inline constexpr int kCallsMax = 16;  // Bounds the model's states, and the threads' time, per trace.
inline constexpr int kStepsMax = 32;
inline constexpr int kBodyStatementsMax = 6;
inline constexpr int kNestingMax = 3;  // Bodies in bodies; the body of a step's own submit counts as one.
inline constexpr int kDeviationsMax = 512;
inline constexpr int kChoiceMax = 20'000;  // The last choice of a run that a schedule can name.
inline constexpr int kOptionMax = 100;
inline constexpr int kValueMax = 99;  // What a body returns, or the number of the exception it throws.

enum class Verb : std::uint8_t {
  kSubmit,  // call, body
  kCancel,  // call
  kResult,  // call; clients only: a body never waits for a call
  kPoll,  // call
  kCallback,  // call, registration
  kShutdown,  // wait, cancel_futures; in a body too, law S7
  kRelease,  // gate; clients only: opens it, for good
  kGate,  // gate; bodies only: waits until it is released
  kWait,  // calls, wait_for, poll; clients only
  kAsCompleted,  // calls, poll; clients only
  kMap,  // body: a submit for each input, and how many results are taken; clients only
  kDestroy,  // clients only: nobody may be in the executor
};

enum class WaitFor : std::uint8_t { kAll, kFirst, kException };

struct Body;

struct Statement {
  Verb verb = Verb::kPoll;
  int call = -1;
  int registration = -1;
  int gate = -1;
  bool wait = false;
  bool cancel_futures = false;
  std::uint16_t calls = 0;  // Bit k: call k.
  WaitFor wait_for = WaitFor::kAll;
  bool poll = false;
  std::vector<Body>
      body;  // kSubmit: exactly one. kMap: one of submits alone, whose value is how many results are taken.

  friend bool operator==(const Statement&, const Statement&) = default;
};

struct Body {
  std::vector<Statement> statements;
  bool throws = false;
  int value = 0;  // Returned, or the number of the exception thrown. 0 to kValueMax.

  friend bool operator==(const Body&, const Body&) = default;
};

struct Step {
  int client = 0;
  Statement statement;

  friend bool operator==(const Step&, const Step&) = default;
};

struct Trace {
  int workers = 1;
  int clients = 1;
  simulator::Schedule schedule;  // For a simulated executor. Real threads do as they like.
  std::vector<Step> steps;

  friend bool operator==(const Trace&, const Trace&) = default;
};

// The text form. parse_trace(to_text(t)) == t for every normalised trace.
std::string to_text(const Trace& trace);
std::string to_text(const Statement& statement);
std::ostream& operator<<(std::ostream& out, const Trace& trace);  // The text form, for failure messages.

// Reads the text form. InvalidArgument names the line and the reason: unknown word, number out of range, calls out of
// order, a gate or call out of bounds, a body without end.
absl::StatusOr<Trace> parse_trace(std::string_view text);

// Decodes any bytes to a valid, normalised trace; the empty string gives the smallest one. Total, deterministic.
Trace decode_trace(absl::Span<const std::uint8_t> bytes);

// Bytes that decode to `trace`: decode_trace(encode_trace(t)) == t for every normalised trace.
std::vector<std::uint8_t> encode_trace(const Trace& trace);

// Numbers calls and callbacks in the order of the text, maps the references of removed ones to remaining ones or drops
// the statement, and clamps every number into its bounds. Shrinking edits freely and then normalises.
Trace normalised(Trace trace);

// How many calls and callbacks the trace has, nested ones included.
int count_calls(const Trace& trace);
int count_registrations(const Trace& trace);

// Every submit statement of the trace in order: result[k] is the body of call k. Pointers into `trace`.
std::vector<const Body*> bodies_of(const Trace& trace);

// The calls that maps submit, bit k for call k: those without a future that can be named.
std::uint16_t mapped_calls(const Trace& trace);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_H_
