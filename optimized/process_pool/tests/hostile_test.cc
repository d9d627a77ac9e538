// Law P11: workers that overwrite the memory they share with the program, in the middle of whatever the program does,
// and then return, die, hang, or go on with it for ever. The program does not crash, no call of it waits for ever, it
// comes to its end; and where each worker has memory of its own, no call suffers that was not given to the hostile one:
// where that is given one only, no other call at all.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/tests/hostile_testing.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using internal::CallBoard;
using internal::Slot;
using internal::SlotPhase;
using internal::SlotWord;
using testing::expect_pool_works;
using testing::from_now_on;
using testing::gives;
using testing::kPayloadBytesMax;
using testing::options;
using testing::right_results;
using testing::shared_memory;
using testing::soon;
using testing::submit_calls;

enum class Garbage { kZeros, kOnes, kRandom, kWords };

void fill(std::span<char> memory, Garbage garbage, std::mt19937_64& random) {
  if (garbage != Garbage::kRandom) {
    std::memset(memory.data(), garbage == Garbage::kZeros ? 0 : 0xff, memory.size());
    return;
  }
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= memory.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(memory.data() + i, &word, sizeof(word));
  }
}

// Every slot says something of a call that is, was or will be there; the list of calls, sizes and places, too.
void write_words(CallBoard& board, std::mt19937_64& random) {
  const auto near = [&random](std::uint64_t number) { return number + random() % 5 - 2; };
  for (Slot& slot : std::span(board.slots).first(16)) {
    const std::uint64_t ticket = SlotWord::of(slot.word.load()).ticket;
    slot.word.store(SlotWord{random() % 2 == 0 ? ticket : near(ticket), static_cast<std::uint16_t>(random() % 5),
                             static_cast<SlotPhase>(random() % 6)}
                        .packed());
    slot.place.offset = random() % 2 == 0 ? internal::Place::kInline : random() % (4 * kPayloadBytesMax);
    slot.place.bytes = random() >> (random() % 64);
    slot.written.store(random() >> (random() % 64));
  }
  board.done[0].store(random());
  if (random() % 8 == 0) board.head.store(near(board.head.load()));
  if (random() % 8 == 0) board.tail.store(near(board.tail.load()));
  if (random() % 8 == 0) board.parent_sleeps.store(static_cast<std::uint32_t>(random() % 2));
  board.closing.store(0);
}

void scribble(Garbage garbage, std::mt19937_64& random) {
  static const std::span<char> board_memory = shared_memory("board");
  static const std::span<char> arena_memory = shared_memory("arena");
  if (garbage == Garbage::kWords) return write_words(*reinterpret_cast<CallBoard*>(board_memory.data()), random);
  fill(arena_memory.first(std::min<std::size_t>(arena_memory.size(), 1 << 16)), garbage, random);
  fill(board_memory.first(offsetof(CallBoard, slots) + 16 * sizeof(Slot)), garbage, random);
}

enum class Ending { kReturns, kDies, kHangs };

int scribble_once(Ending ending, unsigned seed) {
  std::mt19937_64 random(seed);
  scribble(Garbage::kWords, random);
  if (ending == Ending::kDies) _exit(9);
  while (ending == Ending::kHangs) pause();
  return 7;
}

int scribble_on(Garbage garbage, Ending ending, unsigned seed) {
  from_now_on([garbage, random = std::mt19937_64(seed)]() mutable { scribble(garbage, random); });
  if (ending == Ending::kReturns) return 7;
  std::this_thread::sleep_for(50ms);  // Of scribbling; nothing depends on how long.
  if (ending == Ending::kDies) _exit(9);
  for (;;) pause();
}

class ProcessPoolHostile : public testing::HostileTest {
 protected:
  // Runs a hostile call among others. It may seem to return and go on, so that its worker would be given a next one.
  template <typename... Args>
  void run_hostile(int (*hostile)(Args...), Args... args) {
    constexpr int kCalls = 30;
    ProcessPoolOptions alone = options(GetParam(), 3);
    if (is_isolated()) alone.max_calls_per_worker = 1;
    ProcessPoolExecutor executor(alone);
    const std::vector<Future<int>> before = submit_calls(executor, kCalls);
    const Future<int> call = executor.submit(hostile, args...);
    const std::vector<Future<int>> behind = submit_calls(executor, kCalls);
    gives(call, 7);
    const int right = right_results(before) + right_results(behind);
    if (!is_isolated()) return;
    EXPECT_EQ(right, 2 * kCalls);
    expect_pool_works(executor);
  }
};

constexpr std::array kAllGarbage = {Garbage::kZeros, Garbage::kOnes, Garbage::kRandom, Garbage::kWords};

// With words that know what they say. What knows nothing of the layout is in the checks of the law
// (p11_hostile_laws.cc), which overwrite all once with zeros, ones, and at random.
TEST_P(ProcessPoolHostile, P11_WritesWordsAndReturns) {
  for (unsigned seed = 0; seed < 5; ++seed) run_hostile(scribble_once, Ending::kReturns, seed);
}

TEST_P(ProcessPoolHostile, P11_WritesWordsAndDies) {
  for (unsigned seed = 0; seed < 5; ++seed) run_hostile(scribble_once, Ending::kDies, seed);
}

TEST_P(ProcessPoolHostile, P11_WritesWordsAndHangs) { run_hostile(scribble_once, Ending::kHangs, 1u); }

TEST_P(ProcessPoolHostile, P11_OverwritesUntilItDies) {
  for (const Garbage garbage : kAllGarbage) run_hostile(scribble_on, garbage, Ending::kDies, 1u);
}

TEST_P(ProcessPoolHostile, P11_OverwritesInACallThatDoesNotReturn) {
  for (const Garbage garbage : kAllGarbage) run_hostile(scribble_on, garbage, Ending::kHangs, 1u);
}

// Then calls are given to it, and may get what it writes. It is found out, and then the pool is as good as new.
TEST_P(ProcessPoolHostile, P11_ReturnsAndGoesOnOverwriting) {
  for (const Garbage garbage : kAllGarbage) {
    ProcessPoolExecutor executor(options(GetParam(), 2));
    const Future<int> call = executor.submit(scribble_on, garbage, Ending::kReturns, 1u);
    gives(call, 7);
    right_results(submit_calls(executor, 20));
    if (is_isolated()) {
      EXPECT_TRUE(soon([&] { return right_results(submit_calls(executor, 20)) == 20; }));
    }
  }
}

// Cancels and shutdowns that meet slots whose calls seem pending again.
TEST_P(ProcessPoolHostile, P11_CallsAreCancelledWhileTheirStatesFlicker) {
  for (const bool by_shutdown : {false, true}) {
    ProcessPoolExecutor executor(options(GetParam(), 2));
    std::vector<Future<int>> calls = submit_calls(executor, 5);
    calls.push_back(executor.submit(scribble_on, Garbage::kWords, Ending::kHangs, 3u));
    for (const Future<int>& call : submit_calls(executor, 50)) calls.push_back(call);
    std::atomic<int> callbacks = 0;
    for (const Future<int>& call : calls) call.add_done_callback([&callbacks](const auto&) { ++callbacks; });
    if (by_shutdown) {
      executor.shutdown({.cancel_futures = true});
    } else {
      for (const Future<int>& call : calls) call.running();
      for (const Future<int>& call : calls) call.cancel();
    }
    for (const Future<int>& call : calls) gives(call, 0);
    EXPECT_TRUE(soon([&] { return callbacks == static_cast<int>(calls.size()); }));
  }
}

FOR_BOTH_ISOLATIONS(ProcessPoolHostile);

}  // namespace
}  // namespace futures
