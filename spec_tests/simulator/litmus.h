// Litmus tests: programs of a few atomic operations, and the set of their outcomes. One description of a program is
// printed for herd7, is run on MemoryModel alone, and is run in the simulator.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_H_

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "spec_tests/simulator/memory_model.h"

namespace futures::simulator {

struct Instruction {
  enum class Kind : std::uint8_t { kLoad, kStore, kFetchAdd, kExchange, kCompareExchange, kFence };
  Kind kind;
  std::memory_order order;
  int location = 0;
  int value = 1;  // What is stored or added.
  int expected = 0;  // Of a compare_exchange. Its order of failure is the strongest that `order` allows.
};

// All locations are 0 at the beginning. The names of programs that herd7 is asked about at once must differ.
struct Litmus {
  std::string name;
  std::vector<std::vector<Instruction>> threads;
};

// One outcome: what each thread has read and the last value of each location, as "0:r1=0; [x]=1;", sorted. "0:r1" is
// what instruction 1 of thread 0 has read; of a compare_exchange "0:s1" whether it has succeeded.
using Outcomes = std::set<std::string>;

std::string to_text(const Litmus& litmus);
// The order in which a compare_exchange loads when it fails.
std::memory_order failure_order(std::memory_order order);
int location_count(const Litmus& litmus);

// What a run of a litmus test has seen.
struct Observation {
  explicit Observation(const Litmus& litmus);
  std::string to_text(const Litmus& litmus, const std::vector<int>& last_values) const;
  std::vector<std::vector<int>> read;  // By thread and instruction.
  std::vector<std::vector<bool>> succeeded;  // Of a compare_exchange.
  friend auto operator<=>(const Observation&, const Observation&) = default;
};

// Every outcome that the model allows. If a graph of operations leaves other choices when it is built in another order,
// one outcome is a text that says so.
Outcomes model_outcomes(const Litmus& litmus, MemoryModel::Mistake mistake = MemoryModel::Mistake::kNone);

// The program in the C dialect of herd7.
std::string to_herd(const Litmus& litmus);
// The outcomes of each test in what herd7 prints, by the name of the test.
std::map<std::string, Outcomes> parse_herd(const std::string& output);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_H_
