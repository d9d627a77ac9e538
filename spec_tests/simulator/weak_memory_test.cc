// Weak memory in the simulator: what synchronises, and bugs that only weak memory shows.
#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kAcqRel = std::memory_order_acq_rel;

using Program = std::function<void()>;

Exploration explore_all(const Program& program, Memory memory, int faults = 0) {
  return explore("program", program, Exhaustive({.preemptions = 100, .faults = faults, .reorderings = 100}), {},
                 memory);
}

void expect_nothing(const Program& program, Memory memory = Memory::kWeak) {
  const Exploration explored = explore_all(program, memory);
  EXPECT_TRUE(explored.ok()) << explored.report();
}

// Found, and found again along its schedule.
void expect_found(Finding::Kind kind, const Program& program, int faults = 0) {
  const Exploration found = explore_all(program, Memory::kWeak, faults);
  ASSERT_FALSE(found.ok()) << found.report();
  EXPECT_EQ(found.finding->kind, kind) << found.report();
  const Exploration again = explore("again", program, Replay(found.finding->schedule), {}, Memory::kWeak);
  ASSERT_FALSE(again.ok()) << found.report();
  EXPECT_EQ(again.finding->table, found.finding->table);
}

// Only under weak memory.
void expect_found_if_weak(Finding::Kind kind, const Program& program) {
  expect_nothing(program, Memory::kSequentiallyConsistent);
  expect_found(kind, program);
}

// --- What synchronises.

TEST(WeakMemory, AReleaseThatIsMadeRelaxedIsFound) {
  const auto program = [](std::memory_order order) {
    sync::atomic<int> value{0};
    sync::atomic<bool> is_set{false};
    together({[&] {
                value.store(7, kRelaxed);
                is_set.store(true, order);
              },
              [&] {
                if (is_set.load(kAcquire)) expect(value.load(kRelaxed) == 7, "the value is not there");
              }});
  };
  expect_nothing([&] { program(kRelease); });
  expect_found_if_weak(Finding::Kind::kBrokenExpectation, [&] { program(kRelaxed); });
}

// The last owner must see what the others have done.
TEST(WeakMemory, ACountOfOwnersMustReleaseAndAcquire) {
  const auto program = [](std::memory_order order) {
    sync::atomic<int> owners{2};
    std::array<sync::atomic<int>, 2> used;
    const auto use = [&](std::size_t own) {
      used[own].store(1, kRelaxed);
      if (owners.fetch_sub(1, order) != 1) return;
      expect(used[0].load(kRelaxed) + used[1].load(kRelaxed) == 2, "the last owner does not see all uses");
    };
    together({[&] { use(0); }, [&] { use(1); }});
  };
  expect_nothing([&] { program(kAcqRel); });
  for (const std::memory_order order : {kRelaxed, kAcquire, kRelease}) {
    expect_found_if_weak(Finding::Kind::kBrokenExpectation, [&] { program(order); });
  }
}

TEST(WeakMemory, AMutexHandsOnWhatItsOwnersKnow) {
  const auto program = [](bool locks) {
    sync::mutex mutex;
    sync::atomic<int> count{0};
    const auto add = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (locks) mutex.lock();
      count.store(count.load(kRelaxed) + 1, kRelaxed);
      if (locks) mutex.unlock();
    };
    together({add, add});
    expect(count.load(kRelaxed) == 2, "an update was lost");
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kBrokenExpectation, [&] { program(false); });
}

TEST(WeakMemory, StartAndJoinHandOnWhatIsKnown) {
  expect_nothing([] {
    sync::atomic<int> word{0};
    word.store(1, kRelaxed);
    sync::thread thread = sync::thread::start({}, [&] {
      expect(word.load(kRelaxed) == 1, "the new thread does not see what came before its start");
      word.store(2, kRelaxed);
    });
    thread.join();
    expect(word.load(kRelaxed) == 2, "the end of the thread was waited for, and what it did is not seen");
  });
}

// A weak compare_exchange that fails for no reason loads, and may fail at an older store, too.
TEST(WeakMemory, AWeakCompareExchangeFailsForNoReason) {
  expect_found(
      Finding::Kind::kBrokenExpectation,
      [] {
        sync::atomic<int> word{0};
        int expected = 0;
        expect(word.compare_exchange_weak(expected, 1, kRelaxed, kRelaxed), "it failed although the value was there");
      },
      /*faults=*/1);
}

TEST(WeakMemory, AReportSaysWhichOperationSawAnOlderStore) {
  const Exploration found = explore_all(
      [] {
        sync::atomic<int> x{0};
        sync::atomic<int> y{0};
        together({[&] {
                    x.store(1, kRelaxed);
                    y.store(1, kRelaxed);
                  },
                  [&] {
                    if (y.load(kRelaxed) == 1) expect(x.load(kRelaxed) == 1, "x is not there");
                  }});
      },
      Memory::kWeak);
  EXPECT_NE(found.report().find("(not the newest store) 0"), std::string::npos) << found.report();
  std::cout << found.report();
}

TEST(WeakMemory, AtMost32Threads) {
  expect_found(Finding::Kind::kMisuse, [] { together(std::vector<std::function<void()>>(32, [] {})); });
}

}  // namespace
}  // namespace futures::simulator
