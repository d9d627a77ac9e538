// The killer of the sample's mutants.
#include "spec_tests/mutants/sample/counter.h"

#include <iostream>

#include "gtest/gtest.h"

namespace futures::mutants {
namespace {

TEST(Counter, CountsUpToItsLimit) {
  std::cout << "Counter: 12 schedules, 34 steps, 0.00 s; as the simulator says\n";
  Counter counter(2);
  while (counter.count()) {
  }
  EXPECT_EQ(counter.counted(), 2);
}

TEST(Counter, Twice) { EXPECT_EQ(Counter::twice(2), 4); }

}  // namespace
}  // namespace futures::mutants
