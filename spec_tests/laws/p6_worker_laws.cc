// Laws P6 to P9 and P12: the lives of workers, for executors whose calls run in other processes.
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/child.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"

namespace futures::spec_tests {
namespace {

// So that what follows comes at one moment or another. Nothing depends on which.
void pause_at_random(std::mt19937_64& random) {
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
}

// ---------------------------------------------------------------------------------------------- P6

// Takes a few times as long as it takes to hand it out and to deliver it, so that workers die mostly here, and
// sometimes there.
std::string echo(const SharedCount& ran, const std::string& text) {
  ran.add();
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(500);
  while (std::chrono::steady_clock::now() < until) {
  }
  return text;
}

// A call that counts its runs.
struct Counted {
  SharedCount ran;
  std::string text;
  Future<std::string> result;
};

Counted submit_counted(Executor& executor, std::size_t bytes) {
  Counted call{.ran = SharedCount(), .text = std::string(bytes, 'x'), .result = {}};
  call.result = executor.submit(&echo, call.ran, call.text);
  return call;
}

// Returns whether the call was lost with its worker.
bool expect_given_or_lost(const LawRun& run, const Counted& call, const std::set<pid_t>& killed) {
  try {
    run.expect(call.result.result(kPatience) == call.text, "a call has its own result, whoever dies");
    run.expect(call.ran.value() == 1, "a call that has a result ran once");
    return false;
  } catch (const WorkerDiedError& e) {
    run.expect(killed.contains(e.pid()), "a call is lost only with a worker that died");
    run.expect(call.ran.value() <= 1, "a call that was lost is not run again");
  } catch (const std::exception& e) {
    run.expect(false, absl::StrCat("a call ends with its result or with its worker; it ends with: ", e.what()));
  }
  return true;
}

void P6_ADeathAtAnyMomentCostsOnlyTheCallsThatRan(LawRun& run) {
  constexpr int kDeaths = 32;
  constexpr int kCallsPerDeath = 12;
  // Hardly room for the payloads: none of it may be lost with a worker.
  const auto executor =
      open(run, ExecutorOptions{.max_workers = 3, .processes = {.payload_bytes_max = std::size_t{1} << 20}});
  std::mt19937_64 random(6);
  std::vector<Counted> calls;
  std::set<pid_t> killed;
  for (int death = 0; death < kDeaths; ++death) {
    for (int i = 0; i < kCallsPerDeath; ++i) calls.push_back(submit_counted(*executor, i % 3 == 0 ? 100'000 : 10));
    pause_at_random(random);
    const std::vector<pid_t> workers = run.candidate().worker_pids(*executor);
    const pid_t victim = workers.empty() ? 0 : workers[random() % workers.size()];
    if (victim != 0 && ::kill(victim, SIGKILL) == 0) killed.insert(victim);
    // Workers that die again and again before they take a call would break the pool (law P5).
    expect_done(run, calls[calls.size() - kCallsPerDeath / 2].result, "calls go on, whoever dies");
  }
  std::size_t lost = 0;
  for (const Counted& call : calls) lost += expect_given_or_lost(run, call, killed) ? 1 : 0;
  run.expect(lost <= killed.size(), "no more calls are lost than workers have died");
  expect_result(run, executor->submit(&unchanged, 7), 7, "the pool lives on");
}

// ---------------------------------------------------------------------------------------------- P7

pid_t initialized = 0;
void initialize() { initialized = ::getpid(); }

// The worker, and who was initialized there.
std::array<pid_t, 2> worker_as_initialized() { return {::getpid(), initialized}; }

void P7_WorkersAreReplacedAfterTheirCalls(LawRun& run) {
  constexpr int kCallsPerWorker = 3;
  constexpr int kCalls = 24;
  const ProcessOptions processes{.initializer = &initialize, .max_calls_per_worker = kCallsPerWorker};
  const auto executor = open(run, ExecutorOptions{.max_workers = 2, .processes = processes});
  std::vector<Future<std::array<pid_t, 2>>> calls;
  for (int i = 0; i < kCalls; ++i) calls.push_back(executor->submit(&worker_as_initialized));
  std::map<pid_t, int> calls_of_worker;
  for (const auto& call : calls) {
    if (!expect_done(run, call, "no call is lost when a worker is replaced")) continue;
    const auto [worker, initialized_there] = call.result();
    ++calls_of_worker[worker];
    run.expect(initialized_there == worker, "a worker that replaces another is initialized");
  }
  for (const auto& [worker, count] : calls_of_worker) {
    run.expect(count <= kCallsPerWorker, absl::StrCat("a worker runs its calls and no more; it ran ", count));
    if (count < kCallsPerWorker) continue;
    run.expect_soon([worker = worker] { return has_ended(worker); }, "a worker that has run its calls ends");
  }
}

// ---------------------------------------------------------------------------------------------- P8

void end_workers(const LawRun& run, const std::shared_ptr<Executor>& executor, int signal) {
  const WatchedThread ender(run, "ending the workers returns",
                            [executor, signal, end = run.candidate().end_workers] { end(*executor, signal); });
}

void expect_none_survives(const LawRun& run, Executor& executor, const std::vector<pid_t>& workers) {
  for (const pid_t worker : workers) run.expect(has_ended(worker), "no worker survives");
  run.expect(run.candidate().worker_pids(executor).empty(), "an executor whose workers were ended has none");
  expect_throws<ShutdownError>(run, [&] { executor.submit(&unchanged, 1); }, "ending the workers closes the intake");
}

template <typename R>
void expect_broken(const LawRun& run, const Future<R>& future) {
  run.expect(future.done(), "no call is left when the workers have been ended");
  expect_error<BrokenProcessPool>(run, future, "a running call whose worker is ended gets BrokenProcessPool");
}

// Of workers the program hears a little after they have begun.
std::vector<pid_t> workers_of(const LawRun& run, Executor& executor, std::size_t count) {
  std::vector<pid_t> workers;
  run.expect_soon(
      [&] {
        workers = run.candidate().worker_pids(executor);
        return workers.size() == count;
      },
      "an executor names its workers");
  return workers;
}

void expect_all_end(const LawRun& run, int signal) {
  const auto executor = open(run, 2);
  const BusyWorkers busy(run, *executor, 2);
  std::vector<Future<int>> pending;
  for (int i = 0; i < 3; ++i) pending.push_back(executor->submit(&unchanged, i));
  const std::vector<pid_t> workers = workers_of(run, *executor, 2);
  end_workers(run, executor, signal);
  for (const Future<int>& future : busy.futures()) expect_broken(run, future);
  for (const Future<int>& future : pending)
    run.expect(future.cancelled(), "a pending call is cancelled with the workers");
  expect_none_survives(run, *executor, workers);
}

void P8_KillLeavesNoWorkerAndNoCall(LawRun& run) { expect_all_end(run, SIGKILL); }
void P8_TerminateLeavesNoWorkerAndNoCall(LawRun& run) { expect_all_end(run, SIGTERM); }

int ignore_sigterm(const Gate::Entrance& at) {
  ::signal(SIGTERM, SIG_IGN);
  at.pass();
  return 1;
}
int stop(const SharedCount& begun) {
  begun.add();
  ::raise(SIGSTOP);
  return 1;
}

void P8_TerminateKillsWorkersThatDoNotObey(LawRun& run) {
  const ProcessOptions processes{.terminate_grace = std::chrono::milliseconds(100)};
  const auto executor = open(run, ExecutorOptions{.max_workers = 2, .processes = processes});
  const Gate gate;
  const SharedCount begun;
  const Future<int> ignoring = executor->submit(&ignore_sigterm, gate.entrance());
  const Future<int> stopped = executor->submit(&stop, begun);
  run.expect(gate.await_arrivals(1) && begun.reaches(1), "free workers start the calls that are submitted");
  const std::vector<pid_t> workers = workers_of(run, *executor, 2);
  end_workers(run, executor, SIGTERM);
  expect_broken(run, ignoring);
  expect_broken(run, stopped);
  expect_none_survives(run, *executor, workers);
}

void P8_WorkersMayBeEndedAtAnyMoment(LawRun& run) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 8; ++round) {
    const auto executor = open(run, 2);
    std::vector<Future<int>> calls;
    for (int i = 0; i < 10; ++i) calls.push_back(executor->submit(&unchanged, i));
    pause_at_random(random);
    end_workers(run, executor, round % 2 == 0 ? SIGKILL : SIGTERM);
    for (int i = 0; const Future<int>& call : calls) {
      const int value = i++;
      run.expect(call.done(), "no call is left when the workers have been ended");
      if (call.cancelled()) continue;
      try {
        run.expect(call.result(kPatience) == value, "a call that had ended keeps its result");
      } catch (const BrokenProcessPool&) {
      } catch (const std::exception& e) {
        run.expect(false, absl::StrCat("a call that did not end gets BrokenProcessPool; it gets: ", e.what()));
      }
    }
    expect_none_survives(run, *executor, {});
  }
}

// ---------------------------------------------------------------------------------------------- P9

// Random bytes that the kernel gives a process with each exec, and that forks of it keep.
using ExecMark = std::array<std::uint64_t, 2>;

ExecMark exec_mark() {
  ExecMark mark;
  std::memcpy(mark.data(), reinterpret_cast<const void*>(::getauxval(AT_RANDOM)), sizeof(mark));
  return mark;
}

ExecMark exec_mark_at(const Gate::Entrance& at) {
  at.pass();
  return exec_mark();
}

ExecutorOptions start_by(ProcessStart start) { return {.max_workers = 2, .processes = {.start = start}}; }

// Of two workers.
std::array<ExecMark, 2> exec_marks(const LawRun& run, Executor& executor) {
  const Gate gate;
  const Future<ExecMark> one = executor.submit(&exec_mark_at, gate.entrance());
  const Future<ExecMark> other = executor.submit(&exec_mark_at, gate.entrance());
  run.expect(gate.await_arrivals(2), "workers run calls, whatever the start method");
  gate.open();
  return {one.result(kPatience), other.result(kPatience)};
}

void P9_AThreadedProgramIsNotForkedWithoutExec(LawRun& run) {
  const auto threads = open(run, 1);  // Executors of processes have threads in the program.
  const auto forked = open(run, start_by(ProcessStart::kForkServer));
  const auto [of_fork, of_other_fork] = exec_marks(run, *forked);
  run.expect(of_fork != exec_mark(), "a fork server is not a fork of a threaded program");
  run.expect(of_fork == of_other_fork, "a fork server forks its workers");
  const auto spawned = open(run, start_by(ProcessStart::kSpawn));
  const auto [of_spawned, of_other_spawned] = exec_marks(run, *spawned);
  run.expect(of_spawned != exec_mark(), "a spawned worker is not a fork of a threaded program");
  run.expect(of_spawned != of_other_spawned, "each spawned worker comes from an exec of its own");
}

int known_to_forks = 0;
int what_is_known() { return known_to_forks; }

void P9_ForkIsForProgramsWithOneThread(LawRun& run) {
  {
    const auto threads = open(run, 1);
    expect_throws<std::logic_error>(
        run, [&] { run.make(start_by(ProcessStart::kFork)); },
        "an executor that would fork a threaded program is refused");
  }
  if (!kChildMayHaveThreads) return;
  in_child(run, "workers that are forks of the program run calls", [&run](const ChildReport& report) {
    known_to_forks = 7;
    const std::unique_ptr<Executor> executor = run.make(start_by(ProcessStart::kFork));
    report.expect(executor->submit(&what_is_known).result(kPatience) == 7, "a fork knows what main has set");
    report.expect(executor->submit(&exec_mark).result(kPatience) == exec_mark(), "a fork comes from no exec");
  });
}

// ---------------------------------------------------------------------------------------------- P12

int overrun(const SharedCount& worker, const Gate::Entrance& at) {
  worker.add(::getpid());
  at.pass();
  return 1;
}

void P12_ACallThatOverrunsIsEndedAlone(LawRun& run) {
  static_assert(!std::is_base_of_v<TimeoutError, CallTimeoutError>, "which is what a waiter gets whose time is up");
  // Far more than the other calls take.
  const auto executor = open(run, ExecutorOptions{.max_workers = 2, .processes = {.call_timeout = kPatience / 4}});
  const SharedCount worker;
  const Gate gate;
  const Future<int> overrunning = executor->submit(&overrun, worker, gate.entrance());
  std::vector<Future<int>> others;
  for (int i = 0; i < 10; ++i) others.push_back(executor->submit(&unchanged, i));
  expect_error<CallTimeoutError>(run, overrunning, "a call that overruns gets CallTimeoutError");
  run.expect_soon([&worker] { return has_ended(worker.value()); }, "the worker that overran is killed");
  for (int i = 0; i < 10; ++i) others.push_back(executor->submit(&unchanged, 10 + i));
  for (int i = 0; const Future<int>& other : others) expect_result(run, other, i++, "who overruns costs no other call");
  run.expect(gate.arrived() == 1, "a call that overran is not run again");
}

std::uint64_t address_space_bytes() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Takes so much memory for a moment. Throws std::bad_alloc. A sanitizer's own allocator would rather end the process.
int allocate(std::uint64_t bytes) {
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::munmap(memory, bytes);
#else
  void* const memory = ::operator new(bytes);
  *static_cast<volatile char*>(memory) = 1;
  ::operator delete(memory);
#endif
  return 1;
}

void P12_AddressSpaceIsLimited(LawRun& run) {
  constexpr std::uint64_t kRoomBytes = std::uint64_t{256} << 20;
  ProcessOptions processes{.payload_bytes_max = std::size_t{1} << 20};
  {
    // Beside what calls allocate, the limit holds what every worker has.
    const auto unlimited = open(run, ExecutorOptions{.max_workers = 1, .processes = processes});
    processes.worker_address_space_bytes_max = unlimited->submit(&address_space_bytes).result(kPatience) + kRoomBytes;
    expect_result(run, unlimited->submit(&allocate, 4 * kRoomBytes), 1, "without a limit a call may allocate as much");
  }
  const auto executor = open(run, ExecutorOptions{.max_workers = 1, .processes = processes});
  const Future<int> too_much = executor->submit(&allocate, 4 * kRoomBytes);
  const Future<int> little = executor->submit(&allocate, kRoomBytes / 256);
  expect_error<std::bad_alloc>(run, too_much, "a call that asks for more than the limit gets std::bad_alloc");
  expect_result(run, little, 1, "a call that stays below the limit is not disturbed");
}

int compute_for_ever() {
  for (volatile unsigned number = 0;; number = number + 1) {
  }
}

void P12_CpuTimeIsLimited(LawRun& run) {
  const auto executor = open(run, ExecutorOptions{.max_workers = 1, .processes = {.worker_cpu_seconds_max = 1}});
  const Future<int> endless = executor->submit(&compute_for_ever);
  const Future<int> behind = executor->submit(&unchanged, 7);
  // A second of processor time, which may be many others' as well.
  for (int i = 0; i < 10 && !endless.done(); ++i) endless.wait(kPatience);
  expect_error<WorkerDiedError>(run, endless, "a call that computes for longer than the limit loses its worker");
  expect_result(run, behind, 7, "the call behind it has a worker of its own");
}

constexpr Law kLaws[] = {
    law<P6_ADeathAtAnyMomentCostsOnlyTheCallsThatRan>("P6", "ADeathAtAnyMomentCostsOnlyTheCallsThatRan"),
    law<P7_WorkersAreReplacedAfterTheirCalls>("P7", "WorkersAreReplacedAfterTheirCalls"),
    law<P8_KillLeavesNoWorkerAndNoCall>("P8", "KillLeavesNoWorkerAndNoCall"),
    law<P8_TerminateLeavesNoWorkerAndNoCall>("P8", "TerminateLeavesNoWorkerAndNoCall"),
    law<P8_TerminateKillsWorkersThatDoNotObey>("P8", "TerminateKillsWorkersThatDoNotObey"),
    law<P8_WorkersMayBeEndedAtAnyMoment>("P8", "WorkersMayBeEndedAtAnyMoment"),
    law<P9_AThreadedProgramIsNotForkedWithoutExec>("P9", "AThreadedProgramIsNotForkedWithoutExec"),
    law<P9_ForkIsForProgramsWithOneThread>("P9", "ForkIsForProgramsWithOneThread"),
    law<P12_ACallThatOverrunsIsEndedAlone>("P12", "ACallThatOverrunsIsEndedAlone"),
    law<P12_AddressSpaceIsLimited>("P12", "AddressSpaceIsLimited"),
    law<P12_CpuTimeIsLimited>("P12", "CpuTimeIsLimited"),
};

}  // namespace

absl::Span<const Law> worker_laws() { return kLaws; }

}  // namespace futures::spec_tests
