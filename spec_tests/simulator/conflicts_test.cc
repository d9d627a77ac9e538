// A search that preempts threads only at races leaves out no outcome, and leaves out schedules.
#include "spec_tests/simulator/conflicts.h"

#include <array>
#include <cstddef>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

constexpr Limits kLimits = {.races_one_in = 0};

Exploration search(const std::function<void()>& program, int preemptions, bool only_races) {
  return explore("program", program, Exhaustive({.preemptions = preemptions, .only_races = only_races}), kLimits);
}

TEST(Conflicts, ThreadsThatShareNothingAreNotPreempted) {
  const auto program = [] {
    sync::atomic<int> a{0};
    sync::atomic<int> b{0};
    const auto count = [](sync::atomic<int>& number) {
      for (int i = 0; i < 5; ++i) number.fetch_add(1);
    };
    together({[&] { count(a); }, [&] { count(b); }});
  };
  EXPECT_EQ(search(program, 2, true).schedules, search(program, 0, false).schedules);
  EXPECT_GT(search(program, 2, false).schedules, 50);
}

TEST(Conflicts, ReadsDoNotRace) {
  const auto program = [] {
    sync::atomic<int> a{0};
    const auto read = [&a] {
      for (int i = 0; i < 5; ++i) a.load();
    };
    together({read, read});
  };
  EXPECT_EQ(search(program, 2, true).schedules, search(program, 0, false).schedules);
}

TEST(Conflicts, ALostUpdateIsFound) {
  const auto program = [] {
    sync::atomic<int> number{0};
    const auto increment = [&number] { number.store(number.load() + 1); };
    together({increment, increment});
    expect(number.load() == 2, "an update is lost");
  };
  EXPECT_TRUE(search(program, 0, true).ok());
  EXPECT_FALSE(search(program, 1, true).ok());
}

// What is not sync:: takes part once the program says so.
TEST(Conflicts, PlainMemoryIsSeenWhereThreadsMeet) {
  for (const bool says_so : {false, true}) {
    const auto program = [says_so] {
      int number = 0;
      const auto increment = [&] {
        if (says_so) meet(&number);
        const int before = number;
        pass_time();
        if (says_so) meet(&number);
        number = before + 1;
      };
      together({increment, increment});
      expect(number == 2, "an update is lost");
    };
    EXPECT_FALSE(search(program, 1, false).ok());
    EXPECT_EQ(search(program, 1, true).ok(), !says_so);
  }
}

TEST(Conflicts, WhatIsNotSeenIsRefused) {
  EXPECT_DEATH(search([] { (void)live_threads(); }, 1, true), "does not know of the number of threads");
}

// --- Random programs of three threads on two atomics, a mutex and a condition variable.

enum class Step { kLoad, kStore, kAdd, kLock, kUnlock, kWait, kNotifyOne, kNotifyAll, kSteps };
using Steps = std::array<std::vector<std::pair<Step, int>>, 3>;

Steps random_steps(std::mt19937_64& random, int steps) {
  Steps all;
  for (auto& thread : all) {
    bool is_locked = false;
    for (int i = 0; i < steps; ++i) {
      Step step = static_cast<Step>(random() % static_cast<unsigned>(Step::kSteps));
      if (step == Step::kLock && is_locked) step = Step::kUnlock;
      if ((step == Step::kUnlock || step == Step::kWait) && !is_locked) step = Step::kLock;
      if (step == Step::kLock || step == Step::kUnlock) is_locked = step == Step::kLock;
      thread.emplace_back(step, static_cast<int>(random() % 2));
    }
    if (is_locked) thread.emplace_back(Step::kUnlock, 0);
  }
  return all;
}

// Plays the steps. What each thread has read goes to `outcome`, by thread.
class Player {
 public:
  Player(const Steps& steps, std::string& outcome) : steps_(steps), outcome_(outcome) {}

  void run() {
    together({[this] { play(0); }, [this] { play(1); }, [this] { play(2); },
              [this] {
                await_rest();
                mutex_.lock();
                is_over_ = true;  // Nobody waits for ever.
                changed_.notify_all();
                mutex_.unlock();
              }});
    outcome_.clear();
    for (const std::string& read : read_) outcome_ += read + "; ";
    for (sync::atomic<int>& number : numbers_) outcome_ += std::to_string(number.load()) + " ";
  }

 private:
  void play(std::size_t thread) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const auto& [step, which] : steps_[thread]) {
      sync::atomic<int>& number = numbers_[static_cast<std::size_t>(which)];
      const auto read = [&](int value) { read_[thread] += std::to_string(value) + " "; };
      switch (step) {
        case Step::kLoad:
          read(number.load());
          break;
        case Step::kStore:
          number.store(static_cast<int>(thread) + 1);
          break;
        case Step::kAdd:
          read(number.fetch_add(10));
          break;
        case Step::kLock:
          mutex_.lock();
          break;
        case Step::kUnlock:
          mutex_.unlock();
          break;
        case Step::kWait:
          if (!is_over_) changed_.wait(mutex_);
          read(++plain_);
          break;
        case Step::kNotifyOne:
          changed_.notify_one();
          break;
        case Step::kNotifyAll:
          changed_.notify_all();
          break;
        case Step::kSteps:
          break;
      }
    }
  }

  const Steps& steps_;
  std::string& outcome_;
  std::array<sync::atomic<int>, 2> numbers_;
  sync::mutex mutex_;
  sync::condition_variable changed_;
  bool is_over_ = false;  // Under the mutex, as the next one.
  int plain_ = 0;
  std::array<std::string, 3> read_;
};

struct Outcomes {
  std::set<std::string> all;
  long schedules;
};

Outcomes outcomes_of(const Steps& steps, int preemptions, bool only_races) {
  Outcomes outcomes;
  std::string outcome;
  const Program program = {.body = [&] { Player(steps, outcome).run(); },
                           .judge = [&]() -> std::optional<Program::Verdict> {
                             outcomes.all.insert(outcome);
                             return std::nullopt;
                           }};
  const Exploration explored =
      explore("random", program, Exhaustive({.preemptions = preemptions, .only_races = only_races}), kLimits);
  EXPECT_TRUE(explored.ok()) << explored.report();
  outcomes.schedules = explored.schedules;
  return outcomes;
}

TEST(Conflicts, RandomProgramsHaveAllOutcomes) {
  std::mt19937_64 random(1);
  long all = 0;
  long reduced = 0;
  std::size_t outcomes = 0;
  constexpr int kPrograms = 80;
  for (const int preemptions : {0, 1, 2}) {
    for (int i = 0; i < kPrograms; ++i) {
      const Steps steps = random_steps(random, preemptions == 2 ? 2 : 3);
      const Outcomes full = outcomes_of(steps, preemptions, false);
      const Outcomes less = outcomes_of(steps, preemptions, true);
      EXPECT_EQ(less.all, full.all) << "program " << i << ", " << preemptions << " preemptions";
      all += full.schedules;
      reduced += less.schedules;
      outcomes += full.all.size();
    }
  }
  std::cout << 3 * kPrograms << " programs, " << all << " schedules, " << reduced << " of them with races, " << outcomes
            << " outcomes\n";
  EXPECT_LT(reduced, all);
  EXPECT_GT(outcomes, 500);
}

}  // namespace
}  // namespace futures::simulator
