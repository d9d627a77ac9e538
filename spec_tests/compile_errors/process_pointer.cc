// A string literal is a pointer, and means nothing in another process: std::string("text").
// expect: ProcessPoolExecutor::submit: an argument cannot travel to another process; pointers, references and views
// never can
#include <cstddef>
#include <string>

#include "optimized/process_pool_executor.h"

std::size_t length(const std::string& text) { return text.size(); }

void misuse(futures::ProcessPoolExecutor& executor) { executor.submit(length, "text"); }
