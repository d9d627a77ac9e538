// The list of survivors is compared exactly.
#include "spec_tests/mutants/survivors.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace futures::mutants {
namespace {

Verdict verdict(std::string name, std::string killed_by, std::string equivalent = "") {
  return {.mutant = {.name = std::move(name), .equivalent = std::move(equivalent)}, .killed_by = std::move(killed_by)};
}

const std::vector<Copies> kCopies = {{.name = "c", .entries = {{.name = "a"}, {.name = "b"}}}};

TEST(Survivors, HaveAReasonEach) {
  EXPECT_EQ(parse_survivors("# why\n\na: no weak memory: yet\n").at("a"), "no weak memory: yet");
  EXPECT_THROW(parse_survivors("a\n"), std::runtime_error);
  EXPECT_THROW(parse_survivors("a: x\na: y\n"), std::runtime_error);
}

TEST(Survivors, ANewOneIsWrong) {
  EXPECT_EQ(compare({}, {verdict("a", "")}, kCopies), "a survives: write a check that kills it\n");
  EXPECT_EQ(compare({{"a", "x"}}, {verdict("a", "")}, kCopies), "");
  EXPECT_EQ(compare({}, {verdict("a", "", "it is the same")}, kCopies), "");
}

TEST(Survivors, OneThatIsKilledIsWrong) {
  EXPECT_EQ(compare({{"a", "x"}}, {verdict("a", "k: T")}, kCopies),
            "a is killed by k: T: take it from the list of survivors\n");
  EXPECT_EQ(compare({{"b", "x"}}, {verdict("a", "k: T")}, kCopies), "") << "b was not asked";
}

TEST(Survivors, OneThatDoesNotExistIsWrong) {
  EXPECT_EQ(compare({{"c", "x"}}, {}, kCopies), "c does not exist: take it from the list of survivors\n");
}

}  // namespace
}  // namespace futures::mutants
