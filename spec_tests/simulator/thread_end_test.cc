// Simulated threads that end before their body returns: by pthread_exit, and because they are cancelled.
#include <pthread.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>

#include <cxxabi.h>

#include "gtest/gtest.h"
#include "spec_tests/simulator/exploration_checks.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

struct CountedEnd {
  int& ends;
  ~CountedEnd() { ++ends; }
};

TEST(ThreadEnd, PthreadExitUnwindsTheStack) {
  expect_nothing([] {
    int ends = 0;
    int handlers = 0;
    const auto exit = [&] {
      const CountedEnd outer{ends};
      try {
        try {
          const CountedEnd inner{ends};
          pass_time();
          pthread_exit(nullptr);
        } catch (const std::exception&) {
          expect(false, "it was caught as an exception");
        } catch (...) {
          ++handlers;
          pass_time();
          throw;
        }
      } catch (abi::__forced_unwind&) {
        ++handlers;
        pass_time();
        throw;
      }
      expect(false, "the thread goes on");
    };
    together({exit, exit});
    expect(ends == 4, "a destructor has not run");
    expect(handlers == 4, "a handler has not run");
  });
}

TEST(ThreadEnd, TheBodyIsDestroyedOnItsThread) {
  expect_nothing([] {
    struct Captured {
      int& destroyed_on;
      explicit Captured(int& on) : destroyed_on(on) {}
      Captured(const Captured& other) : destroyed_on(other.destroyed_on) { destroyed_on = kNobody; }
      ~Captured() { destroyed_on = this_thread(); }
    };
    int destroyed_on = kNobody;
    int own = kNobody;
    {
      const Captured captured(destroyed_on);
      sync::thread thread = sync::thread::start({.name = "worker"}, [&own, captured] {
        own = this_thread();
        pthread_exit(nullptr);
      });
      thread.join();
      expect(destroyed_on == own, "what the body captured was not destroyed on its thread");
    }
  });
}

// glibc would end the program.
TEST(ThreadEnd, AHandlerThatDoesNotRethrowIsFound) {
  expect_found(Finding::Kind::kMisuse, [] {
    together({[] {
      try {
        pthread_exit(nullptr);
      } catch (...) {  // NOLINT(bugprone-empty-catch): the bug that is made here.
      }
    }});
  });
}

TEST(ThreadEnd, AnEndInANoexceptFunctionIsFound) {
  expect_found(Finding::Kind::kException, [] { together({[]() noexcept { pthread_exit(nullptr); }}); });
}

// One thread handles an exception while another unwinds.
TEST(ThreadEnd, ExceptionsAreOfOneThread) {
  expect_nothing([] {
    const auto handle = [] {
      try {
        try {
          throw std::runtime_error("inner");
        } catch (const std::exception&) {
          pass_time();
          throw;
        }
      } catch (const std::runtime_error& e) {
        pass_time();
        expect(std::current_exception() != nullptr && std::string_view(e.what()) == "inner", "it is another exception");
      }
      expect(std::uncaught_exceptions() == 0, "an exception is under way");
      expect(std::current_exception() == nullptr, "an exception is being handled");
    };
    const auto exit_in_a_handler = [] {
      try {
        throw 1;
      } catch (int) {
        const struct PassTime {
          ~PassTime() { pass_time(); }
        } at_end;
        pthread_exit(nullptr);
      }
    };
    together({handle, exit_in_a_handler});
  });
}

// --- Cancellation.

TEST(ThreadEnd, ACancelledThreadEndsAtItsNextCancellationPoint) {
  expect_nothing([] {
    int passed = 0;
    int ends = 0;
    sync::thread thread = sync::thread::start({.name = "worker"}, [&] {
      const CountedEnd end{ends};
      pthread_cancel(pthread_self());
      ++passed;
      {
        const sync::cancellation_block block;
        sync::end_if_cancelled();
        ++passed;
        {
          const sync::cancellation_block again;
        }
        sync::end_if_cancelled();
        ++passed;
        const sync::cancellation_permit permit;
        sync::end_if_cancelled();
        ++passed;
      }
    });
    thread.join();
    expect(passed == 3 && ends == 1, "it ended elsewhere");
  });
}

// The destructors on its stack run with the mutex held.
TEST(ThreadEnd, ACancelledWaitEndsTheThread) {
  const auto program = [](bool blocks) {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool is_set = false;
    int returned = 0;
    int ends = 0;
    int waiter = kNobody;
    together({[&] {
                waiter = this_thread();
                const auto wait = [&] {
                  const sync::mutex_lock lock(mutex);
                  const CountedEnd end{ends};
                  while (!is_set) changed.wait(mutex);
                  ++returned;
                };
                if (!blocks) return wait();
                const sync::cancellation_block block;
                wait();
              },
              [&] {
                if (waiter != kNobody) cancel(waiter);
                const sync::mutex_lock lock(mutex);
                is_set = true;
                changed.notify_one();
              }});
    expect(ends == 1, "the destructor of a local has not run");
    if (blocks) expect(returned == 1, "a thread was cancelled though it blocks that");
    const sync::mutex_lock lock(mutex);  // Nobody has kept it.
  };
  expect_nothing([&] { program(true); });
  expect_nothing([&] { program(false); });
  // It is cancelled in some schedule.
  expect_found(Finding::Kind::kBrokenExpectation, [] {
    sync::mutex mutex;
    sync::condition_variable changed;
    bool was_cancelled = false;
    int waiter = kNobody;
    together({[&] {
                waiter = this_thread();
                const sync::mutex_lock lock(mutex);
                try {
                  changed.wait(mutex);
                } catch (abi::__forced_unwind&) {
                  was_cancelled = true;
                  throw;
                }
              },
              [&] {
                if (waiter != kNobody) cancel(waiter);
                changed.notify_one();
              }});
    expect(!was_cancelled, "as it should be: the wait was cancelled");
  });
}

// --- The process.

TEST(ThreadEnd, PthreadExitOutsideARunIsGlibcs) {
  pthread_t thread;
  bool unwound = false;
  ASSERT_EQ(pthread_create(
                &thread, nullptr,
                [](void* argument) -> void* {
                  const struct Unwound {
                    bool& set;
                    ~Unwound() { set = true; }
                  } at_end{*static_cast<bool*>(argument)};
                  pthread_exit(argument);
                },
                &unwound),
            0);
  void* value = nullptr;
  ASSERT_EQ(pthread_join(thread, &value), 0);
  EXPECT_EQ(value, &unwound);
  EXPECT_TRUE(unwound);
}

// --- What destructors of thread_locals would do.

TEST(ThreadEnd, LastWordsAreSaidWhenTheBodyIsGone) {
  for (const bool exits : {false, true}) {
    expect_nothing([exits] {
      bool said = false;
      sync::thread thread = sync::thread::start({}, [&said, exits] {
        int ends = 0;
        Machine::instance().at_end([&said] { said = true; });
        const CountedEnd local{ends};
        if (exits) pthread_exit(nullptr);
      });
      thread.join();
      expect(said, "the thread has ended without its last words");
    });
  }
}

TEST(ThreadEnd, OtherThreadsGoOnBeforeTheLastWords) {
  const auto program = [] {
    sync::atomic<bool> done{false};
    sync::atomic<bool> said{false};
    sync::thread thread = sync::thread::start({}, [&] {
      Machine::instance().at_end([&] { said.store(true); });
      done.store(true);
    });
    const bool was_early = done.load() && !said.load();
    thread.join();
    expect(!was_early, "the work was done, and the last words were not said");
  };
  expect_found(Finding::Kind::kBrokenExpectation, program, {.preemptions = 2});
}

TEST(ThreadEnd, LastWordsThatThrowAreFound) {
  expect_found(Finding::Kind::kException, [] {
    sync::thread thread =
        sync::thread::start({}, [] { Machine::instance().at_end([] { throw std::runtime_error("at the end"); }); });
    thread.join();
  });
}

TEST(ThreadEndDeathTest, TheEndOfTheProcessInARunFails) {
  for (void (*const end)(int) : {&std::exit, &std::quick_exit}) {
    EXPECT_EXIT(explore(
                    "exits", [=] { end(0); }, Exhaustive({})),
                testing::ExitedWithCode(1), "the end of the process inside a run of exits");
  }
}

TEST(ThreadEndDeathTest, ACrashInARunSaysWhichRun) {
  EXPECT_DEATH(explore(
                   "aborts", [] { together({[] { pass_time(); }, [] { std::abort(); }}); }, Exhaustive({})),
               "a crash inside a run of aborts; repeat it with\n *--test_env=CONCURRENT_FUTURES_SCHEDULE='aborts: ");
}

}  // namespace
}  // namespace futures::simulator
