// A range, but not of futures.
// expect: as_completed: give a range of futures
#include <vector>

#include "concurrent_futures.h"

void misuse(const std::vector<int>& numbers) {
  for (const auto& future : futures::as_completed(numbers)) static_cast<void>(future);
}
