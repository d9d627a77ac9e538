// The life that all executors share, by itself: a bug here would be in each of them, and no comparison of two would
// show it.
#include "futures/internal/executor_life.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/errors.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"
#include "futures/internal/worker_threads.h"
#include "gtest/gtest.h"

namespace futures::internal {
namespace {

// --- An executor without calls, which notes what is asked of it.

class NotingLife final : public ExecutorLife {
 public:
  explicit NotingLife(OnUnwind on_unwind = OnUnwind::kDrain, ExitPolicy exit_policy = ExitPolicy::kDrain)
      : ExecutorLife(on_unwind, exit_policy) {}
  explicit NotingLife(ExitPolicy exit_policy) : NotingLife(OnUnwind::kDrain, exit_policy) {}

  using ExecutorLife::adopt_this_thread;

  Executor::ShutdownResult shutdown(const ShutdownOptions& options) override {
    shutdowns.push_back(options);
    return {};
  }
  std::size_t close_intake(bool cancel_futures) override {
    notes.push_back(cancel_futures ? "close and cancel" : "close");
    return 0;
  }
  bool await_end(sync::deadline) override {
    notes.push_back(exits_the_program() ? "wait as one that exits" : "wait");
    return true;
  }
  bool replace_own_thread() override {
    notes.push_back("replace");
    return has_replacement;
  }

  bool has_replacement = true;
  std::vector<ShutdownOptions> shutdowns;
  std::vector<std::string> notes;
};

void on_own_thread(const NotingLife& life, const std::function<void()>& body) {
  std::thread([&] {
    life.adopt_this_thread();
    body();
  }).join();
}

TEST(CheckedMaxWorkers, T1_Bounds) {
  EXPECT_EQ(checked_max_workers(1), 1);
  EXPECT_EQ(checked_max_workers(9, 9), 9);
  EXPECT_GE(checked_max_workers(std::nullopt), 1);
  EXPECT_EQ(checked_max_workers(std::nullopt, 1), 1);
  EXPECT_THROW(checked_max_workers(0), std::invalid_argument);
  EXPECT_THROW(checked_max_workers(-1), std::invalid_argument);
  EXPECT_THROW(checked_max_workers(10, 9), std::invalid_argument);
  EXPECT_THROW(checked_max_workers((1LL << 32) + 1), std::invalid_argument) << "as an int it would be 1";
  EXPECT_THROW(checked_max_workers(std::numeric_limits<unsigned long long>::max()), std::invalid_argument);
}

TEST(ExecutorLife, S6_TheDestructorWaits) {
  const auto life = std::make_shared<NotingLife>(OnUnwind::kCancelPending);
  destroy_executor(life);
  ASSERT_EQ(life->shutdowns.size(), 1u);
  EXPECT_TRUE(life->shutdowns[0].wait);
  EXPECT_FALSE(life->shutdowns[0].cancel_futures);
}

TEST(ExecutorLife, S6_TheDestructorDoesNotWaitAfterAShutdownWithoutWait) {
  const auto life = std::make_shared<NotingLife>();
  life->leave_to_itself();
  destroy_executor(life);
  EXPECT_FALSE(life->shutdowns.at(0).wait);
}

TEST(ExecutorLife, S6_TheDestructorDoesNotWaitOnAnOwnThread) {
  const auto life = std::make_shared<NotingLife>();
  on_own_thread(*life, [&] { destroy_executor(life); });
  EXPECT_FALSE(life->shutdowns.at(0).wait);
}

struct Scope {
  std::shared_ptr<NotingLife> life;
  ~Scope() { destroy_executor(life); }
};

TEST(ExecutorLife, S6_UnwindingCancelsIfAskedFor) {
  for (const OnUnwind on_unwind : {OnUnwind::kDrain, OnUnwind::kCancelPending}) {
    const auto life = std::make_shared<NotingLife>(on_unwind);
    try {
      const Scope scope{life};
      throw std::domain_error("leave");
    } catch (const std::domain_error&) {
    }
    EXPECT_TRUE(life->shutdowns.at(0).wait);
    EXPECT_EQ(life->shutdowns.at(0).cancel_futures, on_unwind == OnUnwind::kCancelPending);
  }
}

TEST(ExecutorLife, S6_AnOlderExceptionIsAnotherScopes) {
  std::shared_ptr<NotingLife> life;
  struct MadeWhileUnwinding {
    std::shared_ptr<NotingLife>& life;
    ~MadeWhileUnwinding() {
      life = std::make_shared<NotingLife>(OnUnwind::kCancelPending);
      destroy_executor(life);
    }
  };
  try {
    const MadeWhileUnwinding made{life};
    throw std::domain_error("leave");
  } catch (const std::domain_error&) {
  }
  EXPECT_FALSE(life->shutdowns.at(0).cancel_futures);
}

TEST(ExecutorLife, S7_OnlyAnOwnThreadMayNotWait) {
  const NotingLife life;
  const NotingLife other;
  EXPECT_FALSE(life.is_own_thread());
  EXPECT_NO_THROW(life.check_may_wait());
  on_own_thread(life, [&] {
    EXPECT_TRUE(life.is_own_thread());
    EXPECT_THROW(life.check_may_wait(), DeadlockError);
    EXPECT_FALSE(other.is_own_thread());
    EXPECT_NO_THROW(other.check_may_wait());
  });
}

// An id, not an address: a new executor may get the place of one that is gone.
TEST(ExecutorLife, S7_AThreadOfOneThatIsGoneIsNobodyElses) {
  std::optional<NotingLife> life(std::in_place);
  on_own_thread(*life, [&] {
    life.reset();
    life.emplace();
    EXPECT_FALSE(life->is_own_thread());
  });
}

// What the checks below find while a thread ends.
struct LastWords {
  std::function<void()> say;
  ~LastWords() {
    if (say != nullptr) say();
  }
};

TEST(ExecutorLife, S7_AThreadIsAnOwnOneUntilItHasEnded) {
  const NotingLife life;
  pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key, [](void* words) { delete static_cast<LastWords*>(words); }), 0);
  int asked = 0;
  const auto ask = [&] {
    ++asked;
    EXPECT_TRUE(life.is_own_thread());
  };
  std::thread([&] {
    thread_local LastWords made_before;  // Destroyed after what the life's own code might have made.
    made_before.say = ask;
    life.adopt_this_thread();
    thread_local LastWords made_after;
    made_after.say = ask;
    pthread_setspecific(key, new LastWords{ask});
  }).join();
  EXPECT_EQ(asked, 3);
  pthread_key_delete(key);
}

TEST(ExecutorLife, S8_ExitPolicies) {
  using Notes = std::vector<std::string>;
  const std::vector<std::pair<ExitPolicy, Notes>> expected = {
      {ExitPolicy::kDrain, {"close", "wait"}},
      {ExitPolicy::kCancelPending, {"close and cancel", "wait"}},
      {ExitPolicy::kAbandon, {}},
  };
  for (const auto& [policy, notes] : expected) {
    NotingLife life(policy);
    life.close_at_exit();
    life.wait_at_exit();
    EXPECT_EQ(life.notes, notes);
  }
}

TEST(ExecutorLife, S8_AnOwnThreadThatExitsIsReplacedFirst) {
  NotingLife life;
  on_own_thread(life, [&] {
    life.wait_at_exit();
    EXPECT_FALSE(life.is_own_thread()) << "what static destructors do on it waits for the others";
  });
  EXPECT_EQ(life.notes, (std::vector<std::string>{"replace", "wait as one that exits"}));
}

TEST(ExecutorLife, S8_WithoutAReplacementTheExitDoesNotWait) {
  NotingLife life;
  life.has_replacement = false;
  on_own_thread(life, [&] {
    life.wait_at_exit();
    EXPECT_TRUE(life.is_own_thread());
  });
  EXPECT_EQ(life.notes, std::vector<std::string>{"replace"});
}

TEST(ExecutorLife, T9_InAForkedChildItIsInert) {
  const auto life = std::make_shared<NotingLife>();
  drain_at_exit(life);  // From here on forks are counted.
  const pid_t child = fork();
  if (child == 0) {
    bool is_refused = false;
    try {
      life->check_process();
    } catch (const BrokenExecutor&) {
      is_refused = true;
    }
    destroy_executor(life);
    const bool is_kept = life.use_count() == 2;
    const bool is_inert = life->is_of_another_process() && is_refused && life->shutdowns.empty() && is_kept;
    _exit(is_inert ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "in the child it refuses, is not shut down, and is never freed";
  EXPECT_FALSE(life->is_of_another_process());
  EXPECT_NO_THROW(life->check_process());
}

// --- An executor of functions.

class Functions final : public WorkerThreads {
 public:
  explicit Functions(WorkerThreadsOptions options) : WorkerThreads(std::move(options)) {}

  void submit(std::function<void()> function) {
    sync::mutex_lock lock(mutex_);
    queue_.push_back(std::move(function));
    if (live_workers_ < max_workers()) start_worker();
    changed_.notify_all();
  }
  Executor::ShutdownResult shutdown(const ShutdownOptions& options) override {
    close_intake(false);
    if (!options.wait) return {.all_done = has_ended()};
    check_may_wait();
    return {.all_done = await_end(options.timeout.deadline())};
  }
  std::string broken() const {
    sync::mutex_lock lock(mutex_);
    return broken_;
  }
  int live() const {
    sync::mutex_lock lock(mutex_);
    return live_workers_;
  }

 private:
  void work() override {
    for (;;) {
      std::function<void()> next;
      {
        sync::mutex_lock lock(mutex_);
        while (queue_.empty() && !closed_) changed_.wait(mutex_);
        if (queue_.empty()) return;
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      next();
    }
  }
  bool has_pending() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue_.empty(); }
  void break_with(const std::exception_ptr& error) override {
    sync::mutex_lock lock(mutex_);
    queue_.clear();
    try {
      std::rethrow_exception(error);
    } catch (const BrokenThreadPool& e) {
      broken_ = e.what();
    }
  }
  std::size_t close_intake(bool) override {
    sync::mutex_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
    return 0;
  }

  sync::condition_variable changed_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::string broken_ ABSL_GUARDED_BY(mutex_);
};

std::shared_ptr<Functions> functions(WorkerThreadsOptions options = {}) {
  return std::make_shared<Functions>(std::move(options));
}

std::string own_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

TEST(WorkerThreads, T3_WorkersAreNumbered) {
  const auto executor = functions({.name_prefix = "fn"});
  std::promise<std::string> first;
  executor->submit([&] {
    first.set_value(own_name());
    pthread_exit(nullptr);
  });
  EXPECT_EQ(first.get_future().get(), "fn_0");
  std::promise<std::string> second;
  executor->submit([&] { second.set_value(own_name()); });
  executor->shutdown({});
  EXPECT_EQ(second.get_future().get(), "fn_1");
}

TEST(WorkerThreads, E3_AWorkerThatACallEndsIsReplacedIfCallsWait) {
  const auto executor = functions();
  std::promise<void> queued;
  executor->submit([&, wait = queued.get_future().share()] {
    wait.wait();
    pthread_exit(nullptr);
  });
  bool ran = false;
  executor->submit([&] { ran = true; });
  queued.set_value();
  EXPECT_TRUE(executor->shutdown({}).all_done);
  EXPECT_TRUE(ran);
  EXPECT_EQ(executor->live(), 0);
}

TEST(WorkerThreads, T4_AnInitializerThatThrowsBreaks) {
  const auto executor = functions({.initializer = [] { throw std::runtime_error("no luck"); }});
  bool ran = false;
  executor->submit([&] { ran = true; });
  EXPECT_TRUE(executor->shutdown({}).all_done);
  EXPECT_NE(executor->broken().find("no luck"), std::string::npos) << executor->broken();
  EXPECT_FALSE(ran);
}

TEST(WorkerThreads, T5_WithoutAThreadSubmitThrows) {
  const auto executor = functions({.stack_bytes = std::size_t{1} << 46});  // More than there is.
  EXPECT_THROW(executor->submit([] {}), std::system_error);
  EXPECT_EQ(executor->live(), 0);
}

TEST(WorkerThreads, S1_ShutdownReturnsWhenTheThreadsHaveEnded) {
  const auto executor = functions({.max_workers = 3});
  sync::atomic<int> threads{0};
  const auto count_thread = [&threads] {
    thread_local LastWords words;
    if (words.say != nullptr) return;
    threads.fetch_add(1);
    words.say = [&threads] { threads.fetch_sub(1); };
  };
  for (int i = 0; i < 3; ++i) executor->submit(count_thread);
  sync::atomic<int> too_early{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&] {
      executor->shutdown({});
      if (executor->live() != 0 || threads.load() != 0) too_early.fetch_add(1);
    });
  }
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(too_early.load(), 0) << "one joins the threads, and the others wait for it";
}

TEST(WorkerThreads, S7_TheEndOfAThreadMayNotWaitWhileOthersJoinIt) {
  const auto executor = functions();
  std::promise<bool> refused;
  executor->submit([&] {
    thread_local LastWords words;
    words.say = [&refused, executor = executor.get()] {
      try {
        executor->shutdown({});
        refused.set_value(false);
      } catch (const DeadlockError&) {
        refused.set_value(true);
      }
    };
  });
  EXPECT_TRUE(executor->shutdown({}).all_done);
  EXPECT_TRUE(refused.get_future().get());
}

TEST(WorkerThreads, S6_TheEndOfAThreadMayLetGoOfAllThereIs) {
  auto executor = functions({.max_workers = 2});
  const std::weak_ptr<Functions> seen = executor;
  std::promise<void> kept;
  const auto gone = std::make_shared<std::promise<void>>();  // The thread is nobody's to join.
  executor->submit([&] {
    thread_local LastWords words;
    words.say = [gone, last = executor]() mutable {
      destroy_executor(last);
      last.reset();
      gone->set_value();
    };
    kept.set_value();
  });
  executor->submit([] {});
  kept.get_future().wait();
  executor->shutdown({.wait = false});
  executor.reset();
  gone->get_future().wait();
  while (!seen.expired()) std::this_thread::yield();  // Until the other thread has let go, too.
}

}  // namespace
}  // namespace futures::internal
