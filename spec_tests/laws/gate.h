// What holds the threads of a check in order: gates and counts, never sleeps. Every wait has an end, so that a check of
// a broken executor reports a violation and does not hang.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GATE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GATE_H_

#include <functional>
#include <string>

#include "futures/encoding/encoding.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/shared_number.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {

// A number that calls and threads add to and wait for. Copies share it, and travel to other processes of the program: a
// call gets one as an argument.
class SharedCount {
 public:
  SharedCount() : number_(SharedNumber::create()) {}

  // Returns the new value.
  int add(int n = 1) const { return number_.add(n); }
  int value() const { return number_.value(); }
  // Waits until the value is at least `n`. Returns whether it is.
  bool reaches(int n, std::chrono::milliseconds patience = kPatience) const { return number_.reaches(n, patience); }

 private:
  SharedNumber number_;
};

// Stops the calls that pass through it until it is opened, at the latest when it is destroyed. Declare it after the
// executor: then it is open when the executor's destructor waits.
//
//   Gate gate;
//   Future<void> f = executor->submit(pass, gate.entrance());
//   gate.await_arrivals(1);   // now the call is running
//   gate.open();
class Gate {
 public:
  // The side of the bodies. Copies are on the same gate, may outlive it, and travel.
  class Entrance {
   public:
    // Of no gate: open.
    Entrance() = default;

    // Counts an arrival, then waits until the gate is open.
    void pass() const;

   private:
    friend class Gate;
    Entrance(SharedNumber arrived, SharedNumber opened) : arrived_(arrived), opened_(opened) {}
    SharedNumber arrived_;
    SharedNumber opened_;
  };

  Gate() : entrance_(SharedNumber::create(), SharedNumber::create()) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { open(); }

  Entrance entrance() const { return entrance_; }
  void open() const { entrance_.opened_.add(1); }

  // How many have arrived so far, whether or not they have passed.
  int arrived() const { return entrance_.arrived_.value(); }
  // Waits until `n` have arrived. Returns whether they have.
  bool await_arrivals(int n, std::chrono::milliseconds patience = kPatience) const {
    return entrance_.arrived_.reaches(n, patience);
  }

 private:
  const Entrance entrance_;
};

// A call that does nothing else.
inline void pass(const Gate::Entrance& at) { at.pass(); }

// A thread of the check for what might block for ever. If the body has not ended when this is destroyed, it gets the
// patience to do so, then that is a violation, and the thread is left alone: the body must hold all that it uses.
class WatchedThread {
 public:
  // `what` is the promise that the body ends.
  WatchedThread(const LawRun& run, std::string what, std::function<void()> body);
  WatchedThread(const WatchedThread&) = delete;
  WatchedThread& operator=(const WatchedThread&) = delete;
  ~WatchedThread();

  bool has_ended() const { return ended_.value() > 0; }
  // Waits for the end. Returns whether it came. Once it did not, later waits are short.
  bool ends() const;

  // Waits until the thread sleeps, blocked in the kernel, or its body has ended. Returns whether it sleeps.
  bool falls_asleep() const;

 private:
  const LawRun run_;
  const std::string what_;
  const SharedCount started_;  // The kernel's number of the thread.
  const SharedCount ended_;
  mutable sync::atomic<bool> overdue_{false};
  sync::thread thread_;
};

}  // namespace futures::spec_tests

namespace futures {

// So that a call gets them without making any of its own first.
template <>
inline constexpr bool travels_bitwise<spec_tests::SharedCount> = true;
template <>
inline constexpr bool travels_bitwise<spec_tests::Gate::Entrance> = true;

}  // namespace futures

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GATE_H_
