// What a futex and a condition variable do under weak memory: tables of outcomes, and threads that park.
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

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
constexpr auto kSeqCst = std::memory_order_seq_cst;

using Order = std::optional<std::memory_order>;
using Program = std::function<void()>;

Exploration explore_all(const Program& program, Memory memory = Memory::kWeak, int faults = 0) {
  return explore("program", program, Exhaustive({.preemptions = 3, .faults = faults, .reorderings = 3}), {}, memory);
}

// What `program` returns, in all runs.
std::set<int> results(const std::function<int()>& program) {
  std::set<int> seen;
  const Exploration explored = explore_all([&] { seen.insert(program()); });
  EXPECT_TRUE(explored.ok()) << explored.report();
  return seen;
}

// A program of a table: what is found in it, if anything.
struct Row {
  std::string_view name;
  std::optional<Finding::Kind> finding;
  Program program;
  int faults = 0;
};

constexpr auto kSleepsForEver = Finding::Kind::kLostWakeUp;

void check(const std::vector<Row>& table) {
  for (const Row& row : table) {
    SCOPED_TRACE(row.name);
    const Exploration explored = explore_all(row.program, Memory::kWeak, row.faults);
    ASSERT_EQ(explored.ok(), !row.finding) << explored.report();
    if (row.finding) {
      EXPECT_EQ(explored.finding->kind, *row.finding) << explored.report();
    }
  }
}

// --- A futex, as Linux has it.

using Word = sync::atomic<std::uint32_t>;

void wait_once(const Word& word) { sync::futex_wait(word, 0, std::nullopt); }
void set(Word& word) { word.store(1, kRelaxed); }
void wake(const Word& word) { sync::futex_wake_all(word); }

// Several threads on one word, which is 0.
Program on_a_word(std::vector<void (*)(Word&)> threads) {
  return [threads = std::move(threads)] {
    Word word{0};
    std::vector<std::function<void()>> bodies;
    for (auto* const thread : threads) bodies.push_back([&word, thread] { thread(word); });
    together(std::move(bodies));
  };
}

constexpr auto kWaits = [](Word& word) { wait_once(word); };
constexpr auto kSets = [](Word& word) { set(word); };
constexpr auto kWakes = [](Word& word) { wake(word); };
constexpr auto kSetsAndWakes = [](Word& word) {
  set(word);
  wake(word);
};
constexpr auto kWaitsForTheValue = [](Word& word) {
  while (word.load(kRelaxed) == 0) wait_once(word);
};
constexpr auto kTakesAWakeForTheValue = [](Word& word) {
  wait_once(word);
  expect(word.load(kRelaxed) != 0, "it goes on without what it has waited for");
};

TEST(WeakWaits, AFutex) {
  check({
      {"nobody wakes", kSleepsForEver, on_a_word({kWaits})},
      {"another value", std::nullopt,
       [] {
         const Word word{1};
         wait_once(word);
       }},
      {"a wake is not remembered", kSleepsForEver, on_a_word({kWaits, kWakes})},
      {"a store without a wake", kSleepsForEver, on_a_word({kWaits, kSets})},
      {"a store, then a wake", std::nullopt, on_a_word({kWaits, kSetsAndWakes})},
      {"a wake, then a store", kSleepsForEver,
       on_a_word({kWaits,
                  [](Word& word) {
                    wake(word);
                    word.store(1, kSeqCst);
                  }})},
      {"one wake for two waiters", std::nullopt, on_a_word({kWaits, kWaits, kSetsAndWakes})},
      {"the store of one thread, the wake of another that has read it", std::nullopt,
       on_a_word({kWaits, kSets,
                  [](Word& word) {
                    if (word.load(kRelaxed) == 0) set(word);
                    wake(word);
                  }})},
      {"the store of one thread, the wake of another that may not have read it", kSleepsForEver,
       on_a_word({kWaits, kSets, kWakes})},
      {"the wake of another word", kSleepsForEver,
       on_a_word({kWaits,
                  [](Word& word) {
                    const Word other{0};
                    set(word);
                    wake(other);
                  }})},
      {"a wait that is repeated", std::nullopt,
       on_a_word({kWaitsForTheValue,
                  [](Word& word) {
                    wake(word);
                    set(word);
                    wake(word);
                  }})},
      {"a wait may end for no reason", Finding::Kind::kBrokenExpectation,
       on_a_word({kTakesAWakeForTheValue, kSetsAndWakes}), /*faults=*/1},
      {"a wait that is repeated may end for no reason", std::nullopt, on_a_word({kWaitsForTheValue, kSetsAndWakes}),
       /*faults=*/1},
  });
}

// Neither of the two calls is a release or an acquire: what else was stored may not be there yet.
TEST(WeakWaits, AFutexPublishesNothing) {
  const auto program = [](std::memory_order store, std::memory_order load) {
    Word word{0};
    sync::atomic<int> value{0};
    int seen = 0;
    together({[&] {
                while (word.load(load) == 0) wait_once(word);
                seen = value.load(kRelaxed);
              },
              [&] {
                value.store(7, kRelaxed);
                word.store(1, store);
                wake(word);
              }});
    return seen;
  };
  EXPECT_EQ(results([&] { return program(kRelease, kAcquire); }), std::set<int>({7}));
  EXPECT_EQ(results([&] { return program(kRelaxed, kAcquire); }), std::set<int>({0, 7}));
  EXPECT_EQ(results([&] { return program(kRelease, kRelaxed); }), std::set<int>({0, 7}));
}

// --- A condition variable, as the standard has it.

struct Waiting {
  sync::mutex mutex;
  sync::condition_variable changed;
  sync::atomic<bool> is_set{false};

  void wait_in_a_loop() {
    sync::mutex_lock lock(mutex);
    while (!is_set.load(kRelaxed)) changed.wait(mutex);
  }
  void wait_once() {
    sync::mutex_lock lock(mutex);
    if (!is_set.load(kRelaxed)) changed.wait(mutex);
    expect(is_set.load(kRelaxed), "it goes on without what it has waited for");
  }
  void set_and_notify() {
    sync::mutex_lock lock(mutex);
    is_set.store(true, kRelaxed);
    changed.notify_one();
  }
  void set_and_notify_all() {
    sync::mutex_lock lock(mutex);
    is_set.store(true, kRelaxed);
    changed.notify_all();
  }
  void set_and_notify_behind_the_lock() {
    {
      sync::mutex_lock lock(mutex);
      is_set.store(true, kRelaxed);
    }
    changed.notify_one();
  }
  void set_and_notify_without_the_lock() {
    is_set.store(true, kSeqCst);
    changed.notify_one();
  }
};

Program on_a_condition(std::vector<void (Waiting::*)()> threads) {
  return [threads = std::move(threads)] {
    Waiting waiting;
    std::vector<std::function<void()>> bodies;
    for (const auto thread : threads) bodies.push_back([&waiting, thread] { (waiting.*thread)(); });
    together(std::move(bodies));
  };
}

TEST(WeakWaits, AConditionVariable) {
  using W = Waiting;
  check({
      {"nobody notifies", kSleepsForEver, on_a_condition({&W::wait_once})},
      {"a notification under the lock", std::nullopt, on_a_condition({&W::wait_once, &W::set_and_notify})},
      {"a notification behind the lock", std::nullopt,
       on_a_condition({&W::wait_once, &W::set_and_notify_behind_the_lock})},
      {"a change without the lock", kSleepsForEver,
       on_a_condition({&W::wait_in_a_loop, &W::set_and_notify_without_the_lock})},
      {"one notification for two waiters", kSleepsForEver,
       on_a_condition({&W::wait_once, &W::wait_once, &W::set_and_notify})},
      {"a notification of all for two waiters", std::nullopt,
       on_a_condition({&W::wait_once, &W::wait_once, &W::set_and_notify_all})},
      {"a wait may end for no reason", Finding::Kind::kBrokenExpectation,
       on_a_condition({&W::wait_once, &W::set_and_notify}), /*faults=*/1},
      {"a wait in a loop may end for no reason", std::nullopt, on_a_condition({&W::wait_in_a_loop, &W::set_and_notify}),
       /*faults=*/1},
  });
}

// The mutex publishes what was done before its unlock, and notify publishes nothing.
TEST(WeakWaits, ANotificationPublishesNothing) {
  const auto program = [](bool before_the_unlock) {
    sync::mutex mutex;
    sync::condition_variable changed;
    sync::atomic<int> value{0};
    bool is_set = false;
    int seen = 0;
    together({[&] {
                {
                  sync::mutex_lock lock(mutex);
                  while (!is_set) changed.wait(mutex);
                }
                seen = value.load(kRelaxed);
              },
              [&] {
                if (before_the_unlock) value.store(7, kRelaxed);
                {
                  sync::mutex_lock lock(mutex);
                  is_set = true;
                }
                if (!before_the_unlock) value.store(7, kRelaxed);
                changed.notify_one();
              }});
    return seen;
  };
  EXPECT_EQ(results([&] { return program(true); }), std::set<int>({7}));
  EXPECT_EQ(results([&] { return program(false); }), std::set<int>({0, 7}));
}

// --- Threads that park. A thread says that it is about to sleep and then looks for work; another one adds work and
// then looks for sleepers. Each needs a fence in between, of order seq_cst.

void fence(Order order) {
  if (order) sync::atomic_thread_fence(*order);
}

void park_on_a_futex(Order sleeper, Order waker) {
  Word permit{0};
  sync::atomic<bool> sleeps{false};
  sync::atomic<bool> work{false};
  together({[&] {
              sleeps.store(true, kRelaxed);
              fence(sleeper);
              if (!work.load(kRelaxed)) wait_once(permit);
            },
            [&] {
              work.store(true, kRelaxed);
              fence(waker);
              if (!sleeps.load(kRelaxed)) return;
              set(permit);
              wake(permit);
            }});
}

void park_on_a_condition(Order sleeper, Order waker) {
  sync::mutex mutex;
  sync::condition_variable changed;
  sync::atomic<bool> sleeps{false};
  sync::atomic<bool> work{false};
  together({[&] {
              sync::mutex_lock lock(mutex);
              sleeps.store(true, kRelaxed);
              fence(sleeper);
              if (!work.load(kRelaxed)) changed.wait(mutex);
            },
            [&] {
              work.store(true, kRelaxed);
              fence(waker);
              if (!sleeps.load(kRelaxed)) return;
              sync::mutex_lock lock(mutex);
              changed.notify_one();
            }});
}

TEST(WeakWaits, AParkingThreadNeedsTheFencesOfBothSides) {
  for (const auto park : {&park_on_a_futex, &park_on_a_condition}) {
    for (const Order sleeper : {Order(), Order(kAcqRel), Order(kSeqCst)}) {
      for (const Order waker : {Order(), Order(kAcqRel), Order(kSeqCst)}) {
        const auto program = [&] { park(sleeper, waker); };
        const Exploration sequential = explore_all(program, Memory::kSequentiallyConsistent);
        EXPECT_TRUE(sequential.ok()) << sequential.report();
        const Exploration weak = explore_all(program);
        EXPECT_EQ(weak.ok(), sleeper == kSeqCst && waker == kSeqCst) << weak.report();
        if (!weak.ok()) EXPECT_EQ(weak.finding->kind, kSleepsForEver) << weak.report();
      }
    }
  }
}

}  // namespace
}  // namespace futures::simulator
