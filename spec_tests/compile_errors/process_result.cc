// A type that nobody can write as bytes.
// expect: ProcessPoolExecutor::submit: the result cannot travel back from another process
#include <string>

#include "optimized/process_pool_executor.h"

struct Page {
  std::string text;
};

Page load(int number) { return {std::string(1, static_cast<char>(number))}; }

void misuse(futures::ProcessPoolExecutor& executor) { futures::Future<Page> page = executor.submit(load, 1); }
