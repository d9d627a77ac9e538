// The simulator finds accesses that nothing orders, though each run is one thread of the operating system and every
// load sees the last store; and it finds none where something orders them.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

Exploration explored(const std::function<void()>& program) {
  return explore("program", program, Exhaustive({.preemptions = 2}));
}

void expect_found(Finding::Kind kind, const std::function<void()>& program) {
  const Exploration found = explored(program);
  ASSERT_FALSE(found.ok()) << found.report();
  EXPECT_EQ(found.finding->kind, kind) << found.report();
  const Exploration again = explore("again", program, Replay(found.finding->schedule));
  ASSERT_FALSE(again.ok()) << found.report();
  EXPECT_EQ(again.finding->what, found.finding->what);
  EXPECT_EQ(again.finding->table, found.finding->table);
}

void expect_race(const std::function<void()>& program) { expect_found(Finding::Kind::kDataRace, program); }

void expect_none(const std::function<void()>& program) {
  const Exploration found = explored(program);
  EXPECT_TRUE(found.ok()) << found.report();
  EXPECT_GT(found.plain_accesses, 0) << "nothing was instrumented";
}

// Two threads, and a plain variable on the heap.
void on_one_variable(const std::function<void(int&)>& one, const std::function<void(int&)>& other) {
  const auto variable = std::make_unique<int>(0);
  together({[&] { one(*variable); }, [&] { other(*variable); }});
}

const auto write = [](int& variable) { variable = 1; };
const auto read = [](int& variable) { expect(variable < 2, "it has another value"); };

// Silence must not be for want of instrumentation: neither of this file, nor of the copies.
TEST(DataRace, TheSourcesAreInstrumented) {
  EXPECT_GT(explored([] { on_one_variable(read, read); }).plain_accesses, 0);
  const Exploration of_a_copy = explored([] {
    auto* const promise = new Promise<std::unique_ptr<int>>;
    const Future<std::unique_ptr<int>> future = promise->future();
    promise->set_result(nullptr);
    future.add_done_callback([](const Future<std::unique_ptr<int>>&) {});
    delete promise;
  });
  EXPECT_TRUE(of_a_copy.ok()) << of_a_copy.report();
  EXPECT_GT(of_a_copy.plain_accesses, 10);
}

TEST(DataRace, TwoWrites) {
  expect_race([] { on_one_variable(write, write); });
}
TEST(DataRace, AWriteAndARead) {
  expect_race([] { on_one_variable(write, read); });
}
TEST(DataRace, TwoReadsAreNone) {
  expect_none([] { on_one_variable(read, read); });
}

TEST(DataRace, AReadModifyWrite) {
  expect_race([] { on_one_variable([](int& variable) { ++variable; }, [](int& variable) { variable += 2; }); });
}

TEST(DataRace, OnAStaticVariable) {
  static int variable = 0;
  const auto program = [](bool both) {
    variable = 0;
    together({[] { ++variable; },
              [&] {
                if (both) ++variable;
              }});
    expect(variable == (both ? 2 : 1), "an update was lost");
  };
  expect_none([&] { program(false); });
  expect_race([&] { program(true); });
}

TEST(DataRace, OnTheStackOfAnotherThread) {
  expect_race([] {
    int variable = 0;
    together({[&] { write(variable); }, [&] { write(variable); }});
  });
}

TEST(DataRace, BytesOfOneWordAreApart) {
  struct Two {
    std::uint8_t one = 0;
    std::uint8_t other = 0;
    std::uint16_t third = 0;
  };
  const auto program = [](bool same) {
    const auto two = std::make_unique<Two>();
    together({[&] { two->one = 1; }, [&] { (same ? two->one : two->other) = 1; }, [&] { two->third = 1; }});
  };
  expect_none([&] { program(false); });
  expect_race([&] { program(true); });
}

// A wide access conflicts with each of the words that it covers.
TEST(DataRace, OfWideAccesses) {
  const auto program = [](bool reads_all) {
    const auto wide = std::make_unique<unsigned __int128>(0);
    auto* const bytes = reinterpret_cast<std::byte*>(wide.get());
    together(
        {[&] {
           const std::uint64_t one = 1;
           std::memcpy(bytes + 8, &one, sizeof(one));
         },
         [&] {
           std::uint64_t low = 0;
           std::memcpy(&low, bytes, sizeof(low));
           expect((reads_all ? static_cast<std::uint64_t>(*wide) + static_cast<std::uint64_t>(*wide >> 65) : low) == 0,
                  "it has another value");
         }});
  };
  expect_none([&] { program(false); });
  expect_race([&] { program(true); });
}

TEST(DataRace, IsLookedForInAPartOfTheRuns) {
  const auto accesses = [](long races_one_in) {
    return explore("program", [] { on_one_variable(read, read); }, RandomWalk({.runs = 100, .faults = false}),
                   {.races_one_in = races_one_in})
        .plain_accesses;
  };
  EXPECT_EQ(accesses(4) * 4, accesses(1));
  const Exploration found =
      explore("program", [] { on_one_variable(write, read); }, Exhaustive({.preemptions = 2}), {.races_one_in = 1000});
  EXPECT_FALSE(found.ok()) << "the first run was not looked at";
}

// --- What orders.

// The first thread writes and publishes, the second one reads what it has seen published.
void expect_published(bool orders, const std::function<void(sync::atomic<std::uint32_t>&)>& publish,
                      const std::function<bool(sync::atomic<std::uint32_t>&)>& see,
                      const std::function<void(sync::atomic<std::uint32_t>&)>& third = nullptr) {
  const auto program = [&] {
    const auto published = std::make_unique<sync::atomic<std::uint32_t>>(0);
    const auto variable = std::make_unique<int>(0);
    std::vector<std::function<void()>> clients = {[&] {
                                                    write(*variable);
                                                    publish(*published);
                                                  },
                                                  [&] {
                                                    if (see(*published)) expect(*variable == 1, "it was not written");
                                                  }};
    if (third != nullptr) clients.push_back([&] { third(*published); });
    together(clients);
  };
  orders ? expect_none(program) : expect_race(program);
}

using Flag = sync::atomic<std::uint32_t>;

std::function<void(Flag&)> store(std::memory_order order) {
  return [order](Flag& flag) { flag.store(1, order); };
}
std::function<bool(Flag&)> load(std::memory_order order) {
  return [order](Flag& flag) { return flag.load(order) != 0; };
}

TEST(Ordering, AReleaseAndAnAcquire) {
  expect_published(true, store(std::memory_order_release), load(std::memory_order_acquire));
  expect_published(true, store(std::memory_order_seq_cst), load(std::memory_order_seq_cst));
}

TEST(Ordering, ARelaxedStoreOrLoadPublishesNothing) {
  expect_published(false, store(std::memory_order_relaxed), load(std::memory_order_acquire));
  expect_published(false, store(std::memory_order_release), load(std::memory_order_relaxed));
}

TEST(Ordering, AReadModifyWriteByItsOrder) {
  const auto exchange = [](std::memory_order order) { return [order](Flag& flag) { flag.exchange(1, order); }; };
  const auto compare = [](std::memory_order success) {
    return [success](Flag& flag) {
      std::uint32_t expected = 1;
      return flag.compare_exchange_strong(expected, 2, success, std::memory_order_relaxed);
    };
  };
  expect_published(true, exchange(std::memory_order_release), compare(std::memory_order_acquire));
  expect_published(false, exchange(std::memory_order_acquire), compare(std::memory_order_acquire));
  expect_published(false, exchange(std::memory_order_release), compare(std::memory_order_release));
}

TEST(Ordering, ACompareExchangeThatFailsIsALoad) {
  const auto fail = [](std::memory_order failure) {
    return [failure](Flag& flag) {
      std::uint32_t expected = 0;
      return !flag.compare_exchange_strong(expected, 0, std::memory_order_relaxed, failure);
    };
  };
  expect_published(true, store(std::memory_order_release), fail(std::memory_order_acquire));
  expect_published(false, store(std::memory_order_release), fail(std::memory_order_relaxed));
}

// A read-modify-write of a third thread, even a relaxed one, continues what the release began. Its store does not.
TEST(Ordering, AReleaseSequence) {
  const auto sees_both = [](Flag& flag) { return flag.load(std::memory_order_acquire) == 3; };
  expect_published(true, store(std::memory_order_release), sees_both,
                   [](Flag& flag) { flag.fetch_or(2, std::memory_order_relaxed); });
  expect_published(false, store(std::memory_order_release), sees_both, [](Flag& flag) {
    if (flag.load(std::memory_order_relaxed) == 1) flag.store(3, std::memory_order_relaxed);
  });
}

TEST(Ordering, Fences) {
  const auto publish = [](std::memory_order order) {
    return [order](Flag& flag) {
      sync::atomic_thread_fence(order);
      flag.store(1, std::memory_order_relaxed);
    };
  };
  const auto see = [](std::memory_order order) {
    return [order](Flag& flag) {
      const bool seen = flag.load(std::memory_order_relaxed) != 0;
      sync::atomic_thread_fence(order);
      return seen;
    };
  };
  expect_published(true, publish(std::memory_order_release), see(std::memory_order_acquire));
  expect_published(true, publish(std::memory_order_seq_cst), see(std::memory_order_seq_cst));
  expect_published(true, store(std::memory_order_release), see(std::memory_order_acquire));
  expect_published(true, publish(std::memory_order_release), load(std::memory_order_acquire));
  expect_published(false, publish(std::memory_order_acquire), see(std::memory_order_acquire));
  expect_published(false, publish(std::memory_order_release), see(std::memory_order_release));
  // Behind the store, and before the load.
  expect_published(
      false,
      [](Flag& flag) {
        flag.store(1, std::memory_order_relaxed);
        sync::atomic_thread_fence(std::memory_order_seq_cst);
      },
      load(std::memory_order_acquire));
}

TEST(Ordering, AFutexAloneOrdersNothing) {
  const auto program = [](std::memory_order stored, std::memory_order loaded) {
    return [=] {
      const auto flag = std::make_unique<Flag>(0);
      on_one_variable(
          [&](int& variable) {
            write(variable);
            flag->store(1, stored);
            sync::futex_wake_all(*flag);
          },
          [&](int& variable) {
            while (flag->load(loaded) == 0) sync::futex_wait(*flag, 0, std::nullopt);
            read(variable);
          });
    };
  };
  expect_none(program(std::memory_order_release, std::memory_order_acquire));
  expect_race(program(std::memory_order_relaxed, std::memory_order_relaxed));
}

TEST(Ordering, AMutex) {
  const auto program = [](bool same) {
    sync::mutex mutex;
    sync::mutex another;
    const auto locked = [](sync::mutex& m) {
      return [&m](int& variable) {
        sync::mutex_lock lock(m);
        ++variable;
      };
    };
    on_one_variable(locked(mutex), locked(same ? mutex : another));
  };
  expect_none([&] { program(true); });
  expect_race([&] { program(false); });
}

TEST(Ordering, AConditionVariableByItsMutex) {
  expect_none([] {
    sync::mutex mutex;
    sync::condition_variable changed;
    on_one_variable(
        [&](int& variable) {
          sync::mutex_lock lock(mutex);
          variable = 1;
          changed.notify_all();
        },
        [&](int& variable) {
          sync::mutex_lock lock(mutex);
          while (variable == 0) changed.wait(mutex);
        });
  });
}

TEST(Ordering, TheStartAndTheEndOfAThread) {
  const auto program = [](bool joins_first) {
    static int variable = 0;
    variable = 0;
    sync::thread thread = sync::thread::start({.name = "worker"}, [] { ++variable; });
    if (joins_first) thread.join();
    ++variable;
    if (thread.joinable()) thread.join();
    expect(variable == 2, "an update was lost");
  };
  expect_none([&] { program(true); });
  expect_race([&] { program(false); });
}

// The last owner destroys the object: what the others did with it comes before.
TEST(Ordering, TheOwnersOfASharedObject) {
  struct Counts {
    ~Counts() { expect(one + other == 2, "an owner's work is not done"); }
    int one = 0;
    int other = 0;
  };
  expect_none([] {
    auto first = sync::make_shared<Counts>();
    auto second = first;
    together({[&] {
                first->one = 1;
                first = nullptr;
              },
              [&] {
                second->other = 1;
                second = nullptr;
              }});
  });
}

// --- Memory.

// The same address is another variable then.
TEST(Memory, IsForgottenWhenItIsFreed) {
  expect_none([] {
    const auto use = [] {
      const auto variable = std::make_unique<int>(0);
      write(*variable);
    };
    together({use, use, use});
  });
}

TEST(Memory, IsNotUsedAfterItWasFreed) {
  expect_found(Finding::Kind::kUseAfterFree, [] {
    auto* const variable = new int(0);
    auto* const deleted = new sync::atomic<bool>(false);
    together({[=] {
                if (deleted->load()) expect(*variable == 0, "it has another value");
              },
              [=] {
                delete variable;
                deleted->store(true);
              }});
    delete deleted;
  });
}

// What a run leaves behind is the business of the test, and stays as it is.
TEST(Memory, OutlivesARun) {
  std::vector<std::string> kept;
  const Exploration found = explore(
      "program", [&] { kept.push_back("long enough to be on the heap, " + std::to_string(kept.size())); },
      RandomWalk({.runs = 100}));
  EXPECT_TRUE(found.ok()) << found.report();
  ASSERT_EQ(kept.size(), 100u);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i], "long enough to be on the heap, " + std::to_string(i));
  }
}

TEST(DataRace, AReportSaysWhoAndWhere) {
  const Exploration found = explored([] { on_one_variable(write, read); });
  const std::string report = found.report();
  for (const char* const part : {"FOUND data race: nothing orders two accesses to 4 bytes", "client 1 writes in ",
                                 "client 2 reads in ", "0x", "behind row"}) {
    EXPECT_NE(report.find(part), report.npos) << part << "\n" << report;
  }
  std::cout << report;
}

}  // namespace
}  // namespace futures::simulator
