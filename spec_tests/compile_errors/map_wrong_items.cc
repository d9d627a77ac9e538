// The callable does not take what the range holds.
// expect: map: the callable cannot be called with the items of these inputs, which are passed by value
#include <string>
#include <vector>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor, const std::vector<int>& numbers) {
  executor.map([](const std::string& text) { return text.size(); }, numbers);
}
