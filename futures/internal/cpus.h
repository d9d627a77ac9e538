// How many CPUs this process may use.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_

#include <string>

namespace futures::internal {

// Returns how many CPUs are in this thread's affinity mask, but at most the CPU quota of this process's cgroups
// (version 2 or 1), rounded up. At least 1. A quota that cannot be read counts as none. `root` is put before /proc
// and /sys, for tests. Law T1.
int available_cpus(const std::string& root = "");

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_
