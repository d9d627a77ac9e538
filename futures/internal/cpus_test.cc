#include "futures/internal/cpus.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace futures::internal {
namespace {

// The CPUs in this thread's affinity mask.
std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// A root folder with the files that available_cpus reads, and none of a cgroup at first.
class Cpus : public testing::Test {
 protected:
  Cpus() : root_(testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root_);
  }
  ~Cpus() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  int available() const { return available_cpus(root_); }

  const std::string root_;
  const int by_affinity_ = static_cast<int>(allowed_cpus().size());
};

TEST_F(Cpus, WithoutCgroupsAffinityDecides) { EXPECT_EQ(available(), by_affinity_); }

TEST_F(Cpus, AffinityOfTheThreadThatAsks) {
  std::thread([this] {
    for (const int cpu : allowed_cpus()) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
      EXPECT_EQ(available(), 1);
    }
  }).join();
}

TEST_F(Cpus, OfThisMachine) {
  EXPECT_GE(available_cpus(), 1);
  EXPECT_LE(available_cpus(), by_affinity_);
}

TEST_F(Cpus, QuotaOfVersion2) {
  write("/proc/self/cgroup", "0::/job\n");
  write("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Cpus, QuotaIsRoundedUp) {
  write("/proc/self/cgroup", "0::/job\n");
  write("/sys/fs/cgroup/job/cpu.max", "100001 100000\n");
  EXPECT_EQ(available(), std::min(2, by_affinity_));
  write("/sys/fs/cgroup/job/cpu.max", "1000 100000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Cpus, QuotaOfAnAncestor) {
  write("/proc/self/cgroup", "0::/jobs/mine/inner\n");
  write("/sys/fs/cgroup/jobs/mine/inner/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/jobs/mine/cpu.max", "900000 100000\n");
  write("/sys/fs/cgroup/jobs/cpu.max", "50000 100000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Cpus, QuotaAtTheMountPoint) {
  // As a process in a container with a cgroup namespace sees it.
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Cpus, QuotaOfVersion1) {
  write("/proc/self/cgroup",
        "12:cpuset:/elsewhere\n"
        "4:cpu,cpuacct:/job\n"
        "0::/job\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "100000\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(available(), 1);
}

TEST_F(Cpus, NoQuota) {
  write("/proc/self/cgroup",
        "4:cpu,cpuacct:/job\n"
        "0::/job\n");
  write("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(available(), by_affinity_);
}

TEST_F(Cpus, QuotaOfAnotherControllerOrGroupIsNotOurs) {
  write("/proc/self/cgroup",
        "5:cpuset:/job\n"
        "0::/job\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "100000\n");
  write("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  write("/sys/fs/cgroup/another/cpu.max", "100000 100000\n");
  EXPECT_EQ(available(), by_affinity_);
}

TEST_F(Cpus, MoreThanTheMachineHas) {
  write("/proc/self/cgroup", "0::/job\n");
  write("/sys/fs/cgroup/job/cpu.max", "9000000000 1000\n");
  EXPECT_EQ(available(), by_affinity_);
}

TEST_F(Cpus, WhatCannotBeReadLimitsNothing) {
  write("/proc/self/cgroup", "0::/job\nnonsense\n:::\n0::relative\n");
  for (const char* const text : {"", "nonsense", "0 0", "-5 100000", "100000", "100000 0"}) {
    write("/sys/fs/cgroup/job/cpu.max", text);
    EXPECT_EQ(available(), by_affinity_) << text;
  }
}

}  // namespace
}  // namespace futures::internal
