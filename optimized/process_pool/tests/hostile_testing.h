// What the tests of hostile workers (law P11) share: what a call that was taken over can do, and what the program sees
// of it.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_HOSTILE_TESTING_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_HOSTILE_TESTING_H_

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures::testing {

inline constexpr std::size_t kPayloadBytesMax = 1 << 20;
// Longer than anything takes on a busy machine, and far from for ever.
inline constexpr std::chrono::seconds kBound{30};

// --- What the worker does. It finds the memory in /proc/self/maps, and knows its layout.

// Either part of it, by name: "board" or "arena".
std::span<char> shared_memory(const std::string& name);
internal::CallBoard& board();
// The slot of the call that runs in this worker.
internal::Slot& own_slot();

// Starts a thread that calls `act` over and over, for as long as the worker lives. Returns when it has done so once.
template <typename Act>
void from_now_on(Act act) {
  static std::atomic<bool> has_begun;
  has_begun = false;
  std::thread([act]() mutable {
    for (;;) {
      act();
      has_begun.store(true, std::memory_order_relaxed);
    }
  }).detach();
  while (!has_begun) std::this_thread::yield();
}

// --- What the program sees.

// With `call_timeout` and `payload_bytes_max` small enough for a test.
ProcessPoolOptions options(Isolation isolation, int workers);

// Returns whether the call gave `value`; anything else but waiting for ever is borne.
bool gives(const Future<int>& call, int value);

// Calls of `twice`; as many as the pool takes before it breaks, which it may if memory is shared.
std::vector<Future<int>> submit_calls(ProcessPoolExecutor& executor, int count);
// How many of them gave what they should.
int right_results(const std::vector<Future<int>>& calls);

// Proves, too, that the program never took much memory.
class HostileTest : public ProcessPoolTest {
 protected:
  HostileTest();
  void TearDown() override;

  bool is_isolated() const { return GetParam() == Isolation::kPerWorker; }

 private:
  const long peak_kilobytes_before_;
};

}  // namespace futures::testing

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_HOSTILE_TESTING_H_
