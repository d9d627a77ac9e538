// Waiting for many futures takes time linear in their number. Counted in operations: locks taken, memory allocated. A
// scan that takes no locks shows in the time that the thread itself has used, when ten times the futures cost a hundred
// times it.
#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "futures/map.h"
#include "futures/wait.h"
#include "gtest/gtest.h"
#include "spec_tests/candidates/candidates.h"

namespace {

// Of this thread.
thread_local long locks_taken = 0;
thread_local long allocations = 0;

}  // namespace

// A sanitizer has its own in these places; there only the time is looked at.
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto lock = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks_taken;
  return lock(mutex);
}

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace futures::spec_tests {
namespace {

constexpr int kMany = 100'000;
constexpr int kFewer = kMany / 10;

struct Cost {
  long locks = 0;
  long allocations = 0;
  double seconds = 0;  // Of this thread's processor time.
};

double own_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Cost cost_of(const std::function<void()>& work) {
  const Cost before{locks_taken, allocations, own_seconds()};
  work();
  return {locks_taken - before.locks, allocations - before.allocations, own_seconds() - before.seconds};
}

// Runs `prepared(n)`, which returns the work to be measured, for two numbers of futures.
void expect_linear(const std::function<std::function<void()>(int)>& prepared, long locks_per_future,
                   long allocations_per_future) {
  const auto measured = [&](int n) { return cost_of(prepared(n)); };
  const Cost many = measured(kMany);
  if (kCounts) {
    EXPECT_LE(many.locks, kMany * locks_per_future + 100);
    EXPECT_LE(many.allocations, kMany * allocations_per_future + 100);
  }
  // The best of several, since a busy machine only makes it look worse. Linear is a factor of 10, quadratic 100.
  double best = many.seconds;
  double best_of_fewer = std::numeric_limits<double>::max();
  for (int i = 0; i < 5; ++i) best_of_fewer = std::min(best_of_fewer, measured(kFewer).seconds);
  for (int i = 0; i < 3 && best > 30 * best_of_fewer; ++i) best = std::min(best, measured(kMany).seconds);
  EXPECT_LE(best, 30 * best_of_fewer);
}

struct Promised {
  std::vector<Promise<int>> promises;
  std::vector<Future<int>> futures;

  explicit Promised(int n) : promises(n) {
    for (const Promise<int>& promise : promises) futures.push_back(promise.future());
  }
};

TEST(Linear, WaitForFuturesThatAreDone) {
  expect_linear(
      [](int n) {
        const auto promised = std::make_shared<Promised>(n);
        for (Promise<int>& promise : promised->promises) promise.set_result(1);
        return [promised, n] { EXPECT_EQ(wait(promised->futures).done.size(), static_cast<std::size_t>(n)); };
      },
      2, 2);
}

TEST(Linear, WaitForFuturesThatStayPending) {
  expect_linear(
      [](int n) {
        const auto promised = std::make_shared<Promised>(n);
        return [promised] { EXPECT_TRUE(wait(promised->futures, {.timeout = std::chrono::seconds(0)}).done.empty()); };
      },
      4, 2);
}

TEST(Linear, WaitForTheFirstOfMany) {
  expect_linear(
      [](int n) {
        const auto promised = std::make_shared<Promised>(n);
        promised->promises[n / 2].set_result(1);
        return [promised] {
          EXPECT_EQ(wait(promised->futures, {.return_when = ReturnWhen::kFirstCompleted}).done.size(), 1u);
        };
      },
      4, 2);
}

TEST(Linear, AsCompletedInReverse) {
  expect_linear(
      [](int n) {
        const auto promised = std::make_shared<Promised>(n);
        return [promised, n] {
          auto range = as_completed(promised->futures);
          for (Promise<int>& promise : promised->promises | std::views::reverse) promise.set_result(1);
          EXPECT_EQ(std::ranges::distance(range), n);
        };
      },
      6, 3);
}

class LinearMap : public testing::TestWithParam<Candidate> {};

// What the thread that maps does; the workers do their part elsewhere.
TEST_P(LinearMap, ResultsOfMany) {
  const Candidate& candidate = GetParam();
  expect_linear(
      [&candidate](int n) {
        const std::shared_ptr<Executor> executor = candidate.make({.max_workers = 1});
        return [executor, n] {
          EXPECT_EQ(std::ranges::distance(executor->map([](int x) { return x; }, std::views::iota(0, n))), n);
        };
      },
      8, 3);
}

TEST_P(LinearMap, UnorderedResultsOfMany) {
  const Candidate& candidate = GetParam();
  expect_linear(
      [&candidate](int n) {
        const std::shared_ptr<Executor> executor = candidate.make({.max_workers = 1});
        return [executor, n] {
          const MapOptions buffered{.buffersize = 1'000};
          EXPECT_EQ(
              std::ranges::distance(executor->map_unordered([](int x) { return x; }, std::views::iota(0, n), buffered)),
              n);
        };
      },
      12, 3);
}

TEST_P(LinearMap, CancellingMany) {
  const Candidate& candidate = GetParam();
  expect_linear(
      [&candidate](int n) {
        const std::shared_ptr<Executor> executor = candidate.make({.max_workers = 1});
        const auto may_end = std::make_shared<Promise<void>>();
        executor->submit([end = may_end->future()] { end.result(); });
        return [executor, may_end, n] {
          {
            const auto range = executor->map([](int x) { return x; }, std::views::iota(0, n));
          }
          executor->shutdown({.wait = false, .cancel_futures = true});
          may_end->set_result();
        };
      },
      8, 3);
}

INSTANTIATE_TEST_SUITE_P(Candidates, LinearMap, testing::ValuesIn(thread_candidates()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace futures::spec_tests
