#include "futures/wait.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace futures::internal {

std::vector<bool> first_occurrences(const std::vector<const FutureState*>& states) {
  absl::flat_hash_set<const FutureState*> seen;
  std::vector<bool> is_first;
  is_first.reserve(states.size());
  for (const FutureState* state : states) is_first.push_back(seen.insert(state).second);
  return is_first;
}

void throw_unfinished(std::size_t unfinished, std::size_t all) {
  throw TimeoutError(absl::StrCat(unfinished, " (of ", all, ") futures unfinished"));
}

}  // namespace futures::internal
