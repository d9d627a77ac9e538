// Programs that are to kill mutants: tests of GoogleTest, built against mutated copies, each run as a process of its
// own.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_KILLER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_KILLER_H_

#include <string>
#include <string_view>
#include <vector>

namespace futures::mutants {

struct Killer {
  std::string name;
  std::string program;  // Its path.
  int shards = 1;
  int cpu_seconds = 0;  // Of each run.
  bool in_test = true;  // Also asked by mutants_test.
};

// From the text that mutated_copies writes; paths become those below `root`. Throws std::runtime_error.
std::vector<Killer> parse_killers(std::string_view text, std::string_view root);

struct Run {
  bool has_mutant = true;  // False if the program does not know the mutant.
  std::string killed_by;   // Empty if all tests pass. Otherwise the first test that did not, and how it ended.
  long schedules = 0;      // That the simulator has reported.
  double cpu_seconds = 0;
};

// Runs one shard against `mutant`, or against the source for an empty name. A status other than 0, a crash, more time
// than it may take, and more memory than 4 GB all count as a kill.
// Thread-safe. Blocks until the program has ended. Throws std::system_error if it cannot be run.
Run run_killer(const Killer& killer, int shard, std::string_view mutant);

// What is to be made of a program's output and of how it ended (as waitpid says).
Run judge(std::string_view output, int status);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_KILLER_H_
