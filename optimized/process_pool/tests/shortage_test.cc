// What a pool of processes bears: no memory for what travels, too few descriptors for itself or for its workers. Laws
// P3, P5, P9, P10.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace {
constexpr std::size_t kNoLimit = ~std::size_t{0};
// This process has no memory for more than so much at once; workers do not hear of it.
std::atomic<std::size_t> request_bytes_max{kNoLimit};
}  // namespace

void* operator new(std::size_t bytes) {
  if (bytes <= request_bytes_max.load(std::memory_order_relaxed)) {
    if (void* const memory = std::malloc(bytes)) return memory;
  }
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::expect_pool_works;
using testing::GateFile;
using testing::own_pid;
using testing::pass;
using testing::twice;

using ProcessPoolShortage = testing::ProcessPoolTest;

// From now on the system has no pages for a part of a memory file larger than this, in this process and its children.
void run_out_of_memory(std::uint32_t bytes) {
  constexpr auto kLength = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 3 * sizeof(std::uint64_t));
  std::array<sock_filter, 6> filter = {sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                       sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 3),
                                       sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kLength),
                                       sock_filter BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, bytes, 0, 1),
                                       sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
                                       sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {.len = filter.size(), .filter = filter.data()};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

void expect_large_payloads_fail_alone(Isolation isolation) {
  run_out_of_memory(4 << 20);  // First of all, so that the pool's threads have it, too.
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = isolation});
  const auto size = [](const std::string& text) { return text.size(); };
  const auto text = [](std::size_t bytes) { return std::string(bytes, 'x'); };
  EXPECT_THROW(executor.submit(size, text(8 << 20)).result(20s), SerializationError);
  EXPECT_THROW(executor.submit(text, std::size_t{8} << 20).result(20s), SerializationError);
  expect_pool_works(executor);
  EXPECT_EQ(executor.submit(size, text(1 << 20)).result(20s), 1u << 20);
  EXPECT_EQ(executor.submit(text, std::size_t{1} << 20).result(20s).size(), 1u << 20);
}

// In a process of its own: a filter of system calls is for life.
TEST_P(ProcessPoolShortage, P3_NoMemoryForAPayload) {
  const pid_t program = fork();
  if (program == 0) {
    expect_large_payloads_fail_alone(GetParam());
    _exit(HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(program, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_P(ProcessPoolShortage, P3_NoMemoryForTheCopyOfAResult) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const auto text = [](std::size_t bytes) { return std::string(bytes, 'x'); };
  EXPECT_EQ(executor.submit(text, std::size_t{1} << 20).result(20s).size(), 1u << 20);
  request_bytes_max = 1 << 19;
  EXPECT_THROW(executor.submit(text, std::size_t{1} << 20).result(20s), SerializationError);
  expect_pool_works(executor);
  request_bytes_max = kNoLimit;
  EXPECT_EQ(executor.submit(text, std::size_t{1} << 20).result(20s).size(), 1u << 20);
}

// Nor one that is thrown, whoever reads it: a thread in `result()`, or the pool's own.
TEST_P(ProcessPoolShortage, P3_NoMemoryForTheCopyOfAnException) {
  const auto fail = [](std::size_t bytes) -> int { throw std::out_of_range(std::string(bytes, 'x')); };
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  EXPECT_THROW(executor.submit(fail, std::size_t{1} << 20).result(20s), std::out_of_range);
  request_bytes_max = 1 << 19;
  EXPECT_THROW(executor.submit(fail, std::size_t{1} << 20).result(20s), SerializationError);
  std::atomic<bool> called = false;
  const Future<int> unwatched = executor.submit(fail, std::size_t{1} << 20);
  unwatched.add_done_callback([&](const Future<int>&) { called = true; });
  EXPECT_TRUE(testing::soon([&] { return called.load(); }));
  EXPECT_THROW(unwatched.result(20s), SerializationError);
  expect_pool_works(executor);
  request_bytes_max = kNoLimit;
  EXPECT_THROW(executor.submit(fail, std::size_t{1} << 20).result(20s), std::out_of_range);
}

// This process gets no more descriptors than it has.
class DescriptorShortage {
 public:
  DescriptorShortage() {
    getrlimit(RLIMIT_NOFILE, &before_);
    // The lowest number that is free is the first that is refused.
    const int free = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(free);
    const rlimit now = {static_cast<rlim_t>(free), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~DescriptorShortage() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_P(ProcessPoolShortage, P10_NoDescriptorForThePool) {
  const DescriptorShortage shortage;
  EXPECT_THROW(ProcessPoolExecutor({.max_workers = 1, .isolation = GetParam()}), std::system_error);
}

// Each pool that fails to start has got one step further than the one before; each leaves nothing.
TEST_P(ProcessPoolShortage, P10_TooFewDescriptorsForThePool) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(first);
  bool started = false;
  int failures = 0;
  for (int spare = 0; !started && spare < 40; ++spare) {
    const rlimit now = {static_cast<rlim_t>(first + spare), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
    try {
      const ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
      started = true;
    } catch (const std::system_error&) {
      ++failures;
    }
    setrlimit(RLIMIT_NOFILE, &before);
  }
  EXPECT_TRUE(started);
  EXPECT_GT(failures, 4);
}

// Many programs are started with a limit of some hundred.
TEST_P(ProcessPoolShortage, P9_StartsWhereFewDescriptorsMayBeOpen) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few = {64, before.rlim_max};
  for (const StartMethod method : {StartMethod::kForkServer, StartMethod::kSpawn}) {
    setrlimit(RLIMIT_NOFILE, &few);
    ProcessPoolExecutor executor({.max_workers = 2, .start_method = method, .isolation = GetParam()});
    const Future<int> call = executor.submit(twice, 21);
    EXPECT_NO_THROW(EXPECT_EQ(call.result(20s), 42));
    setrlimit(RLIMIT_NOFILE, &before);
  }
}

TEST_P(ProcessPoolShortage, P5_NoDescriptorForAWorker) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  Future<int> call;
  {
    const DescriptorShortage shortage;
    call = executor.submit(twice, 21);
    EXPECT_THROW(call.result(150ms), TimeoutError);  // Longer than it takes to try twice.
  }
  EXPECT_EQ(call.result(20s), 42);
}

TEST_P(ProcessPoolShortage, P5_NoDescriptorForEver) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const DescriptorShortage shortage;
  EXPECT_THROW(executor.submit(twice, 21).result(20s), BrokenProcessPool);
  EXPECT_THROW(executor.submit(twice, 21), BrokenProcessPool);
}

TEST_P(ProcessPoolShortage, P5_NoDescriptorForAReplacement) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  const pid_t other = executor.submit(own_pid).result(20s);
  {
    // A dead worker gives back what its replacement needs, so all that is free in between goes, too.
    std::vector<int> taken;
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few = {64, before.rlim_max};
    pollfd end = {static_cast<int>(syscall(SYS_pidfd_open, other, 0)), POLLIN, 0};
    setrlimit(RLIMIT_NOFILE, &few);
    const auto take_all = [&taken] {
      for (int fd = dup(1); fd >= 0; fd = dup(1)) taken.push_back(fd);
    };
    kill(other, SIGKILL);
    // Until then it may still take a call, and that one would fail with it.
    while (poll(&end, 1, 0) == 0) take_all();
    taken.push_back(end.fd);
    const Future<int> waiting = executor.submit(twice, 1);
    // Longer than it takes to try twice. What the dead worker gives back meanwhile is taken at once.
    const auto until = std::chrono::steady_clock::now() + 200ms;
    while (std::chrono::steady_clock::now() < until) {
      take_all();
      std::this_thread::yield();
    }
    gate.open();
    EXPECT_EQ(running.result(20s), 1);
    for (const int fd : taken) close(fd);
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(waiting.result(20s), 2);
  }
  expect_pool_works(executor);
}

FOR_BOTH_ISOLATIONS(ProcessPoolShortage);

}  // namespace
}  // namespace futures
