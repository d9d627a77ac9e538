"""The sources of the project that the simulator builds a second time, and what it replaces in them."""

FUTURES_HEADERS = [
    "//futures:count.h",
    "//futures:errors.h",
    "//futures:executor.h",
    "//futures:future.h",
    "//futures:internal/call.h",
    "//futures:internal/callable.h",
    "//futures:internal/completions.h",
    "//futures:internal/current_exception.h",
    "//futures:internal/exit_and_fork.h",
    "//futures:internal/future_state.h",
    "//futures:internal/lazy_range.h",
    "//futures:internal/map_call.h",
    "//futures:internal/time.h",
    "//futures:internal/zip.h",
    "//futures:map.h",
    "//futures:task.h",
    "//futures:timeout.h",
    "//futures:wait.h",
    "//futures/encoding:call_vtable.h",
    "//futures/encoding:map_chunk.h",
]

EXECUTOR_HEADERS = [
    "//futures:internal/cpus.h",
    "//futures:internal/executor_life.h",
    "//futures:internal/worker_threads.h",
    "//optimized:thread_pool_executor.h",
    "//optimized:thread_pool_options.h",
    "//optimized/thread_pool:thread_pool.h",
    "//reference:reference_executor.h",
]

EXECUTOR_SOURCES = [
    "//futures:internal/cpus.cc",
    "//futures:internal/executor_life.cc",
    "//futures:internal/worker_threads.cc",
    "//optimized:thread_pool_executor.cc",
    "//optimized/thread_pool:thread_pool.cc",
    "//reference:reference_executor.cc",
]

# futures/internal/exit_and_fork.cc is not among them: see exit_and_fork.cc here.
FUTURES_SOURCES = [
    "//futures:errors.cc",
    "//futures:internal/completions.cc",
    "//futures:internal/current_exception.cc",
    "//futures:internal/future_state.cc",
    "//futures:task.cc",
    "//futures:wait.cc",
]

# What the sources need apart from each other and sync.h.
SOURCES_DEPS = [
    "@abseil-cpp//absl/base:core_headers",
    "@abseil-cpp//absl/container:flat_hash_set",
    "@abseil-cpp//absl/log",
    "@abseil-cpp//absl/strings",
]

def simulated_substitutions(folder, namespace):
    """What is replaced in the sources that are to run in the simulator, in this order.

    Args:
      folder: where the copies are, by its path in the project, with a / at its end.
      namespace: the name of the inline namespace that namespace futures gets.
    """

    # What one has written, the next does not find.
    return {
        '#include "futures/internal/sync.h"': '#include "spec_tests/simulator/sync.h"',
        '#include "futures/': '#include "' + folder + "futures/",
        '#include "optimized/': '#include "' + folder + "optimized/",
        '#include "reference/': '#include "' + folder + "reference/",
        "namespace futures::": "namespace futures::inline " + namespace + "::",
        "namespace futures {": "namespace futures::inline " + namespace + " {",
        "CONCURRENT_FUTURES_": "CONCURRENT_FUTURES_" + namespace.upper() + "_",
        "thread_local ": "SIMULATED_THREAD_LOCAL ",
    }
