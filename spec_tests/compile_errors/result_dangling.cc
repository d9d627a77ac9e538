// The future, and its value with it, is gone at the end of the line: `auto`, not `auto&`.
// expect: cannot bind to a temporary of type | cannot bind non-const lvalue reference
#include <string>

#include "concurrent_futures.h"

void misuse(futures::ThreadPoolExecutor& executor) {
  auto& text = executor.submit([] { return std::string("text"); }).result();
  text.clear();
}
