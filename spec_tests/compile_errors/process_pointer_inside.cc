// A pointer inside a container is still a pointer.
// expect: an argument cannot travel to another process
#include <cstddef>
#include <vector>

#include "optimized/process_pool_executor.h"

std::size_t count(const std::vector<const char*>& words) { return words.size(); }

void misuse(futures::ProcessPoolExecutor& executor) { executor.submit(count, std::vector<const char*>{"text"}); }
