#include "optimized/process_pool/tests/pool_testing.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "futures/internal/time.h"

namespace futures::testing {
namespace {

// By the text of a process's or a thread's "stat" in /proc.
Process process_of(pid_t pid, const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size()) return {.pid = pid, .state = '?', .name = ""};
  Process process{.pid = pid, .state = text[close + 2], .name = text.substr(open + 1, close - open - 1)};
  // Of its fields, in the order of proc(5), the seventh after the name.
  std::istringstream fields(text.substr(close + 2));
  std::string skipped;
  for (int field = 0; field < 6; ++field) fields >> skipped;
  unsigned long flags = 0;
  fields >> flags;
  // A fork of the server that was killed before it was called a worker.
  constexpr unsigned long kForkedWithoutExec = 0x40;  // PF_FORKNOEXEC
  if (process.state == 'Z' && process.name == "fork_server" && (flags & kForkedWithoutExec) != 0)
    process.name = "worker";
  return process;
}

Process process_of(pid_t pid) { return process_of(pid, "/proc/" + std::to_string(pid) + "/stat"); }

// Waits for workers that came to this process because their fork server died before them. The server itself is waited
// for by the pool, or the test fails.
void reap_workers() { testing::reap_orphans("worker"); }

std::string described(const std::vector<Process>& processes) {
  std::string text;
  for (const Process& process : processes) {
    text += std::to_string(process.pid) + " " + process.name + " " + process.state + "\n";
  }
  return text;
}

}  // namespace

GateFile::GateFile()
    : path_([] {
        static int count = 0;
        return "/dev/shm/gate_" + std::to_string(getpid()) + "_" + std::to_string(++count);
      }()) {
  std::fclose(std::fopen(path_.c_str(), "w"));
}

void GateFile::open() { std::filesystem::remove(path_); }

int pass(const std::string& gate, int value) {
  // Hundreds may wait here at once, on few processors.
  constexpr std::chrono::milliseconds kNapMax{16};
  for (std::chrono::milliseconds nap{1}; std::filesystem::exists(gate); nap = std::min(2 * nap, kNapMax)) {
    std::this_thread::sleep_for(nap);
  }
  return value;
}

std::size_t pass_text(const std::string& gate, const std::string& text) {
  pass(gate, 0);
  return text.size();
}

int twice(int value) { return 2 * value; }
pid_t own_pid() { return getpid(); }

bool soon(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void expect_pool_works(ProcessPoolExecutor& executor) {
  constexpr int kCalls = 40;
  std::vector<Future<int>> calls;
  for (int i = 0; i < kCalls; ++i) calls.push_back(executor.submit(twice, i));
  for (int i = 0; i < kCalls; ++i) EXPECT_EQ(calls[i].result(std::chrono::seconds(30)), 2 * i);
}

std::vector<Process> children() {
  std::vector<Process> all;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) all.push_back(process_of(pid));
  }
  return all;
}

pid_t fork_server() {
  for (const Process& child : children()) {
    if (child.name == "fork_server" && child.state != 'Z') return child.pid;
  }
  return 0;
}

void reap_orphans(const std::string& name) {
  for (const Process& child : children()) {
    if (child.state == 'Z' && child.name.starts_with(name)) waitpid(child.pid, nullptr, 0);
  }
}

bool all_others_sleep(const ProcessPoolExecutor& executor) {
  for (const pid_t worker : executor.worker_pids()) {
    if (state_of(worker) != 'S') return false;
  }
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const pid_t thread = std::stoi(task.path().filename());
    if (thread != gettid() && process_of(thread, task.path() / "stat").state != 'S') return false;
  }
  return true;
}

std::size_t open_descriptors() {
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++entries;
  return entries;
}

std::string mapped_memory_files() {
  std::string all;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:") != std::string::npos) all += line + "\n";
  }
  return all;
}

char state_of(pid_t pid) { return process_of(pid).state; }

ProcessPoolTest::ProcessPoolTest() : descriptors_(open_descriptors()) { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void ProcessPoolTest::TearDown() {
  EXPECT_TRUE(soon([] { return reap_workers(), children().empty(); })) << "children left:\n" << described(children());
  EXPECT_TRUE(soon([this] { return open_descriptors() == descriptors_; })) << "descriptors left";
  EXPECT_EQ(mapped_memory_files(), "");
}

std::string isolation_name(const ::testing::TestParamInfo<Isolation>& info) {
  return info.param == Isolation::kShared ? "Shared" : "PerWorker";
}

}  // namespace futures::testing
