#include <vector>

#include "absl/types/span.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {

std::vector<Law> all_laws() {
  std::vector<Law> laws;
  for (const absl::Span<const Law> group :
       {submit_laws(),   argument_laws(), exception_laws(),     order_laws(),        call_laws(),   future_laws(),
        promise_laws(),  callback_laws(), wait_laws(),          as_completed_laws(), map_laws(),    map_variant_laws(),
        shutdown_laws(), lifetime_laws(), exit_laws(),          deadline_laws(),     thread_laws(), no_thread_laws(),
        stop_laws(),     fork_laws(),     worker_thread_laws(), process_pool_laws(), worker_laws(), hostile_laws()}) {
    laws.insert(laws.end(), group.begin(), group.end());
  }
  return laws;
}

}  // namespace futures::spec_tests
