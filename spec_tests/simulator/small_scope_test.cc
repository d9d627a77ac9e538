// Every small program of two clients, on every schedule within a bound on preemptions: on the code of the executors,
// where the laws and the model judge each history, and on a promise and its future alone. What was covered is printed,
// and no more is claimed.
//
// Deeper: --operations=N --operations_in_all=N --preemptions=N --workers=N --executor=NAME explores that scope alone.
#include "spec_tests/simulator/small_scope.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/exhaustive_scopes.h"
#include "spec_tests/simulator/future_scope.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/trace_program.h"
#include "spec_tests/traces/trace.h"

ABSL_FLAG(std::int32_t, operations, 0, "Explore only programs with so many operations of each client.");
ABSL_FLAG(std::int32_t, operations_in_all, 0, "At most so many of both; default: no bound but that of each.");
ABSL_FLAG(std::int32_t, preemptions, 1, "Of each schedule, at most.");
ABSL_FLAG(std::int32_t, workers, 1, "Of the executor.");
ABSL_FLAG(std::string, executor, "thread_pool", "Whose code is explored: thread_pool, reference or promise.");
ABSL_FLAG(bool, all_schedules, false, "Also schedules in which threads do the same as in others.");
ABSL_FLAG(std::int32_t, one_in, 1, "Explore one program in so many.");

namespace futures::simulator {
namespace {

// Explores the scope and prints what was covered.
void explore_and_print(const Scope& scope) {
  const int parts = absl::GetFlag(FLAGS_one_in);
  const Covered covered = explore_scope(scope, 0, parts);
  std::cout << to_text(scope) << ": " << to_text(covered) << (parts > 1 ? ", a part of the programs" : "") << std::endl;
  EXPECT_EQ(covered.finding, "");
  EXPECT_GT(covered.programs, 0);
}

// --- The programs.

std::vector<std::string> texts_of_programs() {
  std::vector<std::string> texts;
  visit_programs({.workers = 1, .operations_per_client = 2, .operations_in_all = 4},
                 [&](const spec_tests::Trace& trace) { texts.push_back(to_text(trace)); });
  return texts;
}

std::vector<std::string> texts_of_scripts() {
  std::vector<std::string> texts;
  visit_future_scripts(2, 4, [&](const FutureScript& script) { texts.push_back(to_text(script)); });
  return texts;
}

TEST(SmallScope, NoTwoProgramsAreEqual) {
  for (std::vector<std::string> texts : {texts_of_programs(), texts_of_scripts()}) {
    const std::size_t visited = texts.size();
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    EXPECT_EQ(texts.size(), visited);
  }
}

TEST(SmallScope, HasTheProgramsThatOneWouldLookFor) {
  const std::vector<std::string> texts = texts_of_programs();
  const auto has = [&](const std::string& text) { return std::find(texts.begin(), texts.end(), text) != texts.end(); };
  const std::string sizes = "workers 1\nclients 2\n";
  EXPECT_TRUE(has(sizes + "0 cancel c0\n0 result c0\n1 submit c0 { return 0 }\n1 shutdown wait cancel\n"));
  EXPECT_TRUE(has(sizes + "0 destroy\n1 submit c0 { return 0 }\n1 callback c0\n"));
  const std::vector<std::string> scripts = texts_of_scripts();
  EXPECT_EQ(scripts.size(), 73 * 74 / 2);  // One client has 1 + 8 + 64 of them.
  const auto script =
      to_text({{{FutureOperation::kSetResult}, {FutureOperation::kCancel, FutureOperation::kCallback}}});
  EXPECT_NE(std::find(scripts.begin(), scripts.end(), script), scripts.end()) << script;
}

// --- The reduction.

using Histories = absl::flat_hash_set<std::string>;

// The histories of the program with and without the reduction are the same, and there are fewer schedules.
class Comparison {
 public:
  template <typename TheProgram>
  void compare(TheProgram&& all, TheProgram&& reduced, int preemptions, const std::string& text) {
    const Exploration full = explore("all", all.program(), Exhaustive({.preemptions = preemptions}), kLimits);
    const Exploration less =
        explore("only races", reduced.program(), Exhaustive({.preemptions = preemptions, .only_races = true}), kLimits);
    EXPECT_TRUE(full.ok()) << text << full.report();
    EXPECT_TRUE(less.ok()) << text << less.report();
    EXPECT_LE(less.schedules, full.schedules) << text;
    std::size_t missing = 0;
    for (const std::string& history : all.histories()) missing += reduced.histories().contains(history) ? 0 : 1;
    EXPECT_EQ(missing, 0) << "of " << all.histories().size() << " histories\n" << text;
    EXPECT_EQ(reduced.histories().size(), all.histories().size()) << text;
    ++programs_;
    schedules_ += full.schedules;
    reduced_ += less.schedules;
    histories_ += static_cast<long>(all.histories().size());
  }

  void print(std::string_view what) const {
    std::cout << what << ": " << programs_ << " programs, " << schedules_ << " schedules, " << reduced_
              << " of them with races, " << histories_ << " histories\n";
    EXPECT_GE(programs_, 20);
    EXPECT_LT(reduced_, schedules_);
    EXPECT_GT(histories_, 2 * programs_);
  }

 private:
  static constexpr Limits kLimits = {.races_one_in = 0};
  long programs_ = 0;
  long schedules_ = 0;
  long reduced_ = 0;
  long histories_ = 0;
};

// So many of the programs that visit(function) has, at random, the same each time.
template <typename TheProgram, typename Visit>
std::vector<TheProgram> some_of(int count, const Visit& visit) {
  std::vector<TheProgram> all;
  visit([&](const TheProgram& program) { all.push_back(program); });
  std::mt19937_64 random(1);
  std::vector<TheProgram> some;
  for (int i = 0; i < count; ++i) some.push_back(all[random() % all.size()]);
  return some;
}

TEST(OnlyRaces, HasAllHistoriesOfPools) {
  for (const auto& [workers, preemptions, operations] : {std::tuple{1, 1, 3}, {1, 2, 2}, {2, 1, 2}}) {
    const SmallScope scope = {workers, operations, operations == 3 ? 5 : 4};
    Comparison comparison;
    const auto visit = [&](const auto& function) { visit_programs(scope, function); };
    for (const std::string& executor : simulated_executors()) {
      for (const spec_tests::Trace& trace : some_of<spec_tests::Trace>(15, visit)) {
        comparison.compare(TraceProgram(executor, trace), TraceProgram(executor, trace), preemptions, to_text(trace));
      }
    }
    comparison.print(std::to_string(workers) + " workers, " + std::to_string(preemptions) + " preemptions");
  }
}

TEST(OnlyRaces, HasAllHistoriesOfFutures) {
  for (const int preemptions : {1, 2}) {
    Comparison comparison;
    const auto visit = [&](const auto& function) { visit_future_scripts(3, preemptions == 1 ? 6 : 5, function); };
    for (const FutureScript& script : some_of<FutureScript>(60, visit)) {
      comparison.compare(FutureProgram(script), FutureProgram(script), preemptions, to_text(script));
    }
    comparison.print("futures, " + std::to_string(preemptions) + " preemptions");
  }
}

// --- The scopes.

class SmallScopes : public testing::TestWithParam<int> {};

TEST_P(SmallScopes, KeepTheLawsOnEverySchedule) {
  if (absl::GetFlag(FLAGS_operations) > 0) GTEST_SKIP() << "another scope was asked for";
  explore_and_print(scopes_of_every_day()[static_cast<std::size_t>(GetParam())]);
}

INSTANTIATE_TEST_SUITE_P(OfEveryDay, SmallScopes, testing::Range(0, static_cast<int>(scopes_of_every_day().size())));

TEST(SmallScope, AskedFor) {
  const int operations = absl::GetFlag(FLAGS_operations);
  if (operations <= 0) GTEST_SKIP() << "no scope was asked for";
  const int in_all = absl::GetFlag(FLAGS_operations_in_all);
  explore_and_print({.executor = absl::GetFlag(FLAGS_executor),
                     .workers = absl::GetFlag(FLAGS_workers),
                     .operations_per_client = operations,
                     .operations_in_all = in_all > 0 ? in_all : 2 * operations,
                     .preemptions = absl::GetFlag(FLAGS_preemptions),
                     .only_races = !absl::GetFlag(FLAGS_all_schedules)});
}

}  // namespace
}  // namespace futures::simulator

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
