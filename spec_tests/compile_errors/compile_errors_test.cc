// What the compiler says to misuses: each source beside this one but control.cc and front_door.cc must be refused, and
// the first error be a line that a person understands. It stands in the source as `// expect: TEXT`, or `TEXT | TEXT`
// where it is the compiler's own and compilers differ.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace {

namespace fs = std::filesystem;

const std::set<std::string> kMustCompile = {"control", "front_door", "std_future"};

fs::path folder() { return "spec_tests/compile_errors"; }

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The names of all sources that the compiler was asked about.
std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder())) {
    if (entry.path().extension() == ".log") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> lines_with(const std::string& text, std::string_view part) {
  std::vector<std::string> found;
  for (std::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StrContains(line, part)) found.emplace_back(line);
  }
  return found;
}

// The alternatives of what the compiler must say. Empty if the source does not tell.
std::vector<std::string> expectations(const std::string& name) {
  constexpr std::string_view kMark = "// expect: ";
  const std::vector<std::string> lines = lines_with(contents(folder() / (name + ".cc")), kMark);
  if (lines.size() != 1) return {};
  return absl::StrSplit(lines[0].substr(kMark.size()), " | ");
}

class CompileErrors : public testing::TestWithParam<std::string> {};

TEST_P(CompileErrors, FirstErrorIsTheOneExpected) {
  const std::string log = contents(folder() / (GetParam() + ".log"));
  if (kMustCompile.contains(GetParam())) {
    EXPECT_EQ(log, "exit status 0\n");
    return;
  }
  const std::vector<std::string> expected = expectations(GetParam());
  ASSERT_FALSE(expected.empty()) << "one line `// expect: TEXT` is missing";
  EXPECT_TRUE(absl::EndsWith(log, "\nexit status 1\n")) << log;
  const std::vector<std::string> errors = lines_with(log, "error: ");
  ASSERT_FALSE(errors.empty()) << log;
  EXPECT_TRUE(std::any_of(expected.begin(), expected.end(),
                          [&](const std::string& text) { return absl::StrContains(errors[0], text); }))
      << "expected: " << absl::StrJoin(expected, " | ") << "\n"
      << log;
  RecordProperty("errors", static_cast<int>(errors.size()));
}

INSTANTIATE_TEST_SUITE_P(All, CompileErrors, testing::ValuesIn(cases()), [](const auto& test) { return test.param; });

TEST(CompileErrorsTest, ThereAreTenMisusesAtLeast) { EXPECT_GE(cases().size(), 10 + kMustCompile.size()); }

TEST(CompileErrorsTest, ThreadsOnlyIncludeNothingOfTheWayToProcesses) {
  const std::string control = contents(folder() / "control.headers");
  const std::string headers = contents(folder() / "front_door.headers");
  for (const std::string part : {"cereal/", "futures/encoding/encoding.h", "optimized/process_pool_executor.h"}) {
    EXPECT_TRUE(absl::StrContains(control, part)) << "this test would not see " << part;
    EXPECT_TRUE(lines_with(headers, part).empty()) << absl::StrJoin(lines_with(headers, part), "\n");
  }
  EXPECT_TRUE(absl::StrContains(headers, "futures/executor.h"));
  EXPECT_TRUE(absl::EndsWith(headers, "\nexit status 0\n"));
}

// What every file that uses futures pays: the lines that the compiler reads, beside those of <future>. Today 1.5 times
// as many.
TEST(CompileErrorsTest, TheFrontDoorCostsAtMostOneAndEightTenthsOfStdFuture) {
  const auto lines_of = [](const std::string& name) {
    const std::string text = contents(folder() / (name + ".text"));
    EXPECT_TRUE(absl::EndsWith(text, "exit status 0\n")) << name;
    return std::count(text.begin(), text.end(), '\n');
  };
  const double front_door = static_cast<double>(lines_of("front_door"));
  const double std_future = static_cast<double>(lines_of("std_future"));
  std::cout << "lines: concurrent_futures.h " << front_door << ", <future> " << std_future << ", ratio "
            << front_door / std_future << "\n";
  EXPECT_GT(std_future, 10'000) << "the compiler did not read the standard library";
  EXPECT_LE(front_door, 1.8 * std_future);
}

}  // namespace
