#include "spec_tests/broken/broken_candidates.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reference/model.h"
#include "spec_tests/broken/broken_thread_candidates.h"
#include "spec_tests/broken/faulty_process_pool.h"
#include "spec_tests/candidates/candidates.h"

namespace futures::spec_tests {
namespace {

FaultyProcessPool& process_pool(Executor& executor) { return static_cast<FaultyProcessPool&>(executor); }

Candidate make_process_candidate(std::string name, ProcessFault fault, std::string law) {
  return {.name = std::move(name),
          .make = [fault](ExecutorOptions options) -> std::unique_ptr<Executor> {
            options.max_workers = options.max_workers.value_or(2);
            return std::make_unique<FaultyProcessPool>(process_pool_options(options), fault);
          },
          .policy = {.drain = model::Drain::kStepwise, .bodies_act = false, .outcomes_travel = true},
          .shares_memory = false,
          .end_workers = [](Executor& executor, int signal) { process_pool(executor).end_workers(signal); },
          .worker_pids = [](Executor& executor) { return process_pool(executor).worker_pids(); },
          .confines_workers = fault == ProcessFault::kSharesAll,
          .skips = {},
          .broken_law = std::move(law)};
}

std::vector<Candidate> broken_process_candidates() {
  return {
      make_process_candidate("broken_process_sends_twice", ProcessFault::kSendsTwice, "E2"),
      make_process_candidate("broken_process_starts_out_of_order", ProcessFault::kStartsOutOfOrder, "E5"),
      make_process_candidate("broken_process_ignores_max_workers", ProcessFault::kIgnoresMaxWorkers, "E6"),
      make_process_candidate("broken_process_loses_result", ProcessFault::kLosesResult, "E7"),
      make_process_candidate("broken_process_runs_cancelled", ProcessFault::kRunsCancelled, "F2"),
      make_process_candidate("broken_process_returns_early", ProcessFault::kReturnsEarly, "S1"),
      make_process_candidate("broken_process_cancel_misses_one", ProcessFault::kCancelMissesOne, "S3"),
      make_process_candidate("broken_process_marks_queued_running", ProcessFault::kMarksQueuedRunning, "P1"),
      make_process_candidate("broken_process_flattens_exceptions", ProcessFault::kFlattensExceptions, "P4"),
      make_process_candidate("broken_process_death_runs_again", ProcessFault::kDeathRunsAgain, "P5"),
      make_process_candidate("broken_process_death_loses_next", ProcessFault::kDeathLosesNext, "P5"),
      make_process_candidate("broken_process_death_breaks_pool", ProcessFault::kDeathBreaksPool, "P5"),
      make_process_candidate("broken_process_deaths_add_up", ProcessFault::kDeathsAddUp, "P6"),
      make_process_candidate("broken_process_replaces_no_worker", ProcessFault::kReplacesNoWorker, "P7"),
      make_process_candidate("broken_process_end_misses_pending", ProcessFault::kEndMissesPending, "P8"),
      make_process_candidate("broken_process_end_spares_workers", ProcessFault::kEndSparesWorkers, "P8"),
      make_process_candidate("broken_process_ignores_start_method", ProcessFault::kIgnoresStartMethod, "P9"),
      make_process_candidate("broken_process_leaves_workers_behind", ProcessFault::kLeavesWorkersBehind, "P10"),
      make_process_candidate("broken_process_shares_all", ProcessFault::kSharesAll, "P11"),
      make_process_candidate("broken_process_ignores_call_timeout", ProcessFault::kIgnoresCallTimeout, "P12"),
  };
}

}  // namespace

const std::vector<Candidate>& broken_candidates() {
  static const auto* const candidates = [] {
    auto* const all = new std::vector<Candidate>(broken_thread_candidates());
    for (Candidate& candidate : broken_process_candidates()) all->push_back(std::move(candidate));
    return all;
  }();
  return *candidates;
}

Candidate faultless_process_candidate() { return make_process_candidate("faultless_process", ProcessFault::kNone, ""); }

}  // namespace futures::spec_tests
