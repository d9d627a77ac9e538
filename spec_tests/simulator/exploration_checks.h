// For tests of the simulator: a small program has a bug that the search must find, or has none.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXPLORATION_CHECKS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXPLORATION_CHECKS_H_

#include <functional>

#include "gtest/gtest.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::simulator {

// What the search finds must be found again along its schedule.
inline void expect_found(Finding::Kind kind, const std::function<void()>& program,
                         Exhaustive::Bounds bounds = {.preemptions = 1}, Limits limits = {}) {
  const Exploration found = explore("program", program, Exhaustive(bounds), limits);
  ASSERT_FALSE(found.ok()) << found.report();
  EXPECT_EQ(found.finding->kind, kind) << found.report();
  const Exploration again = explore("again", program, Replay(found.finding->schedule), limits);
  ASSERT_FALSE(again.ok()) << found.report();
  EXPECT_EQ(again.finding->kind, kind) << again.report();
  EXPECT_EQ(again.finding->table, found.finding->table);
}

inline void expect_nothing(const std::function<void()>& program, Exhaustive::Bounds bounds = {.preemptions = 2}) {
  const Exploration explored = explore("program", program, Exhaustive(bounds));
  EXPECT_TRUE(explored.ok()) << explored.report();
}

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXPLORATION_CHECKS_H_
