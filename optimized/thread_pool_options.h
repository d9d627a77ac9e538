// The options of a ThreadPoolExecutor.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_OPTIONS_H_
#define CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_OPTIONS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "futures/count.h"
#include "futures/executor.h"

namespace futures {

struct ThreadPoolOptions {
  // The most calls that run at once, 1 or more. Default: the CPUs this process may use (law T1).
  std::optional<Count> max_workers = std::nullopt;
  // Threads are named prefix_0, prefix_1, ..., cut to the 15 bytes that the kernel keeps (law T3).
  std::string thread_name_prefix = "ThreadPool";
  // Runs first in each worker thread. If it throws, that is logged, and the pool is broken: pending calls and later
  // submits get BrokenThreadPool (law T4). Must be callable from several threads at once.
  std::function<void()> initializer = nullptr;
  // Of each worker thread. 0: the system's default. Law T10.
  std::size_t stack_bytes = 0;
  OnUnwind on_unwind = OnUnwind::kDrain;
  ExitPolicy exit_policy = ExitPolicy::kDrain;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_OPTIMIZED_THREAD_POOL_OPTIONS_H_
