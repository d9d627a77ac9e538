// An executor under test, as the checkers drive it: C++ executors on real threads and CPython in a child process alike.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_TRACE_PLAYER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_TRACE_PLAYER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "reference/model.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// What can be seen of an executor from outside, at one moment.
struct Observation {
  std::vector<model::Visible> calls;  // By call of the trace; kAbsent until its submit has returned a future.
  std::vector<model::Reply> outcomes;  // By call; of finished ones: kValue, kError or kBroken. Otherwise kNone.
  std::vector<bool> started;  // By call: its body has begun.
  std::vector<bool> busy;  // By client: inside an operation.
  std::vector<model::Reply> replies;  // By client: the reply of its last returned operation.
  std::vector<bool> callbacks_ran;  // By registration.

  friend bool operator==(const Observation&, const Observation&) = default;
};

std::string to_string(const Observation& observation);

// Runs traces on one candidate. Driven by one thread; not thread-safe.
//
// One trace is one episode: begin, issue once per step, observe at will, finish. Every event of the episode is recorded
// in an order consistent with real time: an invoke before the interface is called, a return after it has returned, a
// body start as the first and a body end as the last thing a body does.
class TracePlayer {
 public:
  virtual ~TracePlayer() = default;

  virtual const std::string& name() const = 0;

  // What the executor promises for a trace with `workers`; the model is run with this.
  virtual model::Policy policy(int workers) const = 0;

  // Makes a fresh executor with the trace's number of workers, and its clients. Unavailable where the executor cannot
  // run on this machine (no python3).
  virtual absl::Status begin(const Trace& trace) = 0;

  // Hands step `index` of the trace to its client and returns at once. Gates are released before it returns.
  virtual absl::Status issue(int index) = 0;

  virtual Observation observe() = 0;

  // The epilogue: releases all gates, lets every client finish, shuts the executor down with wait, destroys it. Returns
  // DeadlineExceeded, naming what is stuck, if that takes longer than the player's patience (the executor is then
  // leaked).
  virtual absl::Status finish() = 0;

  // The events so far, in order. Complete after finish.
  virtual std::vector<model::Event> history() = 0;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_TRACE_PLAYER_H_
