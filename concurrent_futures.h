// The front door: futures, and the executor that runs calls on threads. A program that uses processes also includes
// optimized/process_pool_executor.h.
#ifndef CONCURRENT_FUTURES_CONCURRENT_FUTURES_H_
#define CONCURRENT_FUTURES_CONCURRENT_FUTURES_H_

#include "futures/errors.h"                  // IWYU pragma: export
#include "futures/executor.h"                // IWYU pragma: export
#include "futures/future.h"                  // IWYU pragma: export
#include "futures/map.h"                     // IWYU pragma: export
#include "futures/timeout.h"                 // IWYU pragma: export
#include "futures/wait.h"                    // IWYU pragma: export
#include "optimized/thread_pool_executor.h"  // IWYU pragma: export

#endif  // CONCURRENT_FUTURES_CONCURRENT_FUTURES_H_
