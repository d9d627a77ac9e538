// What a worker process does.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_WORKER_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_WORKER_H_

#include "optimized/process_pool/descriptor.h"
#include "optimized/process_pool/fork_server.h"

namespace futures::internal {

// Takes calls from the board and runs them until the board is closed or `order` says enough; then ends the process.
[[noreturn]] void run_worker(const WorkerOrder& order, Descriptor life, Descriptor board, Descriptor arena,
                             Descriptor bell);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_WORKER_H_
