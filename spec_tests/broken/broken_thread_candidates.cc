#include "spec_tests/broken/broken_thread_candidates.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reference/model.h"
#include "spec_tests/broken/faulty_thread_pool.h"

namespace futures::spec_tests {
namespace {

Candidate make_candidate(std::string name, ThreadFault fault, std::string law) {
  return {.name = std::move(name),
          .make = [fault](const ExecutorOptions& options) -> std::unique_ptr<Executor> {
            return std::make_unique<FaultyThreadPool>(static_cast<int>(options.max_workers.value_or(2).value()), fault);
          },
          // A cancel from outside may come between two of those that a shutdown makes.
          .policy = {.drain = model::Drain::kStepwise},
          .skips = {},
          .broken_law = std::move(law)};
}

}  // namespace

std::vector<Candidate> broken_thread_candidates() {
  return {
      make_candidate("broken_loses_call_on_shutdown", ThreadFault::kLosesCallOnShutdown, "E7"),
      make_candidate("broken_runs_cancelled", ThreadFault::kRunsCancelled, "F2"),
      make_candidate("broken_ignores_max_workers", ThreadFault::kIgnoresMaxWorkers, "E6"),
      make_candidate("broken_starts_out_of_order", ThreadFault::kStartsOutOfOrder, "E5"),
      make_candidate("broken_accepts_after_shutdown", ThreadFault::kAcceptsAfterShutdown, "E4"),
      make_candidate("broken_swallows_exception", ThreadFault::kSwallowsException, "E3"),
      make_candidate("broken_cancel_misses_one", ThreadFault::kCancelMissesOne, "S3"),
      make_candidate("broken_drops_callbacks", ThreadFault::kDropsCallbacks, "F8"),
      make_candidate("broken_returns_early", ThreadFault::kReturnsEarly, "S1"),
  };
}

Candidate faultless_candidate() { return make_candidate("faultless", ThreadFault::kNone, ""); }
Candidate dawdling_candidate() { return make_candidate("dawdling", ThreadFault::kDawdles, ""); }

}  // namespace futures::spec_tests
