// Options of ProcessPoolExecutor.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_OPTIONS_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "futures/count.h"
#include "futures/executor.h"
#include "futures/internal/time.h"

namespace futures {

// Where workers come from. Law P9.
enum class StartMethod {
  kForkServer,  // A small process, started by exec of this program through process_main, forks them.
  kSpawn,       // The same, and each worker is a fresh exec of this program.
  kFork,        // A copy of this program as it is when the pool is made forks them. Only while it has one thread.
};

// What the death of a worker costs. Law P5.
enum class OnWorkerDeath { kFailCall, kBreakPool };

// What a worker can reach of the pool. Law P11: whatever it writes there, the program stays safe.
enum class Isolation {
  kShared,     // Workers take calls from memory that all of them share. For code that one trusts.
  kPerWorker,  // Each worker shares memory with the program alone and is handed one call at a time: one that turns
               // hostile touches no call but those that it is given, which max_calls_per_worker = 1 makes one. A call
               // costs one more trip from worker to program and back.
};

struct ProcessPoolOptions {
  // The most workers, and so calls that run at once: 1 to 1000. Default: the CPUs this process may use (law T1).
  std::optional<Count> max_workers = std::nullopt;
  StartMethod start_method = StartMethod::kForkServer;
  Isolation isolation = Isolation::kShared;
  // Runs first in each worker. If it throws, the pool is broken (law T4). Takes no arguments, and a worker does not see
  // what main has set: what it is to know, beside constants, goes into the environment before the pool is made.
  void (*initializer)() = nullptr;
  OnWorkerDeath on_worker_death = OnWorkerDeath::kFailCall;
  // A worker is replaced after so many calls; 0: never. Law P7.
  std::uint64_t max_calls_per_worker = 0;
  // A worker that runs a call for longer is killed and replaced, and the call gets CallTimeoutError. Counted from the
  // call's start in the worker, not from its submit, until its result is delivered, for which it may have to wait for
  // room; the pool looks ten times a second, and more often if this is less than a second. Law P12.
  std::optional<std::chrono::nanoseconds> call_timeout = std::nullopt;
  // How long workers that ignore SIGTERM outlive terminate_workers, before they get SIGKILL; nanoseconds::max(): for
  // ever. Law P8.
  std::chrono::nanoseconds terminate_grace = std::chrono::seconds(5);
  // Limits of each worker; 0: none of its own. Law P12.
  // The address space holds, beside what calls allocate, the program's image, its stack, and what a sanitizer maps;
  // what the worker shares with the program does not count. A call that asks for more gets std::bad_alloc, or what its
  // code makes of a malloc that fails. Workers that cannot even begin die, and the pool breaks.
  std::uint64_t worker_address_space_bytes_max = 0;
  std::uint64_t worker_cpu_seconds_max = 0;
  // Room for payloads above 4 KB that are on their way: for calls, for results, and for buffers so much each; with
  // Isolation::kPerWorker, of each worker. Takes memory only as it is used. A call whose payload does not fit waits its
  // turn; one that is larger than this fails.
  std::size_t payload_bytes_max = std::size_t{1} << 30;
  OnUnwind on_unwind = OnUnwind::kDrain;
  ExitPolicy exit_policy = ExitPolicy::kDrain;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_OPTIONS_H_
