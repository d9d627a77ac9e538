// The simulator finds a bug of each kind that was put in on purpose, finds it again from its schedule, and finds
// nothing where nothing is wrong. And it tries as many schedules as there are.
#include "spec_tests/simulator/simulator.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/exploration_checks.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

TEST(Simulator, FindsALostUpdate) {
  const auto program = [](bool atomically) {
    sync::atomic<int> count{0};
    const auto add = [&] { atomically ? (void)count.fetch_add(1) : count.store(count.load() + 1); };
    together({add, add});
    expect(count.load() == 2, "an update was lost");
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kBrokenExpectation, [&] { program(false); });
}

TEST(Simulator, FindsALostWakeUpOfAConditionVariable) {
  const auto program = [](bool under_the_lock) {
    sync::mutex mutex;
    sync::condition_variable changed;
    sync::atomic<bool> is_set{false};
    together({[&] {
                sync::mutex_lock lock(mutex);
                while (!is_set.load()) changed.wait(mutex);
              },
              [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                if (under_the_lock) mutex.lock();
                is_set.store(true);
                changed.notify_one();
                if (under_the_lock) mutex.unlock();
              }});
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kLostWakeUp, [&] { program(false); });
}

TEST(Simulator, FindsALostWakeUpOfAFutex) {
  const auto program = [](bool wakes) {
    sync::atomic<std::uint32_t> word{0};
    together({[&] {
                while (word.load() == 0) sync::futex_wait(word, 0, std::nullopt);
              },
              [&] {
                word.store(1);
                if (wakes) sync::futex_wake_all(word);
              }});
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kLostWakeUp, [&] { program(false); });
}

// One notification for two threads that may both wait.
TEST(Simulator, FindsANotifyOneThatShouldBeNotifyAll) {
  const auto program = [](bool all) {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool is_set = false;
    const auto wait = [&] {
      sync::mutex_lock lock(mutex);
      while (!is_set) changed.wait(mutex);
    };
    together({wait, wait, [&] {
                sync::mutex_lock lock(mutex);
                is_set = true;
                all ? changed.notify_all() : changed.notify_one();
              }});
  };
  expect_nothing([&] { program(true); }, {.preemptions = 1});
  expect_found(Finding::Kind::kLostWakeUp, [&] { program(false); });
}

TEST(Simulator, FindsADeadlockByTheOrderOfLocks) {
  const auto program = [](bool same_order) {
    sync::mutex a;
    sync::mutex b;
    const auto both = [](sync::mutex& first, sync::mutex& second) {
      sync::mutex_lock outer(first);
      sync::mutex_lock inner(second);
    };
    together({[&] { both(a, b); }, [&] { same_order ? both(a, b) : both(b, a); }});
  };
  expect_nothing([&] { program(true); });
  expect_found(Finding::Kind::kDeadlock, [&] { program(false); });
}

TEST(Simulator, FindsALeakedThread) {
  const auto start = [] { return sync::thread::start({.name = "worker"}, [] { pass_time(); }); };
  expect_nothing([&] { start().join(); });
  expect_nothing([&] { start().detach(); });
  static std::vector<sync::thread*> leaked;
  expect_found(Finding::Kind::kLeakedThread, [&] { leaked.push_back(new sync::thread(start())); });
  // It waits for what nobody will do.
  expect_found(Finding::Kind::kLeakedThread, [&] {
    sync::thread::start({.name = "worker"}, [] {
      sync::atomic<std::uint32_t> word{0};
      sync::futex_wait(word, 0, std::nullopt);
    }).detach();
  });
}

TEST(Simulator, FindsALivelock) {
  expect_found(Finding::Kind::kLivelock,
               [] {
                 const sync::atomic<bool> never{false};
                 while (!never.load()) sync::pause();
               },
               {}, {.steps_per_run = 1000});
}

// This loop does not say that it waits, and without deviations nobody else runs: a fair scheduler ends it.
TEST(Simulator, ALoopThatAFairSchedulerEndsIsNoLivelock) {
  const auto program = [](bool ends) {
    sync::atomic<bool> is_set{false};
    together({[&] {
                while (!is_set.load()) {
                }
              },
              [&] { is_set.store(ends); }});
  };
  const Limits limits = {.steps_per_run = 1000};
  for (const bool ends : {true, false}) {
    const Exploration found = explore("program", [&] { program(ends); }, Exhaustive({.preemptions = 0}), limits);
    EXPECT_EQ(found.ok(), ends) << found.report();
    EXPECT_GT(found.steps, limits.steps_per_run);
  }
}

// A thread goes on for ever, and none is blocked: what was asked for does not come.
TEST(Simulator, FindsWhatIsNeverDone) {
  const auto program = [](bool comes) {
    sync::atomic<bool> is_done{false};
    sync::atomic<bool> is_over{false};
    together({[&] {
                while (!is_over.load()) {
                  if (comes) is_done.store(true);
                }
              },
              [&] {
                eventually([&] { return is_done.load(); }, "the call gets done");
                is_over.store(true);
              }});
  };
  const Limits limits = {.steps_per_run = 200};
  const Exploration found = explore("program", [&] { program(true); }, Exhaustive({.preemptions = 1}), limits);
  EXPECT_TRUE(found.ok()) << found.report();
  expect_found(Finding::Kind::kNeverDone, [&] { program(false); }, {.preemptions = 0}, limits);
}

// A loop that says that it waits lets others go on; it costs no preemption.
TEST(Simulator, AWaitingLoopEnds) {
  expect_nothing(
      [] {
        sync::atomic<bool> is_set{false};
        together({[&] {
                    while (!is_set.load()) sync::pause();
                  },
                  [&] { is_set.store(true); }});
      },
      {.preemptions = 0});
}

TEST(Simulator, FindsAUseAfterFree) {
  const auto program = [](bool counts) {
    struct Shared {
      sync::atomic<int> owners{2};
      sync::mutex mutex;
    };
    auto* const shared = new Shared;
    const auto use = [=] {
      {
        sync::mutex_lock lock(shared->mutex);
      }
      const bool is_last = counts ? shared->owners.fetch_sub(1) == 1 : shared->owners.exchange(1) == 1;
      if (is_last) delete shared;
    };
    together({use, use});
  };
  expect_nothing([&] { program(true); });
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
  expect_found(Finding::Kind::kUseAfterFree, [] {
    auto* const mutex = new sync::mutex;
    together({[=] { sync::mutex_lock lock(*mutex); }, [=] { delete mutex; }});
  });
#endif
}

TEST(Simulator, FindsAnExceptionThatLeavesAThread) {
  expect_found(Finding::Kind::kException, [] { together({[] { throw std::runtime_error("nobody catches this"); }}); });
  // Or std::terminate.
  expect_found(Finding::Kind::kException, [] { const sync::thread thread = sync::thread::start({}, [] {}); });
}

TEST(Simulator, FindsAnUnlockByAnotherThread) {
  expect_found(Finding::Kind::kMisuse, [] {
    sync::mutex mutex;
    together({[&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.lock(); },
              [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock(); }});
  });
}

// --- Faults.

TEST(Simulator, AWeakCompareExchangeMayFail) {
  const auto program = [] {
    sync::atomic<int> word{0};
    int expected = 0;
    expect(word.compare_exchange_weak(expected, 1), "it failed although the value was there");
  };
  expect_nothing(program);
  expect_found(Finding::Kind::kBrokenExpectation, program, {.preemptions = 0, .faults = 1});
}

TEST(Simulator, AWaitMayEndForNoReason) {
  const auto program = [] {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool is_set = false;
    together({[&] {
                sync::mutex_lock lock(mutex);
                if (!is_set) changed.wait(mutex);
                expect(is_set, "it woke for no reason");
              },
              [&] {
                sync::mutex_lock lock(mutex);
                is_set = true;
                changed.notify_one();
              }});
  };
  expect_nothing(program);
  expect_found(Finding::Kind::kBrokenExpectation, program, {.preemptions = 0, .faults = 1});
}

TEST(Simulator, AThreadMayNotStart) {
  const auto program = [] { sync::thread::start({.name = "worker"}, [] {}).join(); };
  expect_nothing(program);
  expect_found(Finding::Kind::kException, program, {.preemptions = 0, .faults = 1});
}

TEST(Simulator, AnAllocationMayFail) {
  static std::unique_ptr<int> first;  // The compiler may leave out an allocation that nobody can see.
  static std::unique_ptr<int> second;
  const auto program = [] {
    first = std::make_unique<int>(1);
    try {
      second = std::make_unique<int>(2);
    } catch (const std::bad_alloc&) {
      expect(*first == 1, "it has another value");
    }
    first.reset();
    second.reset();
  };
  expect_nothing(program);
  const Limits memory_is_short = {.allocations_fail = true};
  EXPECT_TRUE(explore("program", program, Exhaustive({.preemptions = 1}), memory_is_short).ok());
  expect_found(Finding::Kind::kException, program, {.preemptions = 0, .faults = 1}, memory_is_short);
}

// --- Time.

TEST(Simulator, NobodyWaitsForAClock) {
  const auto hour = std::chrono::hours(1);
  expect_nothing([&] {
    const auto start = sync::clock::now();
    sync::atomic<std::uint32_t> word{0};
    expect(!sync::futex_wait(word, 0, start + hour), "it was woken");
    expect(sync::clock::now() >= start + hour, "the time was not up");
  });
}

TEST(Simulator, ATimeoutMayComeAtAnyMoment) {
  const auto program = [] {
    sync::atomic<std::uint32_t> word{0};
    together({[&] { expect(sync::futex_wait(word, 0, sync::clock::now() + std::chrono::hours(1)), "the time was up"); },
              [&] {
                word.store(1);
                sync::futex_wake_all(word);
              }});
  };
  expect_nothing(program);
  expect_found(Finding::Kind::kBrokenExpectation, program, {.preemptions = 0, .faults = 1});
}

// --- What each thread has of its own.

SIMULATED_THREAD_LOCAL int of_this_thread = 7;

TEST(Simulator, ThreadLocalsAreOfOneThread) {
  expect_nothing([] {
    of_this_thread = 1;
    const auto look = [] {
      expect(of_this_thread == 7, "it does not begin with its initial value");
      of_this_thread = 8;
      pass_time();
      expect(of_this_thread == 8, "another thread has changed it");
      of_this_thread = 9;
    };
    together({look, look});
    expect(of_this_thread == 1, "another thread has changed it");
  });
}

TEST(Simulator, ExceptionsAreOfOneThread) {
  expect_nothing([] {
    const auto handle = [](int number) {
      try {
        pass_time();
        throw number;
      } catch (int caught) {
        pass_time();
        expect(caught == number, "this is the exception of another thread");
        try {
          throw;
        } catch (int again) {
          pass_time();
          expect(again == number, "this is the exception of another thread");
        }
        expect(std::uncaught_exceptions() == 0, "an exception is under way");
      }
    };
    together({[&] { handle(1); }, [&] { handle(2); }});
  });
}

// --- The searches.

// The outcomes of a program: what its threads have seen, in all runs.
std::set<std::string> outcomes(Strategy&& strategy) {
  std::set<std::string> seen;
  const Exploration explored = explore(
      "outcomes",
      [&] {
        std::string order;
        const auto thrice = [&](char letter) {
          for (int i = 0; i < 3; ++i) {
            pass_time();
            const Bookkeeping bookkeeping;
            order += letter;
          }
        };
        together({[&] { thrice('a'); }, [&] { thrice('b'); }});
        seen.insert(order);
      },
      std::move(strategy));
  EXPECT_TRUE(explored.ok()) << explored.report();
  return seen;
}

// Two threads of three steps each have 6! / (3! 3!) = 20 orders; how many need at most so many preemptions was counted
// by hand.
TEST(Simulator, ExhaustiveMeansAll) {
  EXPECT_EQ(outcomes(Exhaustive({.preemptions = 0})), (std::set<std::string>{"aaabbb", "bbbaaa"}));
  EXPECT_EQ(outcomes(Exhaustive({.preemptions = 1})).size(), 6u);
  EXPECT_EQ(outcomes(Exhaustive({.preemptions = 6})).size(), 20u);
}

TEST(Simulator, RandomSearchesReachAllOfASmallProgram) {
  EXPECT_EQ(outcomes(RandomWalk({.runs = 2000})).size(), 20u);
  EXPECT_GT(outcomes(Pct({.runs = 2000, .depth = 3})).size(), 5u);
}

TEST(Simulator, BytesAreAProgramsChoices) {
  const auto of = [](std::vector<std::uint8_t> bytes) { return outcomes(Bytes(bytes)); };
  EXPECT_EQ(of({}), std::set<std::string>{"aaabbb"});
  // Two choices of which thread begins and goes on, each modulo 2, and then none.
  EXPECT_EQ(of({1}), std::set<std::string>{"bbbaaa"});
  EXPECT_EQ(of({0, 1}), of({2, 7}));
  std::set<std::string> all;
  for (unsigned int bits = 0; bits < 1024; ++bits) {
    std::vector<std::uint8_t> bytes;
    for (int i = 0; i < 10; ++i) bytes.push_back((bits >> i) & 1);
    all.merge(of(bytes));
  }
  EXPECT_EQ(all.size(), 20u);
}

TEST(Schedule, IsText) {
  const Schedule schedule = {{.choice = 3, .option = 1}, {.choice = 20, .option = 2}};
  EXPECT_EQ(to_text(schedule), "3:1 20:2");
  EXPECT_EQ(parse_schedule("3:1  20:2 "), schedule);
  EXPECT_EQ(parse_schedule(""), Schedule());
  for (const char* const wrong : {"3", "3:", ":1", "3:0", "-1:1", "20:1 3:1", "3:1 3:2", "a:b"}) {
    EXPECT_EQ(parse_schedule(wrong), std::nullopt) << wrong;
  }
}

TEST(Simulator, AReportSaysWhoDidWhat) {
  const Exploration found = explore(
      "report",
      [] {
        sync::atomic<int> count{0};
        const auto add = [&] { count.store(count.load() + 1); };
        together({add, add});
        expect(count.load() == 2, "an update was lost");
      },
      Exhaustive({.preemptions = 1}));
  const std::string report = found.report();
  for (const char* const part :
       {"FOUND broken expectation: an update was lost", "CONCURRENT_FUTURES_SCHEDULE='report: ", "client 2", "atomic 1",
        "simulator_test.cc:"}) {
    EXPECT_NE(report.find(part), report.npos) << part << "\n" << report;
  }
  std::cout << report;
}

// Whether some run has the timeout of a wait for what comes at once, of an hour, come first.
bool times_out_early(RandomWalk::Options options) {
  const auto program = [] {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool is_there = false;
    bool in_time = true;
    const auto make = [&] {
      const sync::mutex_lock lock(mutex);
      is_there = true;
      changed.notify_all();
    };
    const auto wait = [&] {
      const sync::mutex_lock lock(mutex);
      const auto until = sync::clock::now() + std::chrono::hours(1);
      while (!is_there && in_time) in_time = changed.wait_until(mutex, until);
    };
    together({wait, make});
    expect(in_time, "the time was up early");
  };
  return !explore("timeouts", program, RandomWalk(options)).ok();
}

TEST(Strategies, SpuriousFaultsAreNoTimeouts) {
  EXPECT_TRUE(times_out_early({.runs = 2000, .fault_one_in = 5}));
  EXPECT_FALSE(times_out_early({.runs = 2000, .fault_one_in = 5, .only_spurious = true}));
}

// A wait without a loop over its condition.
TEST(Strategies, SpuriousFaultsEndWaits) {
  const auto program = [] {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool is_there = false;
    const auto make = [&] {
      const sync::mutex_lock lock(mutex);
      is_there = true;
      changed.notify_all();
    };
    const auto wait = [&] {
      const sync::mutex_lock lock(mutex);
      if (!is_there) changed.wait(mutex);
      expect(is_there, "the wait has ended for no reason");
    };
    together({wait, make});
  };
  EXPECT_FALSE(explore("waits", program, RandomWalk({.runs = 2000, .only_spurious = true})).ok());
  EXPECT_TRUE(explore("waits", program, RandomWalk({.runs = 2000, .faults = false})).ok());
}

}  // namespace
}  // namespace futures::simulator
