// Law P9 in a program whose main does not begin with process_main.
#include <stdexcept>
#include <string>

#include "gtest/gtest.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

int twice(int value) { return 2 * value; }

std::string refusal_of(StartMethod method) {
  try {
    const ProcessPoolExecutor executor({.max_workers = 1, .start_method = method});
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(ProcessPoolNoHook, P9_TheErrorNamesTheLineToAdd) {
  for (const StartMethod method : {StartMethod::kForkServer, StartMethod::kSpawn}) {
    const std::string refusal = refusal_of(method);
    EXPECT_TRUE(holds(refusal, "`futures::process_main(argc, argv);`")) << refusal;
  }
}

TEST(ProcessPoolNoHook, P9_AProgramIsForkedOnlyWhileItHasOneThread) {
  ProcessPoolExecutor executor({.max_workers = 2, .start_method = StartMethod::kFork});
  EXPECT_EQ(executor.submit(twice, 21).result(), 42);
  const std::string refusal = refusal_of(StartMethod::kFork);  // The pool has threads.
  EXPECT_TRUE(holds(refusal, "one thread")) << refusal;
  EXPECT_EQ(executor.submit(twice, 4).result(), 8);
}

}  // namespace
}  // namespace futures
