// Tests on whole programs: the test's own binary is started again, and its main plays the part that its arguments name.
//
// A test file defines `parts`, the programs to play, and tests that run them:
//
//   Ended end = play("return_from_main", candidate);
//   EXPECT_EQ(end.status, 7);
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_PROGRAMS_PROGRAM_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_PROGRAMS_PROGRAM_H_

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/laws/shared_number.h"

namespace futures {
namespace spec_tests {

// A program: what it returns, main returns.
using Part = std::function<int(const Candidate&)>;

// Every program of this binary, by name. Defined by the test file.
const std::map<std::string, Part>& parts();

// Of threads and of processes.
std::vector<Candidate> all_candidates();

std::vector<std::string> candidate_names(const std::vector<Candidate>& candidates);

// Keeps an executor alive to the end of the program and beyond, where a leak checker finds it.
Executor& leak(std::unique_ptr<Executor> executor);

// For threads and calls of a program that wait for each other, in bodies and destructors. Copies are one flag; a call
// in another process gets one as an argument.
class Flag {
 public:
  void raise() const { raised_.add(1); }
  void wait() const {
    while (!raised_.reaches(1, std::chrono::hours(1))) {
    }
  }
  // Waits for a while for what should not come. Returns whether it did.
  bool comes() const { return raised_.reaches(1, std::chrono::milliseconds(50)); }

 private:
  SharedNumber raised_ = SharedNumber::create();
};

// The program's flag of this name. Outlives every static.
Flag& flag(const std::string& name);

// Submits calls that print "call".
void submit_calls(Executor& executor, int n);

// Occupies a worker until the flag of this name is raised.
Future<void> submit_wait(Executor& executor, const std::string& name);

// Writes a line to the standard output, at once and whole. For programs, also while they end.
void print(std::string_view line);

// How a program has ended.
struct Ended {
  bool in_time = false;  // Otherwise it hung, and was killed.
  int status = -1;  // What main returned or exit was given; minus the signal that killed it.
  std::vector<std::string> lines;  // What it printed.
};
std::ostream& operator<<(std::ostream& out, const Ended& ended);

// Runs a program to its end.
Ended play(const std::string& part, const std::string& candidate);

// How often the program printed this line.
int count(const Ended& ended, std::string_view line);

// Tests that play programs. The parameter is the candidate's name.
class ProgramTest : public testing::TestWithParam<std::string> {
 protected:
  // Runs a program to its end, which must come in time.
  static Ended played(const std::string& part);

  // The program returns 7 and prints these lines, and nothing else.
  static void expect_lines(const std::string& part, const std::vector<std::string>& lines);

  // All calls are done, the status is kept, and nothing else was printed.
  static void expect_calls(const std::string& part, int calls);
};

}  // namespace spec_tests

template <>
inline constexpr bool travels_bitwise<spec_tests::Flag> = true;

}  // namespace futures

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_PROGRAMS_PROGRAM_H_
