// How many CPUs this process may use.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_

#include <string>

namespace futures::internal {

// The CPUs in this thread's affinity mask, but no more than the CPU quota of the cgroups (version 2 or 1) that this
// process is in, rounded up. At least 1. `root` is put before /proc and /sys, for tests. What cannot be read limits
// nothing. Law T1.
int available_cpus(const std::string& root = "");

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CPUS_H_
