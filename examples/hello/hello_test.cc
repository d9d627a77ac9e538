// Runs the first example of README.md.
#include <cstdio>
#include <string>

#include "gtest/gtest.h"

namespace {

TEST(Hello, PrintsBothResults) {
  std::FILE* const output = popen("examples/hello/hello", "r");
  ASSERT_NE(output, nullptr);
  std::string text;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) text += static_cast<char>(c);
  EXPECT_EQ(pclose(output), 0);
  EXPECT_EQ(text, "104329 323\n");
}

}  // namespace
