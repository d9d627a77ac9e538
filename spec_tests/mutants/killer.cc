#include "spec_tests/mutants/killer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "spec_tests/mutants/mutant.h"

namespace futures::mutants {
namespace {

// Simulated programs of a few threads take some dozen megabytes. Less would take sparse mappings for use; more lets a
// mutant that allocates for ever disturb the others.
constexpr rlim_t kMemoryBytesMax = rlim_t{4} << 30;

// A program that computes gets its share of a busy machine within this many times its limit; one that hangs is awaited
// for so long.
constexpr unsigned kWallPerCpuSecond = 20;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// The child's side, between fork and exec: async-signal-safe calls alone.
[[noreturn]] void become(const Killer& killer, int output, char* const* argv, char* const* environment) {
  const auto cpu = static_cast<rlim_t>(killer.cpu_seconds);
  const rlimit cpu_limit{cpu, cpu + 1};
  const rlimit memory_limit{kMemoryBytesMax, kMemoryBytesMax};
  const rlimit no_core{0, 0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CPU, &cpu_limit);
  setrlimit(RLIMIT_AS, &memory_limit);
  setrlimit(RLIMIT_CORE, &no_core);
  alarm(static_cast<unsigned>(killer.cpu_seconds) * kWallPerCpuSecond);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execve(argv[0], argv, environment);
  _exit(126);
}

std::string read_all(int file) {
  std::string text;
  char buffer[1 << 14];
  while (true) {
    const ssize_t bytes = pread(file, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (bytes <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(bytes));
  }
}

// What follows `mark` in the line.
std::optional<std::string_view> behind(std::string_view line, std::string_view mark) {
  if (!absl::ConsumePrefix(&line, mark)) return std::nullopt;
  return line.substr(0, line.find_first_of(", ("));
}

// Of a line such as "NAME: 120 schedules, 4 steps".
long schedules_of(std::string_view line) {
  const std::size_t end = line.find(" schedules, ");
  if (end == std::string_view::npos) return 0;
  const std::size_t begin = line.rfind(' ', end - 1) + 1;
  long schedules = 0;
  return absl::SimpleAtoi(line.substr(begin, end - begin), &schedules) ? schedules : 0;
}

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status)) return "";
  const int signal = WTERMSIG(status);
  if (signal == SIGXCPU || signal == SIGALRM || signal == SIGKILL) return " (takes too long)";
  return absl::StrCat(" (crash: ", strsignal(signal), ")");
}

}  // namespace

std::vector<Killer> parse_killers(std::string_view text, std::string_view root) {
  std::vector<Killer> killers;
  for (std::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    Killer killer;
    if (parts.size() != 5 || !absl::SimpleAtoi(parts[2], &killer.shards) ||
        !absl::SimpleAtoi(parts[3], &killer.cpu_seconds)) {
      throw std::runtime_error(absl::StrCat("not a line about a killer: ", line));
    }
    killer.name = parts[0];
    killer.program = absl::StrCat(root, "/", parts[1]);
    killer.in_test = parts[4] == "test";
    killers.push_back(std::move(killer));
  }
  return killers;
}

Run judge(std::string_view output, int status) {
  Run run;
  run.has_mutant = !(WIFEXITED(status) && WEXITSTATUS(status) == kNoSuchMutant);
  std::string_view running;
  std::optional<std::string_view> failed;
  for (std::string_view line : absl::StrSplit(output, '\n')) {
    if (const auto test = behind(line, "[ RUN      ] ")) running = *test;
    if (const auto test = behind(line, "[       OK ] ")) running = "";
    if (const auto test = behind(line, "[  FAILED  ] "); test && !failed) failed = test;
    run.schedules += schedules_of(line);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return run;
  if (!failed) failed = running;
  run.killed_by = absl::StrCat(failed->empty() ? "no test" : *failed, how_it_ended(status));
  return run;
}

Run run_killer(const Killer& killer, int shard, std::string_view mutant) {
  std::string arguments[] = {killer.program, "--gtest_fail_fast", "--gtest_color=no"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  std::string variables[] = {absl::StrCat(kMutantVariable, "=", mutant),
                             absl::StrCat("GTEST_TOTAL_SHARDS=", killer.shards),
                             absl::StrCat("GTEST_SHARD_INDEX=", shard), "LC_ALL=C"};
  char* environment[] = {variables[0].data(), variables[1].data(), variables[2].data(), variables[3].data(), nullptr};
  const int output = memfd_create("output", MFD_CLOEXEC);
  if (output < 0) fail("memfd_create");
  const pid_t child = fork();
  if (child == 0) become(killer, output, argv, environment);
  if (child < 0) {
    close(output);
    fail("fork");
  }
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  Run run = judge(read_all(output), status);
  close(output);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 126) {
    errno = ENOENT;
    fail(killer.program.c_str());
  }
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  run.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return run;
}

}  // namespace futures::mutants
