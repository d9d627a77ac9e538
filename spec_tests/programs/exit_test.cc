// Law S8 on whole programs: how they end while executors live.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "gtest/gtest.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/candidates.h"
#include "spec_tests/programs/program.h"

namespace futures::spec_tests {
namespace {

// --- What the programs are made of.

// A static object whose end can be seen.
class Announcer {
 public:
  explicit Announcer(std::string name) : name_(std::move(name)) {}
  ~Announcer() { print(name_ + " destroyed"); }

 private:
  std::string name_;
};

// Ends when the intake is closed: in these programs, when the exit has begun.
void run_until_closed(Executor& executor) {
  for (;;) {
    try {
      executor.submit([] {});
      std::this_thread::yield();
    } catch (const ShutdownError&) {
      return;
    }
  }
}

[[noreturn]] void block_for_ever() {
  for (;;) pause();
}

// Occupies a worker. Returns when the call runs.
void occupy(Executor& executor, std::function<void()> body) {
  const Flag running;
  executor.submit([running, body = std::move(body)] {
    running.raise();
    body();
  });
  running.wait();
}

// Occupies a worker until the intake is closed; then the call prints the line. Returns when it runs.
void occupy_until_closed(const Candidate& candidate, Executor* executor, const std::string& line) {
  if (candidate.shares_memory) {
    return occupy(*executor, [executor, line] {
      run_until_closed(*executor);
      print(line);
    });
  }
  // A call in another process has no executor, and is told.
  const Flag running;
  const Flag closed;
  executor->submit(
      [](const Flag& begun, const Flag& ends, const std::string& text) {
        begun.raise();
        ends.wait();
        print(text);
      },
      running, closed, line);
  running.wait();
  std::thread([executor, closed] {
    run_until_closed(*executor);
    closed.raise();
  }).detach();
}

// Occupies a worker for ever. Returns when the call runs.
void occupy_for_ever(Executor& executor) {
  const Flag running;
  executor.submit(
      [](const Flag& begun) {
        begun.raise();
        block_for_ever();
      },
      running);
  running.wait();
}

// --- The programs.

int return_from_main(const Candidate& candidate) {
  Executor* const executor = &leak(candidate.make({.max_workers = 2}));
  occupy_until_closed(candidate, executor, "call");
  submit_calls(*executor, 4);
  return 7;
}

int shut_down_without_wait(const Candidate& candidate) {
  const auto executor = candidate.make({.max_workers = 1});
  submit_wait(*executor, "returning");
  submit_calls(*executor, 5);
  executor->shutdown({.wait = false});
  flag("returning").raise();
  return 7;
}

int exit_in_main(const Candidate& candidate) {
  const auto executor = candidate.make({.max_workers = 1});
  submit_calls(*executor, 5);
  std::exit(7);
}

int exit_in_another_thread(const Candidate& candidate) {
  const auto executor = candidate.make({.max_workers = 1});
  submit_calls(*executor, 5);
  std::thread([] { std::exit(7); }).join();
  return 1;
}

// The main thread goes on to `then` while a call exits.
int exit_in_call(const Candidate& candidate, int max_workers,
                 const std::function<void(std::unique_ptr<Executor>)>& then) {
  // Destroyed by the exit, on the exiting thread: meanwhile the main thread must not go on.
  struct LateLook {
    ~LateLook() {
      if (flag("main went on").comes()) print("main went on");
    }
  };
  static LateLook late_look;
  auto executor = candidate.make({.max_workers = max_workers});
  executor->submit([] {
    flag("submitted").wait();
    std::exit(7);
  });
  submit_calls(*executor, 4);
  flag("submitted").raise();
  then(std::move(executor));
  flag("main went on").raise();
  return 1;
}

Part exit_in_call_while_destroying(int max_workers) {
  return [=](const Candidate& candidate) {
    return exit_in_call(candidate, max_workers, [](std::unique_ptr<Executor> executor) { executor.reset(); });
  };
}

Part exit_in_call_while_shutting_down(int max_workers) {
  return [=](const Candidate& candidate) {
    return exit_in_call(candidate, max_workers, [](std::unique_ptr<Executor> executor) { executor->shutdown(); });
  };
}

Part exit_in_callback(int max_workers) {
  return [=](const Candidate& candidate) {
    const auto executor = candidate.make({.max_workers = max_workers});
    const Future<void> call = submit_wait(*executor, "submitted");
    call.add_done_callback([](const Future<void>&) { std::exit(7); });
    submit_calls(*executor, 4);
    flag("submitted").raise();
    block_for_ever();
    return 1;
  };
}

// A callback of a cancelled call exits, in main, while a running call still waits for another cancelled one.
int exit_in_callback_of_cancelled(const Candidate& candidate) {
  const auto executor = candidate.make({.max_workers = 1});
  const auto second = std::make_shared<Future<int>>();
  occupy(*executor, [second] {
    flag("submitted").wait();
    try {
      second->result();
    } catch (const CancelledError&) {
      print("call");
    }
  });
  const Future<int> first = executor->submit([] { return 1; });
  *second = executor->submit([] { return 2; });
  first.add_done_callback([](const Future<int>&) { std::exit(7); });
  flag("submitted").raise();
  executor->shutdown({.cancel_futures = true});
  return 1;
}

int statics_on_both_sides(const Candidate& candidate) {
  static const Announcer before("before");
  static Executor* const executor = &leak(candidate.make({.max_workers = 1}));
  static const Announcer after("after");
  occupy_until_closed(candidate, executor, "call");
  return 7;
}

int static_executor(const Candidate& candidate) {
  static const Announcer before("before");
  static const std::unique_ptr<Executor> executor = candidate.make({.max_workers = 1});
  submit_calls(*executor, 5);
  return 7;
}

int static_executor_exit_in_call(const Candidate& candidate) {
  static const std::unique_ptr<Executor> executor = candidate.make({.max_workers = 1});
  executor->submit([] {
    flag("submitted").wait();
    std::exit(7);
  });
  submit_calls(*executor, 4);
  flag("submitted").raise();
  block_for_ever();
}

// Built before the first executor, so destroyed when all has been drained.
int static_owner_exit_in_call(const Candidate& candidate) {
  static std::unique_ptr<Executor> owner;
  static const Announcer keeps_the_order("order");
  owner = candidate.make({.max_workers = 2});
  owner->submit([] {
    flag("submitted").wait();
    std::exit(7);
  });
  submit_calls(*owner, 4);
  flag("submitted").raise();
  block_for_ever();
}

int two_that_use_each_other(const Candidate& candidate) {
  Executor* const first = &leak(candidate.make({.max_workers = 1}));
  Executor* const second = &leak(candidate.make({.max_workers = 1}));
  occupy(*second, [first] { run_until_closed(*first); });
  const Future<int> in_second = second->submit([] { return 1; });
  occupy(*first, [second, in_second] {
    run_until_closed(*second);
    if (in_second.result() == 1) print("first has the result of second");
  });
  const Future<int> in_first = first->submit([] { return 1; });
  second->submit([in_first] {
    if (in_first.result() == 1) print("second has the result of first");
  });
  return 7;
}

int a_new_one_during_the_exit(const Candidate& candidate) {
  Executor* const executor = &leak(candidate.make({.max_workers = 1}));
  occupy(*executor, [executor, candidate] {
    run_until_closed(*executor);
    submit_calls(leak(candidate.make({.max_workers = 1})), 5);
  });
  return 7;
}

// More than are looked through at a time for those that are gone, which come and go in between.
int forty_among_others(const Candidate& candidate) {
  Executor* const first = &leak(candidate.make({.max_workers = 1}));
  const Flag exit_has_begun;
  occupy(*first, [first, exit_has_begun] {
    run_until_closed(*first);
    exit_has_begun.raise();
  });
  for (int i = 0; i < 40; ++i) {
    candidate.make({.max_workers = 1});
    leak(candidate.make({.max_workers = 1})).submit([exit_has_begun] {
      exit_has_begun.wait();
      print("call");
    });
  }
  return 7;
}

Part policy(ExitPolicy exit_policy, bool blocked) {
  return [=](const Candidate& candidate) {
    Executor* const executor = &leak(candidate.make({.max_workers = 1, .exit_policy = exit_policy}));
    if (blocked) {
      occupy_for_ever(*executor);
    } else {
      occupy_until_closed(candidate, executor, "running call");
    }
    for (int i = 0; i < 3; ++i) {
      executor->submit([] { print("pending call"); }).add_done_callback([](const Future<void>& future) {
        print(future.cancelled() ? "cancelled" : "finished");
      });
    }
    return 7;
  };
}

Part end_at_once(void (*end)()) {
  return [=](const Candidate& candidate) {
    Executor* const executor = &leak(candidate.make({.max_workers = 1}));
    occupy_for_ever(*executor);
    submit_calls(*executor, 3);
    end();
    return 1;
  };
}

// --- The tests.

class Exit : public ProgramTest {
 protected:
  static bool shares_memory() {
    const std::vector<std::string> names = candidate_names(thread_candidates());
    return std::find(names.begin(), names.end(), GetParam()) != names.end();
  }
};

// Where a call exits, or uses executors: an exit in a call of another process is the death of that process, and it has
// no executor.
class ExitOfThreads : public Exit {};

TEST_P(Exit, S8_ReturnFromMain) { expect_calls("return_from_main", 5); }
TEST_P(Exit, S8_PendingCallsAfterShutdownWithoutWait) { expect_calls("shut_down_without_wait", 5); }
TEST_P(Exit, S8_ExitInMain) { expect_calls("exit_in_main", 5); }
TEST_P(Exit, S8_ExitInAnotherThread) { expect_calls("exit_in_another_thread", 5); }

TEST_P(ExitOfThreads, S8_ExitInACallWhileMainDestroysTheExecutor) {
  expect_calls("exit_in_call_while_destroying_1", 4);
  expect_calls("exit_in_call_while_destroying_2", 4);
}

TEST_P(ExitOfThreads, S8_ExitInACallWhileMainShutsDown) {
  expect_calls("exit_in_call_while_shutting_down_1", 4);
  expect_calls("exit_in_call_while_shutting_down_2", 4);
}

TEST_P(Exit, S8_ExitInACallback) {
  expect_calls("exit_in_callback_1", 4);
  expect_calls("exit_in_callback_2", 4);
}

TEST_P(ExitOfThreads, S8_ExitInACallbackOfACancelledCall) { expect_calls("exit_in_callback_of_cancelled", 1); }

TEST_P(Exit, S8_StaticsOnBothSides) {
  const Ended ended = played("statics_on_both_sides");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(ended.lines, (std::vector<std::string>{"after destroyed", "call", "before destroyed"}));
}

TEST_P(Exit, S8_AnExecutorThatIsStatic) {
  const Ended ended = played("static_executor");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(ended.lines, (std::vector<std::string>{"call", "call", "call", "call", "call", "before destroyed"}));
}

TEST_P(ExitOfThreads, S8_ExitInACallOfAnExecutorThatIsStatic) { expect_calls("static_executor_exit_in_call", 4); }

TEST_P(ExitOfThreads, S8_ExitInACallOfAnExecutorThatAnEarlierStaticOwns) {
  const Ended ended = played("static_owner_exit_in_call");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(ended.lines, (std::vector<std::string>{"call", "call", "call", "call", "order destroyed"}));
}

TEST_P(ExitOfThreads, S8_TwoExecutorsThatUseEachOther) {
  const Ended ended = played("two_that_use_each_other");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(count(ended, "first has the result of second"), 1) << ended;
  EXPECT_EQ(count(ended, "second has the result of first"), 1) << ended;
}

TEST_P(ExitOfThreads, S8_AnExecutorMadeDuringTheExit) { expect_calls("a_new_one_during_the_exit", 5); }

TEST_P(ExitOfThreads, S8_FortyExecutorsAmongOthers) { expect_calls("forty_among_others", 40); }

TEST_P(Exit, S8_PolicyDrain) {
  const Ended ended = played("policy_drain");
  EXPECT_EQ(ended.status, 7);
  if (shares_memory()) {
    EXPECT_EQ(ended.lines, (std::vector<std::string>{"running call", "pending call", "finished", "pending call",
                                                     "finished", "pending call", "finished"}));
    return;
  }
  // Where calls run in other processes, they do not wait for the callbacks.
  ASSERT_EQ(ended.lines.size(), 7u) << ended;
  EXPECT_EQ(ended.lines.front(), "running call");
  EXPECT_EQ(count(ended, "pending call"), 3) << ended;
  EXPECT_EQ(count(ended, "finished"), 3) << ended;
}

TEST_P(Exit, S8_PolicyCancelPending) {
  const Ended ended = played("policy_cancel_pending");
  EXPECT_EQ(ended.status, 7);
  EXPECT_EQ(count(ended, "running call"), 1) << ended;
  EXPECT_EQ(count(ended, "cancelled"), 3) << ended;
  EXPECT_EQ(ended.lines.size(), 4u) << ended;
}

TEST_P(Exit, S8_PolicyAbandon) { expect_calls("policy_abandon", 0); }

TEST_P(Exit, S8_AbruptEndsWaitForNothing) {
  expect_calls("_exit", 0);
  expect_calls("quick_exit", 0);
  const Ended aborted = played("abort");
  EXPECT_EQ(aborted.status, -SIGABRT);
  EXPECT_TRUE(aborted.lines.empty()) << aborted;
}

INSTANTIATE_TEST_SUITE_P(Candidates, Exit, testing::ValuesIn(candidate_names(all_candidates())),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Candidates, ExitOfThreads, testing::ValuesIn(candidate_names(thread_candidates())),
                         [](const auto& info) { return info.param; });

}  // namespace

const std::map<std::string, Part>& parts() {
  static const auto* const parts = new std::map<std::string, Part>{
      {"return_from_main", return_from_main},
      {"shut_down_without_wait", shut_down_without_wait},
      {"exit_in_main", exit_in_main},
      {"exit_in_another_thread", exit_in_another_thread},
      {"exit_in_call_while_destroying_1", exit_in_call_while_destroying(1)},
      {"exit_in_call_while_destroying_2", exit_in_call_while_destroying(2)},
      {"exit_in_call_while_shutting_down_1", exit_in_call_while_shutting_down(1)},
      {"exit_in_call_while_shutting_down_2", exit_in_call_while_shutting_down(2)},
      {"exit_in_callback_1", exit_in_callback(1)},
      {"exit_in_callback_2", exit_in_callback(2)},
      {"exit_in_callback_of_cancelled", exit_in_callback_of_cancelled},
      {"statics_on_both_sides", statics_on_both_sides},
      {"static_executor", static_executor},
      {"static_executor_exit_in_call", static_executor_exit_in_call},
      {"static_owner_exit_in_call", static_owner_exit_in_call},
      {"two_that_use_each_other", two_that_use_each_other},
      {"a_new_one_during_the_exit", a_new_one_during_the_exit},
      {"forty_among_others", forty_among_others},
      {"policy_drain", policy(ExitPolicy::kDrain, false)},
      {"policy_cancel_pending", policy(ExitPolicy::kCancelPending, false)},
      {"policy_abandon", policy(ExitPolicy::kAbandon, true)},
      {"_exit", end_at_once([] { _exit(7); })},
      {"quick_exit", end_at_once([] { std::quick_exit(7); })},
      {"abort", end_at_once([] { std::abort(); })},
  };
  return *parts;
}

}  // namespace futures::spec_tests
