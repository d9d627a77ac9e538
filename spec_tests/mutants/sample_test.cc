// Mutants from end to end: written ones of a small source, which the copies have, which a compiler refuses, and what
// killers make of them.
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "spec_tests/mutants/killer.h"
#include "spec_tests/mutants/score.h"

namespace futures::mutants {
namespace {

class Sample : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    copies_ = load_copies({"sample_copies"});
    ASSERT_EQ(check_source(copies_, /*for_test=*/false), "");
    for (const Verdict& verdict : ask(copies_, {}, /*jobs=*/2, [](const Verdict&) {})) {
      verdicts_[verdict.mutant.name] = verdict;
    }
  }

  static inline std::vector<Copies> copies_;
  static inline std::map<std::string, Verdict> verdicts_;
};

TEST_F(Sample, AFailureKills) {
  EXPECT_EQ(verdicts_["counts_one_more"].killed_by, "counter: Counter.CountsUpToItsLimit");
  EXPECT_EQ(verdicts_["counts_one_more"].schedules, 12);
}

TEST_F(Sample, ACrashKills) {
  EXPECT_EQ(verdicts_["crashes"].killed_by.find("counter: Counter.Twice (crash: "), 0U)
      << verdicts_["crashes"].killed_by;
}

TEST_F(Sample, TooMuchTimeKills) {
  EXPECT_EQ(verdicts_["never_ends"].killed_by, "counter: Counter.CountsUpToItsLimit (takes too long)");
}

TEST_F(Sample, ACompilerKills) {
  EXPECT_EQ(verdicts_["is_no_program"].killed_by, "the compiler");  // Only the killer makes the template.
  EXPECT_FALSE(verdicts_["is_no_program"].mutant.refused.empty());
  EXPECT_EQ(verdicts_["counts_without_the_lock"].killed_by, "the compiler");
}

TEST_F(Sample, OthersSurvive) {
  EXPECT_EQ(verdicts_["unlocks_later"].killed_by, "");
  EXPECT_EQ(verdicts_["reads_the_limit_first"].killed_by, "");
  EXPECT_EQ(verdicts_["reads_the_limit_first"].mutant.equivalent, "the limit is constant");
  EXPECT_EQ(verdicts_["of_another_source"].killed_by, "");
}

TEST_F(Sample, RulesMakeMutantsToo) {
  EXPECT_EQ(verdicts_["off_by_one/counter.cc/Counter.count/1"].killed_by, "counter: Counter.CountsUpToItsLimit");
}

TEST_F(Sample, AMutantThatTheProgramDoesNotHaveIsNoKill) {
  EXPECT_FALSE(run_killer(copies_.at(0).killers.at(0), 0, "no_such_mutant").has_mutant);
}

TEST_F(Sample, ACountLeavesOutWhatIsArguedEquivalent) {
  std::vector<Verdict> some = {verdicts_["counts_one_more"], verdicts_["reads_the_limit_first"],
                               verdicts_["unlocks_later"], verdicts_["is_no_program"]};
  const Count count = count_by(some, [](const Verdict& v) { return v.mutant.rule; }).at("written");
  EXPECT_EQ(count.all, 3);
  EXPECT_EQ(count.killed, 2);
  EXPECT_EQ(count.by_compiler, 1);
  EXPECT_EQ(count.equivalent, 1);
}

TEST_F(Sample, ASampleHasAllThatIsWrittenAndIsTheSameAgain) {
  const auto names = [](std::uint32_t seed) {
    std::vector<std::string> names;
    for (const Verdict& v : ask(copies_, {.only = "count", .sample = 2, .seed = seed}, 2, [](const Verdict&) {})) {
      names.push_back(v.mutant.name);
    }
    return names;
  };
  EXPECT_EQ(names(1), names(1));
  EXPECT_EQ(names(1).size(), 4U);  // Two have such a name, and two are of the sample.
}

TEST(Json, HasAllThatIsKnown) {
  Verdict verdict{.mutant = {.name = "a", .law = "E1"}, .killed_by = "k: \"T\"", .schedules = 7};
  EXPECT_EQ(to_json({verdict}),
            "{\"mutants\":[\n{\"name\":\"a\",\"law\":\"E1\",\"killed_by\":\"k: \\\"T\\\"\",\"schedules\":7,"
            "\"equivalent\":null}\n]}\n");
  verdict = {.mutant = {.name = "b", .equivalent = "so"}};
  EXPECT_EQ(
      to_json({verdict}),
      "{\"mutants\":[\n{\"name\":\"b\",\"law\":\"\",\"killed_by\":null,\"schedules\":0,\"equivalent\":\"so\"}\n]}\n");
}

TEST(Judge, TheFirstFailureIsTheKill) {
  EXPECT_EQ(judge("[ RUN      ] A.b\n[  FAILED  ] A.b (3 ms)\n[  FAILED  ] A.b\n", 1 << 8).killed_by, "A.b");
  EXPECT_EQ(judge("[ RUN      ] P.t/1\n[  FAILED  ] P.t/1, where GetParam() = 3 (3 ms)\n", 1 << 8).killed_by, "P.t/1");
  EXPECT_EQ(judge("[ RUN      ] A.b\n[       OK ] A.b (3 ms)\n", 0).killed_by, "");
  EXPECT_EQ(judge("", 3 << 8).killed_by, "no test");
  EXPECT_EQ(judge("a: 3 schedules, 9 steps\nb: 40 schedules, 9 steps\n", 0).schedules, 43);
}

TEST(Killers, ComeFromTheirText) {
  const std::vector<Killer> killers = parse_killers("a\tp/q\t4\t5\ttest\nb\tp/r\t1\t60\treport\n", "/root");
  ASSERT_EQ(killers.size(), 2U);
  EXPECT_EQ(killers[0].program, "/root/p/q");
  EXPECT_EQ(killers[0].shards, 4);
  EXPECT_FALSE(killers[1].in_test);
  EXPECT_THROW(parse_killers("a\tb\n", ""), std::runtime_error);
}

}  // namespace
}  // namespace futures::mutants
