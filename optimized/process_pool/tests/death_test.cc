// Law P6: a worker is killed at every instruction of taking a call, running it and delivering its result. Each time
// only the call that it ran may be lost, nothing runs twice, nothing hangs, and the next call runs.
//
// No hook in the pool: the test steps the worker by ptrace, one instruction at a time, and kills it after the k-th, for
// every k until the call is delivered. That is with -c opt; an unoptimised build takes a stride (BUILD.bazel).
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;

// The body: leaves a mark, so that it is known how often it ran.
int mark(const std::string& path, int value) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const char byte = 'x';
  if (write(file, &byte, 1) != 1) std::abort();
  close(file);
  return value;
}

// Long enough that the worker that is stepped finds calls, too: asleep, it steps over the whole of it at once.
int mark_slowly(const std::string& path, int value, int pause_us) {
  usleep(static_cast<useconds_t>(pause_us));
  return mark(path, value);
}

// The same for a call whose argument and value fit no slot: it is read from the arena, and wants room there.
std::string mark_and_return(const std::string& path, std::string payload) {
  mark(path, 0);
  return payload;
}

// A file in memory that counts marks.
class Marks {
 public:
  Marks() : path_("/dev/shm/marks_" + std::to_string(getpid())) { reset(); }
  ~Marks() { std::filesystem::remove(path_); }
  void reset() { std::fclose(std::fopen(path_.c_str(), "w")); }
  std::size_t count() const { return std::filesystem::file_size(path_); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// A worker under this thread's control.
class Traced {
 public:
  explicit Traced(pid_t pid) : pid_(pid) {
    if (ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) throw std::runtime_error("ptrace is not permitted here");
    ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    wait_for_stop();
  }
  ~Traced() {
    if (gone_) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
    }
  }

  // Runs one instruction. Returns false if the worker has ended.
  bool step() {
    if (ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) != 0) return false;
    return wait_for_stop();
  }

 private:
  bool wait_for_stop() {
    int status = 0;
    while (waitpid(pid_, &status, __WALL) < 0 && errno == EINTR) {
    }
    gone_ = !WIFSTOPPED(status);
    return !gone_;
  }

  const pid_t pid_;
  bool gone_ = false;
};

// A worker that has run a call and waits for the next.
pid_t idle_worker(ProcessPoolExecutor& executor) {
  executor.submit([] {}).result();
  for (;;) {
    const std::vector<pid_t> pids = executor.worker_pids();
    if (pids.empty()) continue;
    char state = 0;
    if (FILE* const file = std::fopen(("/proc/" + std::to_string(pids[0]) + "/stat").c_str(), "r")) {
      if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 0;
      std::fclose(file);
    }
    if (state == 'S') return pids[0];
    std::this_thread::yield();
  }
}

struct Outcome {
  bool delivered = false;  // Before the kill.
  bool lost = false;
};

// Kills the only worker `steps` instructions after it was given the call that `submit` submits, which returns `value`.
template <typename R>
Outcome kill_after(ProcessPoolExecutor& executor, Marks& marks, int steps, const std::function<Future<R>()>& submit,
                   const R& value) {
  const pid_t worker = idle_worker(executor);
  marks.reset();
  Outcome outcome;
  std::optional<Future<R>> call;
  {
    Traced traced(worker);
    call = submit();
    for (int i = 0; i < steps && traced.step(); ++i) {
      if ((i & 15) == 15 && call->done()) break;
    }
    outcome.delivered = call->done();
  }  // SIGKILL.
  const Future<int> next = executor.submit([](int x) { return x; }, 9);
  try {
    EXPECT_EQ(call->result(20s), value);
  } catch (const WorkerDiedError& e) {
    EXPECT_EQ(e.signal(), SIGKILL);
    EXPECT_EQ(e.pid(), worker);
    outcome.lost = true;
  } catch (const TimeoutError&) {
    ADD_FAILURE() << "the call hangs";
  }
  EXPECT_EQ(next.result(20s), 9);
  // What was not lost ran exactly once, on this worker or the next; what was lost at most once.
  EXPECT_LE(marks.count(), 1u);
  if (!outcome.lost) {
    EXPECT_EQ(marks.count(), 1u);
  }
  return outcome;
}

// 1 is what is promised; a larger stride, from outside, is a quicker look.
int stride_from_outside() {
  const char* const text = std::getenv("DEATH_TEST_STRIDE");
  return text == nullptr ? 1 : std::max(std::atoi(text), 1);
}

using ProcessPoolDeath = testing::ProcessPoolTest;

// Kills a worker after every number of instructions, or every so many, until the call is delivered before.
template <typename R>
void kill_at_every_instruction(ProcessPoolExecutor& executor, Marks& marks, int stride,
                               const std::function<Future<R>()>& submit, const R& value) {
  int points = 0;
  int lost = 0;
  int untouched = 0;
  bool delivered = false;
  for (int steps = 0; !delivered && !::testing::Test::HasFailure(); steps += stride) {
    const Outcome outcome = kill_after<R>(executor, marks, steps, submit, value);
    ++points;
    lost += outcome.lost ? 1 : 0;
    untouched += outcome.lost ? 0 : 1;
    delivered = outcome.delivered;
  }
  std::printf("%d kill points: %d lost the call, %d did not (not yet taken, or delivered)\n", points, lost, untouched);
  ::testing::Test::RecordProperty("kill_points", points);
  EXPECT_GT(lost, 0);
  EXPECT_GT(untouched, 0);
}

TEST_P(ProcessPoolDeath, P6_AtEveryInstruction) {
  Marks marks;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  kill_at_every_instruction<int>(
      executor, marks, stride_from_outside(), [&] { return executor.submit(mark, marks.path(), 7); }, 7);
}

TEST_P(ProcessPoolDeath, P6_AtEveryInstructionOfACallThatWantsRoom) {
  Marks marks;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const std::string payload(internal::kInlineBytes + 1, 'x');
  const int stride = stride_from_outside();
  // The path is three times as long, and stepped along once for each kill.
  kill_at_every_instruction<std::string>(
      executor, marks, stride == 1 ? 1 : 5 * stride,
      [&] { return executor.submit(mark_and_return, marks.path(), payload); }, payload);
}

// The same while a second worker takes and delivers as fast as it can: the one that dies is somewhere in the middle.
TEST_P(ProcessPoolDeath, P6_AtEveryInstructionWhileAnotherWorkerRuns) {
  constexpr int kCalls = 6;
  // More than one call takes; with a stride, the build is not optimised, and a call takes ten times as many.
  const int stride = stride_from_outside();
  const int steps_max = stride == 1 ? 1600 : 16000;
  const int steps_apart = stride == 1 ? 1 : 200;
  const int pause_us = stride == 1 ? 500 : 10000;
  Marks marks;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  int points = 0;
  int lost_in_all = 0;
  for (int steps = 0; steps < steps_max && !::testing::Test::HasFailure(); steps += steps_apart) {
    const pid_t worker = idle_worker(executor);
    marks.reset();
    std::vector<Future<int>> calls;
    {
      Traced traced(worker);
      for (int i = 0; i < kCalls; ++i) calls.push_back(executor.submit(mark_slowly, marks.path(), i, pause_us));
      for (int i = 0; i < steps && traced.step(); ++i) {
      }
    }
    std::size_t lost = 0;
    for (int i = 0; i < kCalls; ++i) {
      try {
        EXPECT_EQ(calls[i].result(20s), i);
      } catch (const WorkerDiedError& e) {
        EXPECT_EQ(e.pid(), worker);
        ++lost;
      } catch (const TimeoutError&) {
        ADD_FAILURE() << "call " << i << " hangs after " << steps << " steps";
      }
    }
    EXPECT_LE(lost, 1u);
    EXPECT_LE(marks.count(), kCalls);
    EXPECT_GE(marks.count(), kCalls - lost);
    ++points;
    lost_in_all += static_cast<int>(lost);
  }
  std::printf("%d kill points: %d lost a call\n", points, lost_in_all);
  EXPECT_GT(lost_in_all, points / 40);  // The other worker takes most calls; enough kills must hit one even so.
}

FOR_BOTH_ISOLATIONS(ProcessPoolDeath);

}  // namespace
}  // namespace futures
