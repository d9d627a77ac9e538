// What the tests of the process pool share: gates that work across processes, calls, and the proof that nothing is left
// behind.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_POOL_TESTING_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_POOL_TESTING_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "optimized/process_pool_executor.h"
#include "optimized/process_pool_options.h"

namespace futures::testing {

// A gate that works across processes, also for a program that is started anew: calls wait until a file in shared memory
// is gone. What calls write into the file, the test can read.
class GateFile {
 public:
  GateFile();
  ~GateFile() { open(); }
  void open();
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Calls. These two return once the gate is open: `value`, the size of `text`.
int pass(const std::string& gate, int value);
std::size_t pass_text(const std::string& gate, const std::string& text);
int twice(int value);
pid_t own_pid();

// Whether the condition comes true within a time that is long on any machine.
bool soon(const std::function<bool()>& condition);

// That each of some dozen calls gives its result.
void expect_pool_works(ProcessPoolExecutor& executor);

struct Process {
  pid_t pid = 0;
  char state = 0;  // As in /proc: R, S, T, Z, ...
  std::string name;  // worker_N, fork_server, ...
};

// The processes whose parent is this one.
std::vector<Process> children();
// This program's fork server; 0 if it has none.
pid_t fork_server();
// Waits for those that have ended and whose name begins so.
void reap_orphans(const std::string& name);
// '?' once it is gone.
char state_of(pid_t pid);

// Whether all of the pool's workers and all threads of this process but the calling one sleep, blocked in the kernel.
bool all_others_sleep(const ProcessPoolExecutor& executor);

// How many descriptors this process has.
std::size_t open_descriptors();
// The memory files that it has mapped, a line each.
std::string mapped_memory_files();

// Runs a test with both isolations, and proves that it left nothing: no process, not even a zombie, no descriptor, no
// memory file mapped. Orphans come to this process, so that none escapes the count.
class ProcessPoolTest : public ::testing::TestWithParam<Isolation> {
 protected:
  ProcessPoolTest();
  void TearDown() override;

 private:
  const std::size_t descriptors_;
};

std::string isolation_name(const ::testing::TestParamInfo<Isolation>& info);

}  // namespace futures::testing

// All tests of the fixture `Test`, with both isolations.
#define FOR_BOTH_ISOLATIONS(Test)                                                                                      \
  INSTANTIATE_TEST_SUITE_P(, Test, ::testing::Values(::futures::Isolation::kShared, ::futures::Isolation::kPerWorker), \
                           &::futures::testing::isolation_name)

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_POOL_TESTING_H_
