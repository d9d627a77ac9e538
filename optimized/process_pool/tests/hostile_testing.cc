#include "optimized/process_pool/tests/hostile_testing.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>

#include "futures/internal/time.h"
#include "gtest/gtest.h"

namespace futures::testing {
namespace {

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

std::span<char> shared_memory(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:concurrent_futures " + name) == std::string::npos) continue;
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2) std::abort();
    return {reinterpret_cast<char*>(begin), end - begin};
  }
  std::abort();
}

internal::CallBoard& board() { return *reinterpret_cast<internal::CallBoard*>(shared_memory("board").data()); }

internal::Slot& own_slot() {
  const std::string name = [] {
    std::string text;
    std::getline(std::ifstream("/proc/self/comm"), text);
    return text;
  }();
  const auto number = static_cast<std::uint16_t>(std::stoi(name.substr(name.find('_') + 1)));
  for (internal::Slot& slot : board().slots) {
    const internal::SlotWord word = internal::SlotWord::of(slot.word.load());
    if (word.owner == number && word.phase == internal::SlotPhase::kRunning) return slot;
  }
  std::abort();
}

ProcessPoolOptions options(Isolation isolation, int workers) {
  using namespace std::chrono_literals;
  return {.max_workers = workers, .isolation = isolation, .call_timeout = 3s, .payload_bytes_max = kPayloadBytesMax};
}

bool gives(const Future<int>& call, int value) {
  try {
    return call.result(kBound) == value;
  } catch (const TimeoutError&) {
    ADD_FAILURE() << "a call waits for ever";
  } catch (const std::exception&) {  // An error is an outcome, too.
  }
  return false;
}

std::vector<Future<int>> submit_calls(ProcessPoolExecutor& executor, int count) {
  std::vector<Future<int>> calls;
  try {
    for (int i = 0; i < count; ++i) calls.push_back(executor.submit(twice, i));
  } catch (const BrokenProcessPool&) {
  }
  return calls;
}

int right_results(const std::vector<Future<int>>& calls) {
  int right = 0;
  for (int i = 0; const Future<int>& call : calls) right += gives(call, 2 * i++) ? 1 : 0;
  return right;
}

HostileTest::HostileTest() : peak_kilobytes_before_(peak_kilobytes()) {}

void HostileTest::TearDown() {
  ProcessPoolTest::TearDown();
  constexpr long kKilobytesMax = 300 << 10;  // Nothing here is larger than a megabyte.
  EXPECT_LE(peak_kilobytes() - peak_kilobytes_before_, kKilobytesMax);
}

}  // namespace futures::testing
