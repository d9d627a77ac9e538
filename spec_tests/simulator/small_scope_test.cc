// Every small program of two clients, on every schedule within a bound on preemptions, on the code of the executors:
// the laws and the model judge each history. What was covered is printed, and no more is claimed.
//
// Deeper: --operations=N --operations_in_all=N --preemptions=N --workers=N --executor=NAME explores that scope alone.
#include "spec_tests/simulator/small_scope.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/trace_program.h"
#include "spec_tests/traces/trace.h"

ABSL_FLAG(std::int32_t, operations, 0, "Explore only programs with so many operations of each client.");
ABSL_FLAG(std::int32_t, operations_in_all, 0, "At most so many of both; default: no bound but that of each.");
ABSL_FLAG(std::int32_t, preemptions, 1, "Of each schedule, at most.");
ABSL_FLAG(std::int32_t, workers, 1, "Of the executor.");
ABSL_FLAG(std::string, executor, "thread_pool", "Whose code is explored.");

namespace futures::simulator {
namespace {

struct Depth {
  SmallScope programs;
  int preemptions;
};

std::string to_text(const Depth& depth) {
  const SmallScope& programs = depth.programs;
  return absl::StrFormat("%d %s, clients with up to %d operations each and %d in all, up to %d %s", programs.workers,
                         programs.workers == 1 ? "worker" : "workers", programs.operations_per_client,
                         programs.operations_in_all, depth.preemptions,
                         depth.preemptions == 1 ? "preemption" : "preemptions");
}

// Explores the scope and prints what was covered. Stops at the first finding.
void explore_scope(const std::string& executor, const Depth& depth) {
  const auto start = std::chrono::steady_clock::now();
  long programs = 0;
  long schedules = 0;
  long histories = 0;
  bool found = false;
  visit_programs(depth.programs, [&](const spec_tests::Trace& trace) {
    if (found) return;
    TraceProgram program(executor, trace);
    const Exploration explored = explore(absl::StrCat(executor, " program ", programs), program.program(),
                                         Exhaustive({.preemptions = depth.preemptions}), {.races_one_in = 0});
    ++programs;
    schedules += explored.schedules;
    histories += static_cast<long>(program.histories());
    found = !explored.ok();
    EXPECT_TRUE(explored.ok()) << trace << explored.report();
  });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cout << absl::StrFormat("%s, %s: %d programs, %d schedules, %d histories, %.1f s\n", executor, to_text(depth),
                               programs, schedules, histories, seconds.count());
  EXPECT_GT(programs, 0);
}

TEST(SmallScope, NoTwoProgramsAreEqual) {
  std::vector<std::string> texts;
  visit_programs({.workers = 1, .operations_per_client = 2, .operations_in_all = 4},
                 [&](const spec_tests::Trace& trace) { texts.push_back(to_text(trace)); });
  const std::size_t visited = texts.size();
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  EXPECT_EQ(texts.size(), visited);
}

TEST(SmallScope, HasTheProgramsThatOneWouldLookFor) {
  std::vector<std::string> texts;
  visit_programs({.workers = 1, .operations_per_client = 2, .operations_in_all = 4},
                 [&](const spec_tests::Trace& trace) { texts.push_back(to_text(trace)); });
  const auto has = [&](const std::string& text) { return std::find(texts.begin(), texts.end(), text) != texts.end(); };
  const std::string sizes = "workers 1\nclients 2\n";
  EXPECT_TRUE(has(sizes + "0 cancel c0\n0 result c0\n1 submit c0 { return 0 }\n1 shutdown wait cancel\n"));
  EXPECT_TRUE(has(sizes + "0 destroy\n1 submit c0 { return 0 }\n1 callback c0\n"));
}

class SmallScopes : public testing::TestWithParam<std::string> {};

TEST_P(SmallScopes, KeepTheLawsOnEverySchedule) {
  if (absl::GetFlag(FLAGS_operations) > 0) GTEST_SKIP() << "another scope was asked for";
  for (const int workers : {1, 2}) {
    const auto scope = [&](int each, int in_all) { return SmallScope{workers, each, in_all}; };
    explore_scope(GetParam(), {scope(2, 4), 1});
    if (GetParam() == "reference") continue;  // It is the judge's example, and changes seldom.
    explore_scope(GetParam(), {scope(3, workers == 1 ? 4 : 3), 1});
    explore_scope(GetParam(), {scope(2, workers == 1 ? 3 : 2), 2});
  }
}

INSTANTIATE_TEST_SUITE_P(Executors, SmallScopes, testing::ValuesIn(simulated_executors()),
                         [](const auto& info) { return info.param; });

TEST(SmallScope, AskedFor) {
  const int operations = absl::GetFlag(FLAGS_operations);
  if (operations <= 0) GTEST_SKIP() << "no scope was asked for";
  const int in_all = absl::GetFlag(FLAGS_operations_in_all);
  explore_scope(absl::GetFlag(FLAGS_executor), {{.workers = absl::GetFlag(FLAGS_workers),
                                                 .operations_per_client = operations,
                                                 .operations_in_all = in_all > 0 ? in_all : 2 * operations},
                                                absl::GetFlag(FLAGS_preemptions)});
}

}  // namespace
}  // namespace futures::simulator

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
