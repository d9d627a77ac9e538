// Tests on whole programs: the test's own binary is started again, and its main plays the part that its arguments name.
//
// A test file defines `parts`, the programs to play, and tests that run them:
//
//   Ended end = play("return_from_main", kind);
//   EXPECT_EQ(end.status, 7);
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_PROCESS_PROGRAM_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_PROCESS_PROGRAM_H_

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "futures/executor.h"
#include "spec_tests/executor_kind.h"

namespace futures::spec_tests {

// A program: what it returns, main returns.
using Part = std::function<int(const ExecutorKind&)>;

// Every program of this binary, by name. Defined by the test file.
const std::map<std::string, Part>& parts();

// Keeps an executor alive to the end of the program and beyond, where a leak checker finds it.
Executor& leak(std::unique_ptr<Executor> executor);

// Writes a line to the standard output, at once and whole. For programs, also while they end.
void print(std::string_view line);

// How a program has ended.
struct Ended {
  bool in_time = false;            // Otherwise it hung, and was killed.
  int status = -1;                 // What main returned or exit was given; minus the signal that killed it.
  std::vector<std::string> lines;  // What it printed.
};
std::ostream& operator<<(std::ostream& out, const Ended& ended);

// Runs a program to its end.
Ended play(const std::string& part, const std::string& kind);

// How often the program printed this line.
int count(const Ended& ended, std::string_view line);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_PROCESS_PROGRAM_H_
