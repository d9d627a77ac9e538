// The checks of the laws on simulated threads, for the code of the thread pool and of the reference.
#include <algorithm>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/law_names.h"
#include "spec_tests/simulator/law_programs.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/candidate.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/thread_candidates.h"
#include "spec_tests/simulator/simulated/spec_tests/laws/law.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::simulator {
namespace {

using spec_tests::Candidate;
using spec_tests::Law;

// Each check is run or has a reason not to be, and each reason is of a check.
TEST(LawSchedules, EveryCheckIsRunOrLeftOutForAReason) {
  const std::vector<LawName> names = names_of_all_laws();
  std::set<std::pair<std::string_view, std::string_view>> run;
  for (const Law& law : law_checks()) run.insert({law.id, law.name});
  for (const LawName& name : names) {
    const bool is_run = run.erase({name.law, name.check}) == 1;
    EXPECT_NE(is_run, is_left_out(name)) << name.law << " " << name.check;
  }
  EXPECT_TRUE(run.empty()) << run.begin()->second << " is no check of real threads";
  for (const LeftOut& entry : left_out_checks()) {
    const auto checks = std::count_if(names.begin(), names.end(), [&](const auto& name) { return entry.is_of(name); });
    EXPECT_GT(checks, 0) << entry.law << " " << entry.check << " is left out, and there is no such check";
    const std::string which = entry.check.empty() ? absl::StrCat("all ", checks) : std::string(entry.check);
    std::cout << absl::StreamFormat("left out: %-4s %-40s %s\n", entry.law, which, entry.reason);
  }
}

struct Totals {
  int programs = 0;
  long schedules = 0;
  long steps = 0;
  double seconds = 0;
};
Totals totals;

class LawSchedules : public testing::Test {
 public:
  LawSchedules(const Law& law, const Candidate& candidate) : law_(law), candidate_(candidate) {}

  void TestBody() override {
    constexpr long kStepsPerStrategy = 500'000;
    const absl::ScopedStderrThreshold quiet(absl::LogSeverityAtLeast::kInfinity);  // Each run logs what is thrown.
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    ++totals.programs;
    explore_law(name, law_program(law_, candidate_), kStepsPerStrategy, [](const Exploration& explored) {
      totals.schedules += explored.schedules;
      totals.steps += explored.steps;
      totals.seconds += explored.seconds;
      EXPECT_TRUE(explored.ok()) << explored.report();
      return explored.ok();
    });
  }

 private:
  const Law law_;
  const Candidate& candidate_;
};

void register_tests() {
  for (const Candidate& candidate : spec_tests::thread_candidates()) {
    for (const Law& law : law_checks()) {
      testing::RegisterTest(std::string(law.id.substr(0, 1)).c_str(),
                            absl::StrCat(law.id, "_", law.name, "/", candidate.name, "_simulated").c_str(), nullptr,
                            nullptr, __FILE__, __LINE__,
                            [law, &candidate]() -> testing::Test* { return new LawSchedules(law, candidate); });
    }
  }
}

}  // namespace
}  // namespace futures::simulator

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::InitializeLog();
  futures::simulator::register_tests();
  const int result = RUN_ALL_TESTS();
  const auto& totals = futures::simulator::totals;
  std::cout << absl::StreamFormat("%d programs, %d schedules, %d steps, %.1f s\n", totals.programs, totals.schedules,
                                  totals.steps, totals.seconds);
  return result;
}
