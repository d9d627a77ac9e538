// Law P5 under load: workers are killed at random moments, and no call is lost but those that were running. Short as a
// test; for a campaign:
//   ./tools/bazel run -c opt //optimized/process_pool/tests:stress_test -- --seconds=600
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {

// How long the kills go on.
int seconds = 3;

namespace {

using testing::twice;
std::string large_text(int value) { return std::string(300'000, static_cast<char>(value)); }

struct Tally {
  long calls = 0;
  long lost = 0;
  long kills = 0;
};

// A batch of calls, with up to `kills_max` workers killed while it runs.
void run_batch(ProcessPoolExecutor& executor, std::mt19937& random, int kills_max, Tally& tally) {
  constexpr int kCalls = 500;  // More than the pool has slots.
  constexpr int kPerLargeCall = 100;
  std::vector<Future<int>> futures;
  std::vector<Future<std::string>> large;  // Their results are read while workers that may be killed write them.
  long kills = 0;
  for (int i = 0; i < kCalls; ++i) {
    futures.push_back(executor.submit(twice, i));
    if (i % kPerLargeCall == 0) large.push_back(executor.submit(large_text, i));
    if (kills < kills_max && random() % 100 == 0) {
      const std::vector<pid_t> pids = executor.worker_pids();
      if (!pids.empty() && kill(pids[random() % pids.size()], SIGKILL) == 0) ++kills;
    }
  }
  long lost = 0;
  const auto expect = [&lost](const auto& future, const auto& expected) {
    try {
      ASSERT_EQ(future.result(std::chrono::seconds(30)), expected);
    } catch (const WorkerDiedError& e) {
      ASSERT_EQ(e.signal(), SIGKILL);
      ++lost;
    }
  };
  for (int i = 0; i < kCalls; ++i) {
    expect(futures[i], 2 * i);
    if (i % kPerLargeCall == 0) expect(large[i / kPerLargeCall], large_text(i));
  }
  ASSERT_LE(lost, kills);
  tally.calls += kCalls + kCalls / kPerLargeCall;
  tally.lost += lost;
  tally.kills += kills;
}

using ProcessPoolStress = testing::ProcessPoolTest;

TEST_P(ProcessPoolStress, P5_RandomKillsLoseOnlyRunningCalls) {
  ProcessPoolExecutor executor({.max_workers = 3, .isolation = GetParam()});
  std::mt19937 random(20240229);
  Tally tally;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < until && !HasFatalFailure()) run_batch(executor, random, 4, tally);
  std::printf("%ld calls, %ld workers killed, %ld calls lost\n", tally.calls, tally.kills, tally.lost);
  EXPECT_GT(tally.kills, 0);
  EXPECT_EQ(executor.submit(twice, 21).result(std::chrono::seconds(30)), 42);
}

FOR_BOTH_ISOLATIONS(ProcessPoolStress);

}  // namespace
}  // namespace futures

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    constexpr std::string_view kFlag = "--seconds=";
    if (std::string_view(argv[i]).starts_with(kFlag)) futures::seconds = std::atoi(argv[i] + kFlag.size());
  }
  return RUN_ALL_TESTS();
}
