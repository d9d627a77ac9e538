// The outcomes that the memory model allows are those of herd7 with rc11.cat, on litmus tests of two to four threads.
// herd7 is in Debian's package herdtools7.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/litmus.h"
#include "spec_tests/simulator/litmus_tests.h"

ABSL_FLAG(int, per_shape, 16, "programs of each shape; 1000000 for all of them");
ABSL_FLAG(int, random, 300, "random programs");
ABSL_FLAG(int, seed, 1, "of the choice of programs");

namespace futures::simulator {
namespace {

using Mistake = MemoryModel::Mistake;

// What herd7 says of the programs, by their names.
std::map<std::string, Outcomes> ask_herd(const std::vector<Litmus>& all) {
  if (std::system("herd7 -version >/dev/null 2>&1") != 0) {
    ADD_FAILURE() << "there is no herd7 on PATH; it is in Debian's package herdtools7";
    return {};
  }
  const char* const temporary = std::getenv("TEST_TMPDIR");
  const std::filesystem::path folder = temporary != nullptr ? temporary : std::filesystem::temp_directory_path();
  std::ofstream list(folder / "@litmus_tests");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::filesystem::path file = folder / absl::StrCat(i, ".litmus");
    std::ofstream(file) << to_herd(all[i]);
    list << file.string() << "\n";
  }
  list.close();
  // -optace: herd7 leaves out early what is not coherent. It has the same outcomes, sooner.
  const std::string command =
      absl::StrCat("herd7 -model rc11.cat -optace true ", (folder / "@litmus_tests").string(), " 2>&1");
  std::FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[1 << 16];
  while (const std::size_t bytes = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, bytes);
  EXPECT_EQ(pclose(pipe), 0) << output;
  std::map<std::string, Outcomes> answers = parse_herd(output);
  EXPECT_EQ(answers.size(), all.size()) << "herd7 is silent about some of the programs; it prints\n"
                                        << output.substr(0, 1000);
  return answers;
}

std::string difference(const Outcomes& ours, const Outcomes& theirs) {
  std::string text;
  for (const std::string& outcome : ours) {
    if (!theirs.contains(outcome)) absl::StrAppend(&text, "  herd7 forbids  ", outcome, "\n");
  }
  for (const std::string& outcome : theirs) {
    if (!ours.contains(outcome)) absl::StrAppend(&text, "  herd7 allows   ", outcome, "\n");
  }
  return text;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<Litmus> all_programs() {
  const auto seed = static_cast<std::uint64_t>(absl::GetFlag(FLAGS_seed));
  std::vector<Litmus> all = particular_programs();
  const auto append = [&](std::vector<Litmus> more) { all.insert(all.end(), more.begin(), more.end()); };
  append(shapes(static_cast<std::size_t>(absl::GetFlag(FLAGS_per_shape)), seed));
  append(random_programs(static_cast<std::size_t>(absl::GetFlag(FLAGS_random)), seed));
  return all;
}

TEST(Herd7, TheModelHasItsOutcomes) {
  const std::vector<Litmus> all = all_programs();
  auto start = std::chrono::steady_clock::now();
  std::map<std::string, Outcomes> theirs = ask_herd(all);
  if (theirs.empty()) return;
  std::cout << all.size() << " programs, herd7 took " << seconds_since(start) << " s\n";
  start = std::chrono::steady_clock::now();
  std::size_t outcomes = 0;
  int differences = 0;
  for (const Litmus& litmus : all) {
    const Outcomes ours = model_outcomes(litmus);
    outcomes += ours.size();
    if (ours == theirs[litmus.name]) continue;
    if (++differences <= 20) ADD_FAILURE() << to_text(litmus) << difference(ours, theirs[litmus.name]);
  }
  std::cout << outcomes << " outcomes, " << differences << " programs differ; the model took " << seconds_since(start)
            << " s\n";
}

// A model with a mistake has other outcomes, and the particular programs alone show each.
TEST(Herd7, AMistakeInTheModelIsSeen) {
  const std::vector<Litmus> all = particular_programs();
  std::map<std::string, Outcomes> theirs = ask_herd(all);
  if (theirs.empty()) return;
  for (int mistake = 1; mistake <= static_cast<int>(Mistake::kScContainsHb); ++mistake) {
    std::string seen;
    for (const Litmus& litmus : all) {
      if (model_outcomes(litmus, static_cast<Mistake>(mistake)) != theirs[litmus.name]) {
        absl::StrAppend(&seen, " ", litmus.name);
      }
    }
    EXPECT_NE(seen, "") << "nothing shows mistake " << mistake;
    std::cout << "mistake " << mistake << " is seen by" << seen << "\n";
  }
}

}  // namespace
}  // namespace futures::simulator

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
