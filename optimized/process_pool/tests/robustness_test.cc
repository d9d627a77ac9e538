// What a pool of processes bears: its fork server and workers killed or stopped at bad moments, calls that treat their
// worker badly, a program that is killed. Laws P5, P8, P10, P11, P13, P14, T9.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::expect_pool_works;
using testing::GateFile;
using testing::own_pid;
using testing::pass;
using testing::soon;
using testing::twice;

using ProcessPoolRobustness = testing::ProcessPoolTest;

// Returns once it stands still.
void stop(pid_t pid) {
  kill(pid, SIGSTOP);
  EXPECT_TRUE(soon([pid] { return testing::state_of(pid) == 'T'; }));
}

// --- The fork server.

TEST_P(ProcessPoolRobustness, P5_TheForkServersDeathCostsNoCall) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  const pid_t server = testing::fork_server();
  ASSERT_GT(server, 0);
  kill(server, SIGKILL);
  EXPECT_TRUE(soon([&] { return testing::state_of(server) == '?'; }));
  // Another one is there as soon as a worker is needed.
  const pid_t other = executor.submit(own_pid).result(20s);
  expect_pool_works(executor);
  kill(other, SIGKILL);
  expect_pool_works(executor);
  gate.open();
  EXPECT_EQ(running.result(), 1);
}

// Workers come and go all the time, so servers die in the middle of making one.
TEST_P(ProcessPoolRobustness, P5_TheForkServerDiesAtRandomMoments) {
  ProcessPoolExecutor executor({.max_workers = 3, .isolation = GetParam(), .max_calls_per_worker = 1});
  int kills = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<Future<int>> calls;
    for (int i = 0; i < 8; ++i) calls.push_back(executor.submit(twice, i));
    std::this_thread::sleep_for(std::chrono::microseconds(137 * (round % 29)));
    if (const pid_t server = testing::fork_server(); server > 0 && kill(server, SIGKILL) == 0) ++kills;
    for (int i = 0; i < 8; ++i) EXPECT_EQ(calls[i].result(20s), 2 * i);
  }
  EXPECT_GT(kills, 10);
}

TEST_P(ProcessPoolRobustness, P5_ForkServersThatDieLeaveNothing) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::size_t before = 0;
  for (int round = 0; round < 5; ++round) {
    const pid_t worker = executor.submit(own_pid).result(20s);
    if (round == 0) before = testing::open_descriptors();
    EXPECT_TRUE(soon([before] { return testing::open_descriptors() == before; })) << testing::open_descriptors();
    const pid_t server = testing::fork_server();
    ASSERT_GT(server, 0);
    kill(server, SIGKILL);
    EXPECT_TRUE(soon([&] { return testing::state_of(server) == '?'; }));
    kill(worker, SIGKILL);
    expect_pool_works(executor);
  }
}

TEST_P(ProcessPoolRobustness, P5_TheForkServerIsStopped) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  const pid_t worker = executor.submit(own_pid).result();
  const pid_t server = testing::fork_server();
  ASSERT_GT(server, 0);
  stop(server);
  expect_pool_works(executor);
  kill(worker, SIGKILL);
  // Nobody replaces it, and the rest of the pool goes on, and comes to its end.
  gate.open();
  EXPECT_EQ(running.result(20s), 1);
  expect_pool_works(executor);
}

TEST_P(ProcessPoolRobustness, P8_KillWorkersWhileTheForkServerIsStopped) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  EXPECT_GT(executor.submit(own_pid).result(), 0);
  const pid_t server = testing::fork_server();
  ASSERT_GT(server, 0);
  stop(server);
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  const Future<int> other = executor.submit(pass, gate.path(), 2);  // Its worker is ordered, and never comes.
  EXPECT_TRUE(soon([&] { return running.running(); }));
  executor.kill_workers();
  EXPECT_THROW(running.result(), BrokenProcessPool);
  EXPECT_TRUE(other.cancelled());
}

// --- Workers.

TEST_P(ProcessPoolRobustness, P5_AWorkerIsStoppedInACall) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const Future<pid_t> stopped =
      executor.submit([](const std::string& path) { return pass(path, 0), getpid(); }, gate.path());
  EXPECT_TRUE(soon([&] { return stopped.running(); }));
  const pid_t other = executor.submit(own_pid).result(20s);
  const std::vector<pid_t> pids = executor.worker_pids();
  for (const pid_t pid : pids) {
    if (pid != other) stop(pid);
  }
  gate.open();
  expect_pool_works(executor);
  EXPECT_FALSE(stopped.done());
  executor.kill_workers();
  EXPECT_THROW(stopped.result(), BrokenProcessPool);
}

TEST_P(ProcessPoolRobustness, P5_AWorkerIsStoppedBetweenCalls) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  GateFile gate;
  const Future<int> first = executor.submit(pass, gate.path(), 1);
  const Future<int> second = executor.submit(pass, gate.path(), 2);
  EXPECT_TRUE(soon([&] { return first.running() && second.running(); }));
  gate.open();
  first.result();
  second.result();
  // At whatever it is: looking for calls, or asleep.
  const pid_t stopped = executor.worker_pids()[0];
  stop(stopped);
  expect_pool_works(executor);
  kill(stopped, SIGCONT);
  expect_pool_works(executor);
}

// Whoever sees a call run can name, and kill, the worker that runs it: however busy the pool's own threads are.
TEST_P(ProcessPoolRobustness, P8_AWorkerThatRunsACallIsNamed) {
  for (int i = 0; i < 50; ++i) {
    GateFile gate;
    ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
    const std::array calls = {executor.submit(pass, gate.path(), 0), executor.submit(pass, gate.path(), 1)};
    while (!calls[0].running() || !calls[1].running()) {
    }
    EXPECT_EQ(executor.worker_pids().size(), 2u);
    gate.open();
  }
}

TEST_P(ProcessPoolRobustness, P5_AllWorkersDieAtOnce) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 4, .isolation = GetParam()});
  std::vector<Future<int>> running;
  for (int i = 0; i < 4; ++i) running.push_back(executor.submit(pass, gate.path(), i));
  EXPECT_TRUE(soon([&] { return std::ranges::all_of(running, [](const auto& f) { return f.running(); }); }));
  std::vector<Future<int>> behind;
  for (int i = 0; i < 400; ++i) behind.push_back(executor.submit(twice, i));
  for (const pid_t pid : executor.worker_pids()) kill(pid, SIGKILL);
  for (const auto& call : running) {
    try {
      call.result(20s);
      ADD_FAILURE() << "the call survived its worker";
    } catch (const WorkerDiedError& e) {
      EXPECT_EQ(e.signal(), SIGKILL);
    }
  }
  for (int i = 0; i < 400; ++i) EXPECT_EQ(behind[i].result(20s), 2 * i);
}

// A call that ignores SIGTERM, from when that is_stubborn says until the gate is open.
std::string mark_of(const std::string& gate) { return gate + "_obeys"; }
Future<int> submit_stubborn(ProcessPoolExecutor& executor, const GateFile& gate) {
  std::ofstream(mark_of(gate.path())).close();
  const auto ignore = [](const std::string& path) {
    signal(SIGTERM, SIG_IGN);
    std::filesystem::remove(mark_of(path));
    return pass(path, 1);
  };
  return executor.submit(ignore, gate.path());
}
bool is_stubborn(const GateFile& gate) { return !std::filesystem::exists(mark_of(gate.path())); }

TEST_P(ProcessPoolRobustness, P8_TerminateEscalates) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 3, .isolation = GetParam(), .terminate_grace = 300ms});
  const Future<int> ignoring = submit_stubborn(executor, gate);
  const Future<int> obeying = executor.submit(pass, gate.path(), 2);
  EXPECT_TRUE(soon([&] { return obeying.running() && is_stubborn(gate); }));
  const auto start = std::chrono::steady_clock::now();
  executor.terminate_workers();
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  EXPECT_THROW(ignoring.result(), BrokenProcessPool);
  EXPECT_THROW(obeying.result(), BrokenProcessPool);
}

TEST_P(ProcessPoolRobustness, P8_TerminateMayWaitForEver) {
  GateFile gate;
  ProcessPoolExecutor executor(
      {.max_workers = 1, .isolation = GetParam(), .terminate_grace = std::chrono::nanoseconds::max()});
  const Future<int> ignoring = submit_stubborn(executor, gate);
  EXPECT_TRUE(soon([&] { return is_stubborn(gate); }));
  std::thread terminating([&] { executor.terminate_workers(); });
  EXPECT_FALSE(ignoring.wait(300ms));
  gate.open();
  terminating.join();
  EXPECT_EQ(ignoring.result(), 1);
}

TEST_P(ProcessPoolRobustness, P8_TerminateIsAtOnceWhereWorkersObey) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .terminate_grace = 1h});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  executor.terminate_workers();
  EXPECT_THROW(running.result(), BrokenProcessPool);
}

// --- Calls that treat their worker badly.

TEST_P(ProcessPoolRobustness, P11_AWorkerClosesAllItsDescriptors) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto close_all = [] {
    for (int fd = 0; fd < 1000; ++fd) close(fd);
    return 7;
  };
  EXPECT_EQ(executor.submit(close_all).result(20s), 7);
  expect_pool_works(executor);
}

TEST_P(ProcessPoolRobustness, P5_ACallExits) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const auto code_of = [&](void (*ends)(int), int code) {
    try {
      executor.submit(ends, code).result(20s);
    } catch (const WorkerDiedError& e) {
      return e.exit_code();
    }
    return -2;
  };
  EXPECT_EQ(code_of(&std::exit, 3), 3);
  EXPECT_EQ(code_of(&std::exit, 0), 0);
  EXPECT_EQ(code_of(&_exit, 4), 4);
  EXPECT_EQ(code_of(&_exit, 86), 86);  // What a worker exits with whose initializer has thrown.
  EXPECT_EQ(code_of(&_exit, 0), 0);
  expect_pool_works(executor);
}

template <typename Act>
bool is_refused(const Act& act) {
  try {
    act();
  } catch (const BrokenExecutor&) {
    return true;
  }
  return false;
}

TEST_P(ProcessPoolRobustness, T9_AForkedChildsCopyIsInert) {
  GateFile gate;
  std::optional<ProcessPoolExecutor> executor(std::in_place,
                                              ProcessPoolOptions{.max_workers = 1, .isolation = GetParam()});
  const Future<int> running = executor->submit(pass, gate.path(), 7);
  const Future<int> pending = executor->submit(twice, 21);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // Seconds; it hangs at nothing.
    const bool all_refused =
        is_refused([&] { executor->submit(twice, 1); }) && is_refused([&] { executor->shutdown(); }) &&
        is_refused([&] { executor->kill_workers(); }) && is_refused([&] { executor->worker_pids(); }) &&
        is_refused([&] { running.result(); }) && is_refused([&] { pending.cancel(); });
    executor.reset();  // And that neither throws nor waits.
    _exit(all_refused ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  gate.open();
  EXPECT_EQ(running.result(20s), 7);
  EXPECT_EQ(pending.result(20s), 42);
}

TEST_P(ProcessPoolRobustness, P10_ACallForksAChildThatLivesLonger) {
  GateFile gate;
  {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    const auto fork_child = [](const std::string& path) {
      const pid_t child = fork();
      if (child != 0) return child;
      prctl(PR_SET_NAME, "worker's child");
      pass(path, 0);
      _exit(0);
    };
    EXPECT_GT(executor.submit(fork_child, gate.path()).result(20s), 0);
    expect_pool_works(executor);
    kill(executor.worker_pids()[0], SIGKILL);
    expect_pool_works(executor);
  }
  gate.open();
}

TEST_P(ProcessPoolRobustness, P13_StandardDescriptors) {
  const std::string path = "/dev/shm/output_" + std::to_string(getpid());
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
  std::fflush(nullptr);
  const std::array<int, 2> kept = {dup(1), dup(2)};
  dup2(file, 1);
  dup2(file, 2);
  std::string standard_input;
  {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    standard_input = executor
                         .submit([] {
                           std::fputs("out\n", stdout);
                           std::fflush(stdout);
                           std::fputs("err\n", stderr);
                           return std::filesystem::read_symlink("/proc/self/fd/0").string();
                         })
                         .result();
  }
  dup2(kept[0], 1);
  dup2(kept[1], 2);
  for (const int fd : {kept[0], kept[1], file}) close(fd);
  std::ifstream written(path);
  const std::string text((std::istreambuf_iterator<char>(written)), std::istreambuf_iterator<char>());
  std::filesystem::remove(path);
  EXPECT_EQ(standard_input, "/dev/null");
  EXPECT_EQ(text, "out\nerr\n");
}

TEST_P(ProcessPoolRobustness, P14_Signals) {
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR2);
  sigaddset(&some, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &some, &before);
  const auto handler = signal(SIGUSR1, [](int) {});
  const auto pipe_handler = signal(SIGPIPE, SIG_IGN);
  const auto interrupt = signal(SIGINT, SIG_DFL);
  for (const StartMethod method : {StartMethod::kForkServer, StartMethod::kSpawn}) {
    ProcessPoolExecutor executor({.max_workers = 1, .start_method = method, .isolation = GetParam()});
    const auto signals = [] {
      std::array<unsigned long long, 3> sets{};
      std::ifstream status("/proc/self/status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("SigBlk:")) sets[0] = std::stoull(line.substr(7), nullptr, 16);
        if (line.starts_with("SigIgn:")) sets[1] = std::stoull(line.substr(7), nullptr, 16);
        if (line.starts_with("SigCgt:")) sets[2] = std::stoull(line.substr(7), nullptr, 16);
      }
      return sets;
    };
    const auto [blocked, ignored, caught] = executor.submit(signals).result();
    EXPECT_EQ(blocked, 0u);
    EXPECT_EQ(ignored, 1ull << (SIGINT - 1));
    EXPECT_EQ(caught & (1ull << (SIGUSR1 - 1)), 0u);
  }
  signal(SIGUSR1, handler);
  signal(SIGPIPE, pipe_handler);
  signal(SIGINT, interrupt);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// --- The program is killed.

// Starts a program, by fork: this one has no other thread now. Gives the pids of its two workers, each in a call.
pid_t start_program(Isolation isolation, bool with_child, std::vector<pid_t>& workers, const std::string& gate) {
  std::array<int, 2> report{};
  if (pipe2(report.data(), O_CLOEXEC) != 0) return 0;
  const pid_t program = fork();
  if (program == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    ProcessPoolExecutor executor({.max_workers = 2, .isolation = isolation});
    const Future<int> one = executor.submit(pass, gate, 1);
    const Future<int> other = executor.submit(pass, gate, 2);
    // A worker can take a call before the program has heard that it lives.
    std::vector<pid_t> told;
    const auto both_run = [&] {
      told = executor.worker_pids();
      return told.size() == 2 && one.running() && other.running();
    };
    if (!soon(both_run)) _exit(1);
    if (with_child) {
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_NAME, "worker's uncle");  // Collected as an orphan, like the workers.
        close(report[1]);
        pass(gate, 0);
        _exit(0);
      }
      told.push_back(child);
    }
    if (write(report[1], told.data(), told.size() * sizeof(pid_t)) < 0) _exit(1);
    for (;;) pause();
  }
  close(report[1]);
  workers.resize(with_child ? 3 : 2);
  const ssize_t bytes = read(report[0], workers.data(), workers.size() * sizeof(pid_t));
  close(report[0]);
  EXPECT_EQ(bytes, static_cast<ssize_t>(workers.size() * sizeof(pid_t)));
  return program;
}

// Returns when its fork server, now an orphan, is gone as well.
void kill_program(pid_t program) {
  kill(program, SIGKILL);
  waitpid(program, nullptr, 0);
  EXPECT_TRUE(soon([] { return testing::fork_server() == 0; }));
  testing::reap_orphans("fork_server");
}

bool is_gone(pid_t pid) {
  const char state = testing::state_of(pid);
  return state == '?' || state == 'Z';
}

TEST_P(ProcessPoolRobustness, P10_TheProgramIsKilled) {
  GateFile gate;
  std::vector<pid_t> workers;
  const pid_t program = start_program(GetParam(), false, workers, gate.path());
  ASSERT_GT(program, 0);
  kill_program(program);
  for (const pid_t worker : workers) EXPECT_TRUE(soon([&] { return is_gone(worker); })) << worker;
}

TEST_P(ProcessPoolRobustness, P10_TheProgramIsKilledAndAChildOfItLives) {
  GateFile gate;
  std::vector<pid_t> workers;
  const pid_t program = start_program(GetParam(), true, workers, gate.path());
  ASSERT_GT(program, 0);
  const pid_t child = workers.back();
  workers.pop_back();
  kill_program(program);
  for (const pid_t worker : workers) EXPECT_TRUE(soon([&] { return is_gone(worker); })) << worker;
  EXPECT_FALSE(is_gone(child));
}

FOR_BOTH_ISOLATIONS(ProcessPoolRobustness);

}  // namespace
}  // namespace futures
