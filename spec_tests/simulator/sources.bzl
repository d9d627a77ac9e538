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

# Headers of the project that name threads, time, processes or what the kernel knows of them; in the simulator's folder,
# those with the same names for simulated threads.
STAND_INS = {
    "futures/encoding/encoding.h": "stand_ins/encoding.h",
    "futures/internal/sync.h": "sync.h",
    "spec_tests/laws/shared_number.h": "stand_ins/shared_number.h",
    "spec_tests/laws/threads.h": "stand_ins/threads.h",
}

# What the copies include as copies.
COPIED = [
    "futures/",
    "optimized/",
    "reference/reference_executor",
    "spec_tests/broken/",
    "spec_tests/candidates/candidate.h",
    "spec_tests/candidates/episode",
    "spec_tests/candidates/thread_candidates.h",
    "spec_tests/laws/",
]

# Of <memory> the sources use std::unique_ptr as it is. What counts owners is replaced; sync.h includes <memory>.
SHARED_OWNERSHIP = {
    "#include <memory>": '#include "spec_tests/simulator/sync.h"',
    "std::enable_shared_from_this<": "sync::enable_shared_from_this<",
    "std::make_shared<": "sync::make_shared<",
    "std::shared_ptr<": "sync::shared_ptr<",
}

def simulated_substitutions(folder, namespace):
    """What is replaced in the sources that are to run in the simulator, in this order.

    Args:
      folder: where the copies are, by its path in the project, with a / at its end.
      namespace: the name of the inline namespace that namespace futures gets.
    """

    # What one has written, the next does not find.
    substitutions = {}
    for header, stand_in in STAND_INS.items():
        substitutions['#include "%s"' % header] = '#include "spec_tests/simulator/%s"' % stand_in
    for copied in COPIED:
        substitutions['#include "' + copied] = '#include "' + folder + copied
    return substitutions | {
        # Two spaces, so that the next ones do not find it.
        "namespace futures::spec_tests {": "namespace  futures::spec_tests::inline " + namespace + " {",
        "namespace futures::": "namespace futures::inline " + namespace + "::",
        "namespace futures {": "namespace futures::inline " + namespace + " {",
        "CONCURRENT_FUTURES_": "CONCURRENT_FUTURES_" + namespace.upper() + "_",
        "thread_local ": "SIMULATED_THREAD_LOCAL ",
    }
