// What is particular to futures and promises and not a law of executors (those are in spec_tests/).
#include "futures/future.h"

#include <any>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "futures/executor.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"

namespace futures {
namespace {

using namespace std::chrono_literals;

// Runs each call at once, on the submitter's thread.
class InlineExecutor final : public Executor {
 private:
  void schedule(Task task) override {
    if (task.claim()) task.run();
  }
  void check_intake() override {}
  ShutdownResult do_shutdown(const ShutdownOptions&) override { return {}; }
};

struct Immovable {
  explicit Immovable(int n) : number(n) {}
  Immovable(Immovable&&) = delete;
  int number;
};

TEST(Timeout, SaturatesAtTheEndsOfTheClock) {
  EXPECT_TRUE(Timeout().is_forever());
  EXPECT_TRUE(Timeout(std::nullopt).is_forever());
  EXPECT_TRUE(Timeout(std::chrono::hours::max()).is_forever());
  EXPECT_TRUE(Timeout(std::chrono::duration<double>(std::numeric_limits<double>::infinity())).is_forever());
  EXPECT_FALSE(Timeout(std::chrono::hours::min()).is_forever());
  const sync::clock::time_point passed = *Timeout(-1s).deadline();
  EXPECT_LE(passed, sync::clock::now());
  EXPECT_GT(*Timeout(std::chrono::hours(24 * 365 * 100)).deadline(), sync::clock::now());
  EXPECT_THROW(Timeout(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())), std::invalid_argument);
}

TEST(Future, EmptyHandleThrows) {
  const Future<int> empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_THROW(empty.done(), InvalidStateError);
  EXPECT_THROW(empty.result(), InvalidStateError);
  EXPECT_THROW(empty.add_done_callback([](const Future<int>&) {}), InvalidStateError);
}

TEST(Future, HoldsResultsOfEveryForm) {
  InlineExecutor executor;
  int variable = 1;
  int& reference = executor.submit([&]() -> int& { return variable; }).result();
  EXPECT_EQ(&reference, &variable);
  EXPECT_EQ(*executor.submit([] { return std::make_unique<int>(2); }).result(), 2);
  const Future<Immovable> immovable = executor.submit([] { return Immovable(3); });
  EXPECT_EQ(immovable.result().number, 3);
  // Types that can be made from anything get the value, not what carries it.
  EXPECT_EQ(std::any_cast<int>(executor.submit([] { return std::any(4); }).result()), 4);
  static_assert(
      std::is_same_v<decltype(executor.submit([]() -> const std::string { return "5"; })), Future<std::string>>);
  static_assert(std::is_void_v<decltype(executor.submit([] {}).result())>);
}

TEST(Future, NullCallablesAreRefused) {
  InlineExecutor executor;
  int (*null_function)() = nullptr;
  EXPECT_THROW(executor.submit(null_function), std::invalid_argument);
  EXPECT_THROW(executor.submit(std::function<void()>()), std::invalid_argument);
  const Promise<int> promise;
  EXPECT_THROW(promise.future().add_done_callback(std::function<void(Future<int>)>()), std::invalid_argument);
}

TEST(Future, HandlesCompareByFuture) {
  const Promise<int> a;
  const Promise<int> b;
  EXPECT_EQ(a.future(), a.future());
  EXPECT_NE(a.future(), b.future());
}

TEST(Promise, AValueThatCannotBeMadeLeavesTheFutureOpen) {
  struct Throws {
    explicit Throws(bool now) {
      if (now) throw std::runtime_error("no value");
    }
  };
  Promise<Throws> promise;
  const Future<Throws> future = promise.future();
  EXPECT_THROW(promise.set_result(true), std::runtime_error);
  EXPECT_FALSE(future.done());
  promise.set_result(false);
  EXPECT_TRUE(future.done());
}

TEST(Promise, MovedFromThrows) {
  Promise<int> promise;
  const Promise<int> taken = std::move(promise);
  EXPECT_THROW(promise.set_result(1), InvalidStateError);  // NOLINT(bugprone-use-after-move): that is the test.
  EXPECT_THROW(promise.future(), InvalidStateError);
}

TEST(Promise, NullExceptionIsRefused) {
  Promise<int> promise;
  EXPECT_THROW(promise.set_exception(nullptr), std::invalid_argument);
  EXPECT_FALSE(promise.future().done());
}

}  // namespace
}  // namespace futures
