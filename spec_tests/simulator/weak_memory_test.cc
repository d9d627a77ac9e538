// Weak memory in the simulator: litmus tests have the outcomes of the model, which herd7_test compares with herd7's;
// tables of what a futex and a condition variable do; and bugs that only weak memory shows.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/litmus.h"
#include "spec_tests/simulator/litmus_tests.h"
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

using Program = std::function<void()>;

Exploration explore_all(const Program& program, Memory memory, int faults = 0) {
  return explore("program", program, Exhaustive({.preemptions = 100, .faults = faults, .reorderings = 100}), {}, memory);
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

// What `program` returns, in all runs.
std::set<int> results(const std::function<int()>& program, Memory memory = Memory::kWeak) {
  std::set<int> seen;
  const Exploration explored = explore_all([&] { seen.insert(program()); }, memory);
  EXPECT_TRUE(explored.ok()) << explored.report();
  return seen;
}

// --- Litmus tests.

int execute(const Instruction& next, sync::atomic<int>& on, bool& succeeded) {
  switch (next.kind) {
    case Instruction::Kind::kLoad:
      return on.load(next.order);
    case Instruction::Kind::kStore:
      on.store(next.value, next.order);
      return 0;
    case Instruction::Kind::kFetchAdd:
      return on.fetch_add(next.value, next.order);
    case Instruction::Kind::kExchange:
      return on.exchange(next.value, next.order);
    case Instruction::Kind::kCompareExchange: {
      int expected = next.expected;
      succeeded = on.compare_exchange_strong(expected, next.value, next.order, failure_order(next.order));
      return expected;
    }
    case Instruction::Kind::kFence:
      sync::atomic_thread_fence(next.order);
      return 0;
  }
  return 0;
}

Outcomes simulated_outcomes(const Litmus& litmus, long& schedules) {
  Outcomes seen;
  const auto program = [&] {
    std::array<sync::atomic<int>, 4> locations;
    Observation observation(litmus);
    std::vector<std::function<void()>> threads;
    for (std::size_t t = 0; t < litmus.threads.size(); ++t) {
      threads.push_back([&, t] {
        for (std::size_t at = 0; at < litmus.threads[t].size(); ++at) {
          const Instruction& next = litmus.threads[t][at];
          bool succeeded = false;
          observation.read[t][at] = execute(next, locations[static_cast<std::size_t>(next.location)], succeeded);
          observation.succeeded[t][at] = succeeded;
        }
      });
    }
    together(std::move(threads));
    std::vector<int> last_values;
    for (int i = 0; i < location_count(litmus); ++i) {
      last_values.push_back(locations[static_cast<std::size_t>(i)].load(kRelaxed));
    }
    seen.insert(observation.to_text(litmus, last_values));
  };
  const Exploration explored = explore_all(program, Memory::kWeak);
  EXPECT_TRUE(explored.ok()) << to_text(litmus) << explored.report();
  schedules += explored.schedules;
  return seen;
}

// What a test costs: the simulator tries every interleaving.
bool is_small(const Litmus& litmus) {
  std::size_t operations = litmus.threads.size();  // Their ends, too.
  for (const auto& thread : litmus.threads) operations += thread.size();
  return operations <= (litmus.threads.size() == 2 ? 9 : 8);
}

TEST(WeakMemory, LitmusTestsHaveTheOutcomesOfTheModel) {
  std::vector<Litmus> all = particular_programs();
  for (const Litmus& litmus : shapes(2, 7)) all.push_back(litmus);
  for (const Litmus& litmus : random_programs(60, 7)) all.push_back(litmus);
  int programs = 0;
  long schedules = 0;
  for (const Litmus& litmus : all) {
    if (!is_small(litmus)) continue;
    ++programs;
    EXPECT_EQ(simulated_outcomes(litmus, schedules), model_outcomes(litmus)) << to_text(litmus);
  }
  EXPECT_GT(programs, 80);
  std::cout << programs << " programs, " << schedules << " schedules\n";
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

// --- A futex. Each row says whether a waiter may sleep for ever.

struct FutexRow {
  const char* name;
  bool may_sleep_for_ever;
  void (*program)(sync::atomic<std::uint32_t>& word);
};

void wait_once(const sync::atomic<std::uint32_t>& word) { sync::futex_wait(word, 0, std::nullopt); }

constexpr FutexRow kFutexRows[] = {
    {"nobody wakes", true, [](auto& word) { together({[&] { wait_once(word); }}); }},
    {"another value", false,
     [](auto& word) {
       word.store(1, kRelaxed);
       together({[&] { wait_once(word); }});
     }},
    {"a wake is not remembered", true,
     [](auto& word) { together({[&] { wait_once(word); }, [&] { sync::futex_wake_all(word); }}); }},
    {"a store without a wake", true,
     [](auto& word) { together({[&] { wait_once(word); }, [&] { word.store(1, kSeqCst); }}); }},
    {"a store, then a wake", false,
     [](auto& word) {
       together({[&] { wait_once(word); },
                 [&] {
                   word.store(1, kRelaxed);
                   sync::futex_wake_all(word);
                 }});
     }},
    {"a wake, then a store", true,
     [](auto& word) {
       together({[&] { wait_once(word); },
                 [&] {
                   sync::futex_wake_all(word);
                   word.store(1, kSeqCst);
                 }});
     }},
    {"one wake for all", false,
     [](auto& word) {
       together({[&] { wait_once(word); }, [&] { wait_once(word); },
                 [&] {
                   word.store(1, kRelaxed);
                   sync::futex_wake_all(word);
                 }});
     }},
    {"who has read the store wakes", false,
     [](auto& word) {
       together({[&] { wait_once(word); }, [&] { word.store(1, kRelaxed); },
                 [&] {
                   if (word.load(kRelaxed) == 0) word.store(2, kRelaxed);
                   sync::futex_wake_all(word);
                 }});
     }},
    {"the wake of another word", true,
     [](auto& word) {
       together({[&] { wait_once(word); },
                 [&] {
                   const sync::atomic<std::uint32_t> other{0};
                   word.store(1, kRelaxed);
                   sync::futex_wake_all(other);
                 }});
     }},
    {"a second wait", false,
     [](auto& word) {
       together({[&] {
                   while (word.load(kRelaxed) == 0) wait_once(word);
                 },
                 [&] {
                   sync::futex_wake_all(word);
                   word.store(1, kRelaxed);
                   sync::futex_wake_all(word);
                 }});
     }},
};

TEST(WeakMemory, AFutexIsTheKernels) {
  for (const FutexRow& row : kFutexRows) {
    SCOPED_TRACE(row.name);
    const auto program = [&] {
      sync::atomic<std::uint32_t> word{0};
      row.program(word);
    };
    const Exploration explored = explore("futex", program, Exhaustive({.preemptions = 3, .reorderings = 3}), {},
                                         Memory::kWeak);
    EXPECT_EQ(explored.ok(), !row.may_sleep_for_ever) << explored.report();
    if (!explored.ok()) EXPECT_EQ(explored.finding->kind, Finding::Kind::kLostWakeUp) << explored.report();
  }
}

TEST(WeakMemory, AFutexWaitMayEndForNoReason) {
  expect_found(
      Finding::Kind::kBrokenExpectation,
      [] {
        sync::atomic<std::uint32_t> word{0};
        together({[&] {
                    wait_once(word);
                    expect(word.load(kRelaxed) == 1, "it woke for no reason");
                  },
                  [&] {
                    word.store(1, kRelaxed);
                    sync::futex_wake_all(word);
                  }});
      },
      /*faults=*/1);
}

// Neither of the two calls is a release or an acquire: what else was stored may not be there yet.
TEST(WeakMemory, AFutexPublishesNothing) {
  const auto program = [](std::memory_order store, std::memory_order load) {
    sync::atomic<std::uint32_t> word{0};
    sync::atomic<int> value{0};
    int seen = 0;
    together({[&] {
                while (word.load(load) == 0) wait_once(word);
                seen = value.load(kRelaxed);
              },
              [&] {
                value.store(7, kRelaxed);
                word.store(1, store);
                sync::futex_wake_all(word);
              }});
    return seen;
  };
  const auto bounded = [&](std::memory_order store, std::memory_order load) {
    std::set<int> seen;
    const Exploration explored = explore("publishes", [&] { seen.insert(program(store, load)); },
                                         Exhaustive({.preemptions = 2, .reorderings = 2}), {}, Memory::kWeak);
    EXPECT_TRUE(explored.ok()) << explored.report();
    return seen;
  };
  EXPECT_EQ(bounded(kRelease, kAcquire), std::set<int>({7}));
  EXPECT_EQ(bounded(kRelaxed, kAcquire), std::set<int>({0, 7}));
  EXPECT_EQ(bounded(kRelease, kRelaxed), std::set<int>({0, 7}));
}

// A thread says that it is about to sleep and then looks for work; the other one adds work and then looks for
// sleepers. Each needs a fence in between, and no other fence will do.
TEST(WeakMemory, AParkingThreadNeedsTheFencesOfBothSides) {
  const auto program = [](std::optional<std::memory_order> sleeper, std::optional<std::memory_order> waker) {
    sync::atomic<std::uint32_t> permit{0};
    sync::atomic<bool> sleeps{false};
    sync::atomic<bool> work{false};
    together({[&] {
                sleeps.store(true, kRelaxed);
                if (sleeper) sync::atomic_thread_fence(*sleeper);
                if (!work.load(kRelaxed)) wait_once(permit);
              },
              [&] {
                work.store(true, kRelaxed);
                if (waker) sync::atomic_thread_fence(*waker);
                if (!sleeps.load(kRelaxed)) return;
                permit.store(1, kRelaxed);
                sync::futex_wake_all(permit);
              }});
  };
  expect_nothing([&] { program(kSeqCst, kSeqCst); });
  expect_found_if_weak(Finding::Kind::kLostWakeUp, [&] { program(std::nullopt, kSeqCst); });
  expect_found_if_weak(Finding::Kind::kLostWakeUp, [&] { program(kSeqCst, std::nullopt); });
  expect_found_if_weak(Finding::Kind::kLostWakeUp, [&] { program(kAcqRel, kSeqCst); });
  expect_found_if_weak(Finding::Kind::kLostWakeUp, [&] { program(kSeqCst, kAcqRel); });
}

// The same with a mutex and a condition variable to sleep on.
TEST(WeakMemory, ParkingOnAConditionNeedsTheFences) {
  const auto program = [](bool fence) {
    sync::mutex mutex;
    sync::condition_variable changed;
    sync::atomic<bool> sleeps{false};
    sync::atomic<bool> work{false};
    together({[&] {
                sync::mutex_lock lock(mutex);
                sleeps.store(true, kRelaxed);
                if (fence) sync::atomic_thread_fence(kSeqCst);
                if (!work.load(kRelaxed)) changed.wait(mutex);
              },
              [&] {
                work.store(true, kRelaxed);
                sync::atomic_thread_fence(kSeqCst);
                if (!sleeps.load(kRelaxed)) return;
                sync::mutex_lock lock(mutex);
                changed.notify_one();
              }});
  };
  expect_nothing([&] { program(true); });
  expect_found_if_weak(Finding::Kind::kLostWakeUp, [&] { program(false); });
}

// --- A condition variable, as the standard has it.

enum class Notifier { kUnderTheLock, kBehindTheLock, kWithoutTheLock };

void wait_and_notify(Notifier notifier, bool loops) {
  sync::mutex mutex;
  sync::condition_variable changed;
  sync::atomic<bool> is_set{false};
  together({[&] {
              sync::mutex_lock lock(mutex);
              if (loops) {
                while (!is_set.load(kRelaxed)) changed.wait(mutex);
              } else if (!is_set.load(kRelaxed)) {
                changed.wait(mutex);
              }
              expect(is_set.load(kRelaxed), "it goes on without what it has waited for");
            },
            [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
              if (notifier != Notifier::kWithoutTheLock) mutex.lock();
              is_set.store(true, kRelaxed);
              if (notifier == Notifier::kBehindTheLock) mutex.unlock();
              changed.notify_one();
              if (notifier == Notifier::kUnderTheLock) mutex.unlock();
            }});
}

TEST(WeakMemory, AConditionVariableIsTheStandards) {
  for (const bool loops : {false, true}) {
    expect_nothing([&] { wait_and_notify(Notifier::kUnderTheLock, loops); });
    expect_nothing([&] { wait_and_notify(Notifier::kBehindTheLock, loops); });
  }
  expect_found(Finding::Kind::kLostWakeUp, [] { wait_and_notify(Notifier::kWithoutTheLock, true); });
  expect_found(
      Finding::Kind::kBrokenExpectation, [] { wait_and_notify(Notifier::kUnderTheLock, false); }, /*faults=*/1);
}

// The mutex publishes what was done before its unlock, and notify publishes nothing.
TEST(WeakMemory, ANotificationPublishesNothing) {
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

}  // namespace
}  // namespace futures::simulator
