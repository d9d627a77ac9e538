#include "spec_tests/candidates/candidates.h"

#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <vector>

#include "optimized/process_pool_executor.h"
#include "reference/model.h"

namespace futures::spec_tests {
namespace {

template <Isolation kIsolation>
std::unique_ptr<Executor> make_process_pool(const ExecutorOptions& options) {
  ProcessPoolOptions pool_options = process_pool_options(options);
  pool_options.isolation = kIsolation;
  return std::make_unique<ProcessPoolExecutor>(pool_options);
}

ProcessPoolExecutor& process_pool(Executor& executor) { return static_cast<ProcessPoolExecutor&>(executor); }

void end_workers(Executor& executor, int signal) {
  signal == SIGKILL ? process_pool(executor).kill_workers() : process_pool(executor).terminate_workers();
}

std::vector<pid_t> worker_pids(Executor& executor) { return process_pool(executor).worker_pids(); }

StartMethod start_method(ProcessStart start) {
  switch (start) {
    case ProcessStart::kForkServer:
      return StartMethod::kForkServer;
    case ProcessStart::kSpawn:
      return StartMethod::kSpawn;
    case ProcessStart::kFork:
      return StartMethod::kFork;
  }
  return StartMethod::kForkServer;
}

}  // namespace

const std::vector<Candidate>& process_candidates() {
  // As threads do, but that a body finds no executor where it runs. So nothing asks what a body could do to it (law
  // P1).
  const model::Policy policy{.drain = model::Drain::kStepwise, .bodies_act = false, .outcomes_travel = true};
  static const auto* const candidates = new std::vector<Candidate>{
      {.name = "process_pool",
       .make = &make_process_pool<Isolation::kShared>,
       .policy = policy,
       .shares_memory = false,
       .end_workers = &end_workers,
       .worker_pids = &worker_pids,
       .skips = {}},
      {.name = "process_pool_per_worker",
       .make = &make_process_pool<Isolation::kPerWorker>,
       .policy = policy,
       .shares_memory = false,
       .end_workers = &end_workers,
       .worker_pids = &worker_pids,
       .confines_workers = true,
       .skips = {}},
  };
  return *candidates;
}

ProcessPoolOptions process_pool_options(const ExecutorOptions& options) {
  const ProcessOptions& processes = options.processes;
  return {.max_workers = options.max_workers,
          .start_method = start_method(processes.start),
          .initializer = processes.initializer,
          .max_calls_per_worker = processes.max_calls_per_worker,
          .call_timeout = processes.call_timeout,
          .terminate_grace = processes.terminate_grace,
          .worker_address_space_bytes_max = processes.worker_address_space_bytes_max,
          .worker_cpu_seconds_max = processes.worker_cpu_seconds_max,
          .payload_bytes_max = processes.payload_bytes_max,
          .on_unwind = options.on_unwind,
          .exit_policy = options.exit_policy};
}

}  // namespace futures::spec_tests
