// All written mutants and a sample of the generated ones are killed, but for those that survivors.txt lists.
#include <algorithm>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "spec_tests/mutants/score.h"
#include "spec_tests/mutants/survivors.h"
#include "spec_tests/mutants/survivors_text.h"

namespace futures::mutants {
namespace {

// More takes longer: a survivor costs about ten seconds of a processor. Less lets a hole wait longer for its discovery.
constexpr std::size_t kSample = 100;

TEST(Mutants, AreKilled) {
  const std::vector<Copies> copies = load_copies({"mutated", "mutated_model"});
  ASSERT_EQ(check_source(copies, /*for_test=*/true), "");
  const int jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const std::vector<Verdict> verdicts = ask(copies, {.sample = kSample, .for_test = true}, jobs, [](const Verdict& v) {
    if (!v.is_killed()) std::cout << "survives: " << v.mutant.name << std::endl;
  });
  EXPECT_EQ(compare(parse_survivors(kSurvivorsText), verdicts, copies), "");
}

}  // namespace
}  // namespace futures::mutants
