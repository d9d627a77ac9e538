#include <vector>

#include "absl/types/span.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/groups.h"

namespace futures::spec_tests {

std::vector<Law> all_laws() {
  std::vector<Law> laws;
  for (const absl::Span<const Law> group :
       {executor_laws(), argument_laws(), call_laws(), future_laws(), callback_laws(), wait_laws(), map_laws(), map_variant_laws(),
        shutdown_laws(), lifetime_laws(), thread_laws(), process_laws(), process_pool_laws(), worker_laws(), hostile_laws()}) {
    laws.insert(laws.end(), group.begin(), group.end());
  }
  return laws;
}

}  // namespace futures::spec_tests
