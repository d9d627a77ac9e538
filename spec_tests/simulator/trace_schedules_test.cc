// Random traces on simulated executors, each on many schedules: no law is broken, and the model has every history.
#include <iostream>
#include <string>

#include "gtest/gtest.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/trace_program.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::simulator {
namespace {

class TraceSchedules : public testing::TestWithParam<std::string> {};

TEST_P(TraceSchedules, EveryHistoryIsOneOfTheModels) {
  long schedules = 0;
  long histories = 0;
  for (int index = 0; index < 200; ++index) {
    const spec_tests::Trace trace = spec_tests::trace_from_seed(1, index);
    TraceProgram program(GetParam(), trace);
    const std::string name = GetParam() + " trace " + std::to_string(index);
    const Exploration found =
        explore(name, program.program(), RandomWalk({.runs = 100, .faults = false}), {.races_one_in = 0});
    ASSERT_TRUE(found.ok()) << trace << found.report();
    schedules += found.schedules;
    histories += static_cast<long>(program.histories().size());
  }
  std::cout << schedules << " schedules, " << histories << " histories\n";
}

INSTANTIATE_TEST_SUITE_P(Executors, TraceSchedules, testing::ValuesIn(simulated_executors()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace futures::simulator
