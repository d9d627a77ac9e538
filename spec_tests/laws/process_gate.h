// A gate for calls that run in other processes: what Gate is for threads, named by a number that travels as an argument.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_PROCESS_GATE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_PROCESS_GATE_H_

#include <atomic>
#include <cstdint>

namespace futures::spec_tests {

// Stops the calls that pass through it until it is opened, at the latest when it is destroyed. Declare it after the
// executor: then it is open when the executor's destructor waits.
//
//   ProcessGate gate;
//   Future<int> f = executor->submit(&ProcessGate::pass, gate.name());
//   gate.await_arrivals(1);   // now the call is running
//   gate.open();
class ProcessGate {
 public:
  // Throws std::system_error where there is no memory to share.
  ProcessGate();
  ProcessGate(const ProcessGate&) = delete;
  ProcessGate& operator=(const ProcessGate&) = delete;
  ~ProcessGate();

  std::uint64_t name() const;

  // The side of the bodies, in any process. Counts an arrival; pass then waits until the gate is open. They return 1, or 0
  // if there is no such gate any more.
  static int pass(std::uint64_t name);
  static int arrive(std::uint64_t name);

  void open();
  int arrived() const;
  // Waits until `n` have arrived. Returns whether they have.
  bool await_arrivals(int n) const;

 private:
  struct Shared {
    std::atomic<std::uint32_t> opened{0};
    std::atomic<int> arrived{0};
  };
  static Shared* map(int descriptor);
  static int enter(std::uint64_t name, bool waits);

  int descriptor_ = -1;
  Shared* shared_ = nullptr;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_PROCESS_GATE_H_
