// A candidate: an executor under test, made through one factory, and what it promises.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "futures/count.h"
#include "futures/executor.h"
#include "futures/internal/time.h"
#include "reference/model.h"

namespace futures::spec_tests {

// Where workers come from. Law P9.
enum class ProcessStart { kForkServer, kSpawn, kFork };

// The options that every candidate has to offer whose calls run in other processes.
struct ProcessOptions {
  ProcessStart start = ProcessStart::kForkServer;
  void (*initializer)() = nullptr;         // Runs first in each worker. Law T4.
  std::uint64_t max_calls_per_worker = 0;  // 0: any number. Law P7.
  // How long workers that do not obey SIGTERM live on. Law P8.
  std::chrono::nanoseconds terminate_grace = std::chrono::seconds(5);
  // What calls and workers may take; no limit where it is 0 or absent. Law P12.
  std::optional<std::chrono::nanoseconds> call_timeout = std::nullopt;
  std::uint64_t worker_address_space_bytes_max = 0;
  std::uint64_t worker_cpu_seconds_max = 0;
  // Room for what is on its way to workers, and as much for what comes from them.
  std::size_t payload_bytes_max = std::size_t{1} << 30;
};

// The options that every candidate has to offer.
struct ExecutorOptions {
  std::optional<Count> max_workers = std::nullopt;
  std::string thread_name_prefix = "laws";
  std::function<void()> initializer = nullptr;
  std::size_t stack_bytes = 0;                  // 0: the system's default. Law T10.
  OnUnwind on_unwind = OnUnwind::kDrain;        // Law S6.
  ExitPolicy exit_policy = ExitPolicy::kDrain;  // Law S8.
  ProcessOptions processes = {};                // Nothing to candidates whose calls run on threads.
};

struct Candidate {
  std::string name;  // As in the conformance table: "reference", "thread_pool", ...
  std::function<std::unique_ptr<Executor>(const ExecutorOptions&)> make;
  // What it promises; max_workers is set per trace.
  model::Policy policy;
  // Whether calls share the program's memory. Where they do not, a check is not run that says so of itself.
  bool shares_memory = true;
  // For candidates whose calls run in other processes, beside the Executor interface; the others leave it out.
  // Ends all workers by the signal, SIGTERM or SIGKILL, and returns when none is left. Law P8.
  std::function<void(Executor& executor, int signal)> end_workers = nullptr;
  // The processes that are alive as workers now.
  std::function<std::vector<pid_t>(Executor& executor)> worker_pids = nullptr;
  // Whether a worker that turns hostile can touch no call but those that it is given. Law P11.
  bool confines_workers = false;
  // The laws that do not apply to this candidate, each with the reason, beside those of which no check and no trace is
  // for it. Must equal the table in docs/SPEC.md.
  std::map<std::string, std::string> skips;
  // For a candidate that is broken on purpose: the law at which it must be caught. Such a candidate runs only when
  // named.
  std::string broken_law = "";
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_CANDIDATE_H_
