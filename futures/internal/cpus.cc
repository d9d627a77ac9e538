#include "futures/internal/cpus.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace futures::internal {
namespace {

int affinity_cpus() {
  // A machine may have more CPUs than cpu_set_t has bits. The call then fails with EINVAL until the set is large
  // enough.
  for (int cpus_max = CPU_SETSIZE; cpus_max <= (1 << 16); cpus_max *= 2) {
    cpu_set_t* const set = CPU_ALLOC(cpus_max);
    const std::size_t set_bytes = CPU_ALLOC_SIZE(cpus_max);
    const bool known = sched_getaffinity(0, set_bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(set_bytes, set) : 0;
    CPU_FREE(set);
    if (known) return std::max(count, 1);
  }
  return 1;
}

int cpus_for_quota(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<int>(std::min(std::ceil(quota / period), 1e6)) : INT_MAX;
}

// cpu.max is "QUOTA PERIOD" in microseconds, or "max PERIOD".
int quota_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  double quota = 0;
  double period = 0;
  return file >> quota >> period ? cpus_for_quota(quota, period) : INT_MAX;
}

// A quota of -1 means none.
int quota_v1(const std::string& directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us");
  std::ifstream period_file(directory + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  return quota_file >> quota && period_file >> period ? cpus_for_quota(quota, period) : INT_MAX;
}

// The strictest quota from `path` up to the hierarchy's mount point: each ancestor limits its descendants.
template <typename Quota>
int strictest(const std::string& mount, std::string path, Quota quota) {
  int cpus = quota(mount);
  while (path.size() > 1) {
    cpus = std::min(cpus, quota(mount + path));
    path.resize(path.rfind('/'));
  }
  return cpus;
}

}  // namespace

int available_cpus(const std::string& root) {
  int cpus = affinity_cpus();
  // Each line is HIERARCHY:CONTROLLERS:PATH; version 2 has hierarchy 0 and no controllers.
  std::ifstream cgroups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(cgroups, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || !absl::StartsWith(fields[2], "/")) continue;
    const std::vector<std::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (fields[0] == "0" && fields[1].empty()) {
      cpus = std::min(cpus, strictest(root + "/sys/fs/cgroup", fields[2], &quota_v2));
    } else if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) {
      cpus = std::min(cpus, strictest(root + "/sys/fs/cgroup/cpu", fields[2], &quota_v1));
    }
  }
  return std::max(cpus, 1);
}

}  // namespace futures::internal
