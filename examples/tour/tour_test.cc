// Runs the tour of README.md, and compares the program with the text there.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace {

std::string contents(const char* path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The text as Markdown shows code: each line that is not empty is indented by four columns.
std::string indented(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) result += line.empty() ? "\n" : "    " + line + "\n";
  return result;
}

TEST(Tour, PrintsWhatReadmeSays) {
  std::FILE* const output = popen("examples/tour/tour", "r");
  ASSERT_NE(output, nullptr);
  std::string text;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) text += static_cast<char>(c);
  EXPECT_EQ(pclose(output), 0);
  EXPECT_EQ(text, "1 4 9 | done 2, not done 0 | 16 | 25 | cancelled 1 | all done 1\n");
  EXPECT_NE(contents("README.md").find(indented(text)), std::string::npos) << "README.md shows another output";
}

TEST(Tour, ReadmeShowsTheProgramsAsTheyAreBuilt) {
  const std::string readme = contents("README.md");
  EXPECT_NE(readme.find(indented(contents("examples/tour/tour.cc"))), std::string::npos);
  EXPECT_NE(readme.find(indented(contents("examples/hello/hello.cc"))), std::string::npos);
}

}  // namespace
