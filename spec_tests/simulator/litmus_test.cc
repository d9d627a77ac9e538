// Litmus tests have in the simulator the outcomes that the memory model allows. herd7_test compares the model with
// herd7.
#include "spec_tests/simulator/litmus.h"

#include <array>
#include <cstddef>
#include <functional>
#include <iostream>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "spec_tests/simulator/litmus_tests.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

int execute(const Instruction& next, sync::atomic<int>& on, bool& succeeded) {
  switch (next.kind) {
    case Instruction::Kind::kLoad:
      return on.load(next.order);
    case Instruction::Kind::kStore:
      on.store(next.value, next.order);
      return 0;
    case Instruction::Kind::kFetchAdd:
      return on.fetch_add(next.value, next.order);
    case Instruction::Kind::kExchange:
      return on.exchange(next.value, next.order);
    case Instruction::Kind::kCompareExchange: {
      int expected = next.expected;
      succeeded = on.compare_exchange_strong(expected, next.value, next.order, failure_order(next.order));
      return expected;
    }
    case Instruction::Kind::kFence:
      sync::atomic_thread_fence(next.order);
      return 0;
  }
  return 0;
}

Outcomes simulated_outcomes(const Litmus& litmus, long& schedules) {
  std::set<std::pair<Observation, std::vector<int>>> seen;  // Texts of each run would take most of the time.
  const auto program = [&] {
    std::array<sync::atomic<int>, 4> locations;
    Observation observation(litmus);
    std::vector<std::function<void()>> threads;
    for (std::size_t t = 0; t < litmus.threads.size(); ++t) {
      threads.push_back([&, t] {
        for (std::size_t at = 0; at < litmus.threads[t].size(); ++at) {
          const Instruction& next = litmus.threads[t][at];
          bool succeeded = false;
          observation.read[t][at] = execute(next, locations[static_cast<std::size_t>(next.location)], succeeded);
          observation.succeeded[t][at] = succeeded;
        }
      });
    }
    together(std::move(threads));
    std::vector<int> last_values;
    for (int i = 0; i < location_count(litmus); ++i) {
      last_values.push_back(locations[static_cast<std::size_t>(i)].load(std::memory_order_relaxed));
    }
    seen.insert({std::move(observation), std::move(last_values)});
  };
  const Exploration explored =
      explore("litmus", program, Exhaustive({.preemptions = 100, .faults = 0, .reorderings = 100}), {}, Memory::kWeak);
  EXPECT_TRUE(explored.ok()) << to_text(litmus) << explored.report();
  schedules += explored.schedules;
  Outcomes outcomes;
  for (const auto& [observation, last_values] : seen) outcomes.insert(observation.to_text(litmus, last_values));
  return outcomes;
}

// What a test costs: the simulator tries every interleaving.
bool is_small(const Litmus& litmus) {
  std::size_t operations = litmus.threads.size();  // Their ends, too.
  for (const auto& thread : litmus.threads) operations += thread.size();
  return operations <= (litmus.threads.size() == 2 ? 9 : 8);
}

TEST(Litmus, OutcomesInTheSimulatorAreThoseOfTheModel) {
  std::vector<Litmus> all = particular_programs();
  for (const Litmus& litmus : shapes(1, 7)) all.push_back(litmus);
  for (const Litmus& litmus : random_programs(30, 7)) all.push_back(litmus);
  int programs = 0;
  long schedules = 0;
  for (const Litmus& litmus : all) {
    if (!is_small(litmus)) continue;
    ++programs;
    EXPECT_EQ(simulated_outcomes(litmus, schedules), model_outcomes(litmus)) << to_text(litmus);
  }
  EXPECT_GT(programs, 50);
  std::cout << programs << " programs, " << schedules << " schedules\n";
}

}  // namespace
}  // namespace futures::simulator
