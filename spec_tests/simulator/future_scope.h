// Every small program on one Promise and its Future, without an executor: two clients, each with a few operations.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_SCOPE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_SCOPE_H_

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "spec_tests/simulator/future_model.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::simulator {

// What each client does, in order.
using FutureScript = std::array<std::vector<FutureOperation>, 2>;

std::string to_text(const FutureScript& script);

// Calls visit(script) for each one with at most so many operations of each client and of both. Of two that differ in
// who is which client, one.
void visit_future_scripts(int operations_per_client, int operations_in_all,
                          const std::function<void(const FutureScript&)>& visit);

// A script as a program of the simulator. When all rest the promise is dropped, so that nobody waits for ever; a client
// that has operations of the promise left does not do them. The history is judged by the machine of future_model.h.
class FutureProgram {
 public:
  explicit FutureProgram(FutureScript script) : script_(std::move(script)) {}
  FutureProgram(const FutureProgram&) = delete;
  FutureProgram& operator=(const FutureProgram&) = delete;

  // For explore. Refers to this object.
  Program program();
  // Those that the runs had so far, as bytes.
  const absl::flat_hash_set<std::string>& histories() const { return known_good_; }

 private:
  class Play;

  std::optional<Program::Verdict> judge();

  const FutureScript script_;
  std::vector<FutureEvent> history_;  // Of the last run.
  std::string key_;
  absl::flat_hash_set<std::string> known_good_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_SCOPE_H_
