// Group W: wait and as_completed.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/wait.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/check_helpers.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

using Ints = std::vector<Future<int>>;

constexpr ReturnWhen kEveryMode[] = {ReturnWhen::kFirstCompleted, ReturnWhen::kFirstException, ReturnWhen::kAllCompleted};

// Calls that end when the check says so, each on a worker of its own. Call i returns i, or throws if it is in `failing`.
class Steered {
 public:
  Steered(const LawRun& run, int n, const std::set<int>& failing = {}) : executor_(open(run, n)), gates_(n) {
    for (int i = 0; i < n; ++i) {
      futures_.push_back(executor_->submit(be_steered, i, failing.contains(i), gates_[i].entrance()));
      run.expect(gates_[i].await_arrivals(1), "each call has a worker of its own");
    }
  }

  // Call i ends now.
  void end(int i) const {
    gates_[i].open();
    futures_[i].wait(kPatience);
  }
  const Ints& futures() const { return futures_; }
  const Future<int>& operator[](int i) const { return futures_[i]; }
  const std::shared_ptr<Executor>& executor() const { return executor_; }

 private:
  static int be_steered(int number, bool fails, const Gate::Entrance& at) {
    at.pass();
    if (fails) throw std::runtime_error("as it was told");
    return number;
  }

  std::shared_ptr<Executor> executor_;
  std::vector<Gate> gates_;
  Ints futures_;
};

Ints finished(const LawRun& run, int n) {
  const auto executor = open(run, 2);
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor->submit(unchanged, i));
  for (const Future<int>& future : futures) expect_done(run, future, "a call ends");
  return futures;
}

bool contains(const Ints& futures, const Future<int>& future) {
  return std::find(futures.begin(), futures.end(), future) != futures.end();
}

// --- W1

// The promise is that every kind of range of these futures, all done, gives these futures.
template <typename Range>
void expect_takes(const LawRun& run, const Ints& futures, Range&& for_wait, Range&& for_as_completed, std::string_view what) {
  const WaitResult<Future<int>> result = wait(std::forward<Range>(for_wait), {.timeout = kPatience});
  run.expect(result.done == futures && result.not_done.empty(), what);
  Ints yielded;
  for (const Future<int>& future : as_completed(std::forward<Range>(for_as_completed), kPatience)) {
    yielded.push_back(future);
  }
  run.expect(yielded == futures, what);
}

void any_range_of_futures(LawRun& run) {
  const Ints futures = finished(run, 3);
  expect_takes(run, futures, futures, futures, "a const vector");
  expect_takes(run, futures, Ints(futures), Ints(futures), "a temporary vector");
  std::list<Future<int>> list(futures.begin(), futures.end());
  expect_takes(run, futures, list, list, "a list");
  run.expect(list.front().valid(), "futures of a range that stays are copied");
  const Future<int> array[] = {futures[0], futures[1], futures[2]};
  expect_takes(run, futures, array, array, "an array");
  const auto by_number = [&futures](int i) { return futures[i]; };
  const auto view = std::views::iota(0, 3) | std::views::transform(by_number);
  expect_takes(run, futures, view, view, "a view that makes its futures");
  auto all = futures | std::views::filter([](const Future<int>& future) { return future.valid(); });
  expect_takes(run, futures, all, all, "a view that can only be iterated non-const");
  std::istringstream once("0 1 2");
  std::istringstream once_more("0 1 2");
  expect_takes(run, futures, std::views::istream<int>(once) | std::views::transform(by_number),
               std::views::istream<int>(once_more) | std::views::transform(by_number), "an input that is read once");
}

void move_only_results(LawRun& run) {
  const auto executor = open(run, 1);
  const std::vector<Future<MoveOnly>> futures = {executor->submit([] { return MoveOnly(1); })};
  run.expect(wait(futures, {.timeout = kPatience}).done.size() == 1, "wait takes futures of move-only results");
  for (const auto& future : as_completed(futures, kPatience)) {
    run.expect(future.take().number() == 1, "as_completed yields futures of move-only results");
  }
}

void duplicates_count_once(LawRun& run) {
  const Steered calls(run, 2);
  calls.end(1);
  const Ints twice = {calls[0], calls[1], calls[1], calls[0]};
  const auto some = wait(twice, {.timeout = 0s});
  run.expect(some.done == Ints{calls[1]} && some.not_done == Ints{calls[0]}, "wait takes a future given twice once");
  calls.end(0);
  int yielded = 0;
  for (const Future<int>& future : as_completed(twice, kPatience)) yielded += future.valid() ? 1 : 100;
  run.expect(yielded == 2, "as_completed yields a future given twice once");
}

void the_empty_range_returns_at_once(LawRun& run) {
  const WatchedThread caller(run, "the empty range returns at once", [run] {
    for (const ReturnWhen mode : kEveryMode) {
      const auto result = wait(Ints(), {.return_when = mode});
      run.expect(result.done.empty() && result.not_done.empty(), "wait for nothing gives nothing");
    }
    for (const Future<int>& future : as_completed(Ints())) run.expect(!future.valid(), "there is nothing to yield");
  });
}

// --- W2

void a_partition_in_the_order_given(LawRun& run) {
  const Steered calls(run, 5);
  calls.end(3);
  calls.end(1);
  for (const ReturnWhen mode : kEveryMode) {
    const auto result = wait(calls.futures(), {.timeout = 0s, .return_when = mode});
    run.expect(result.done == Ints{calls[1], calls[3]}, "done holds what is done, in the order given");
    run.expect(result.not_done == Ints{calls[0], calls[2], calls[4]}, "not_done holds the rest, in the order given");
  }
}

void zero_and_less_polls(LawRun& run) {
  const Steered calls(run, 1);
  const WatchedThread caller(run, "wait with a timeout of zero and less returns at once", [run, future = calls[0]] {
    for (const Timeout timeout : {Timeout(0s), Timeout(-1ns), Timeout(-1h), Timeout(-1e300 * 1s)}) {
      const auto result = wait(Ints{future}, {.timeout = timeout});
      run.expect(result.done.empty() && result.not_done == Ints{future}, "wait does not throw when time is up");
    }
  });
}

void time_is_up_not_before_its_time(LawRun& run) {
  const Steered calls(run, 2);
  calls.end(0);
  const auto begin = std::chrono::steady_clock::now();
  const auto result = wait(calls.futures(), {.timeout = 5ms});
  run.expect(std::chrono::steady_clock::now() - begin >= 5ms, "wait gives the calls the time that it was given");
  run.expect(result.done == Ints{calls[0]} && result.not_done == Ints{calls[1]}, "wait does not throw when time is up");
}

// --- W3

// A wait on a thread of its own, whose result has to satisfy `holds`.
WatchedThread waiting(const LawRun& run, const Ints& futures, ReturnWhen mode, std::string what,
                   std::function<bool(const WaitResult<Future<int>>&)> holds) {
  return WatchedThread(run, what, [run, futures, mode, what, holds = std::move(holds)] {
    run.expect(holds(wait(futures, {.return_when = mode})), what);
  });
}

void the_first_completed(LawRun& run) {
  const Steered calls(run, 3, {1});
  {
    const auto waiter = waiting(run, calls.futures(), ReturnWhen::kFirstCompleted, "wait returns at the first completed",
                                [second = calls[1]](const auto& result) { return contains(result.done, second); });
    run.expect(waiter.falls_asleep(), "wait sleeps until a call is done");
    calls.end(1);
  }
  const auto again = waiting(run, calls.futures(), ReturnWhen::kFirstCompleted, "wait returns at once if one is done",
                             [](const auto& result) { return result.done.size() == 1 && result.not_done.size() == 2; });
  run.expect(again.ends(), "wait returns at once if one is done");
}

void the_first_exception(LawRun& run) {
  const Steered calls(run, 3, {1});
  {
    const auto waiter = waiting(run, calls.futures(), ReturnWhen::kFirstException, "wait returns at the first exception",
                                [](const auto& result) { return result.done.size() == 2; });
    run.expect(waiter.falls_asleep(), "wait sleeps until a call throws");
    calls.end(0);
    run.expect(waiter.falls_asleep(), "a value does not end the wait for an exception");
    calls.end(1);
  }
  const auto again = waiting(run, calls.futures(), ReturnWhen::kFirstException, "wait returns at once if one has thrown",
                             [](const auto& result) { return result.not_done.size() == 1; });
  run.expect(again.ends(), "wait returns at once if one has thrown");
}

void without_an_exception_all_completed(LawRun& run) {
  const Steered calls(run, 2);
  const Future<int> pending = calls.executor()->submit([] { return 2; });
  const auto waiter = waiting(run, {calls[0], calls[1], pending}, ReturnWhen::kFirstException,
                              "without an exception wait returns when all are completed",
                              [](const auto& result) { return result.not_done.empty(); });
  run.expect(waiter.falls_asleep(), "wait sleeps until a call throws");
  pending.cancel();
  run.expect(waiter.falls_asleep(), "a cancelled future is no exception");
  calls.end(1);
  calls.end(0);
  run.expect(waiter.ends(), "without an exception wait returns when all are completed");
  const auto again = waiting(run, {calls[0], calls[1], pending}, ReturnWhen::kFirstException,
                             "wait returns at once if all are completed",
                             [](const auto& result) { return result.done.size() == 3; });
  run.expect(again.ends(), "wait returns at once if all are completed");
}

void all_completed(LawRun& run) {
  const Steered calls(run, 3, {0});
  const auto waiter = waiting(run, calls.futures(), ReturnWhen::kAllCompleted, "wait returns when all are completed",
                              [all = calls.futures()](const auto& result) { return result.done == all; });
  for (const int i : {2, 0, 1}) {
    run.expect(waiter.falls_asleep(), "wait sleeps until all are completed");
    calls.end(i);
  }
  run.expect(waiter.ends(), "wait returns when all are completed");
  const auto again = wait(calls.futures(), {.timeout = 0s});
  run.expect(again.not_done.empty(), "wait returns at once if all are completed");
}

// --- W4

// Both kinds of waiting, each on a thread of its own, until all `futures` are done.
struct Waiters {
  WatchedThread wait_for_all;
  WatchedThread wait_for_each;

  Waiters(const LawRun& run, const Ints& futures, const std::string& what)
      : wait_for_all(run, "wait: " + what,
                     [run, futures] { run.expect(wait(futures).not_done.empty(), "wait waits for all"); }),
        wait_for_each(run, "as_completed: " + what, [run, futures] {
          std::size_t yielded = 0;
          for (const Future<int>& future : as_completed(futures)) yielded += future.done() ? 1 : 0;
          run.expect(yielded == futures.size(), "as_completed yields each future");
        }) {}

  bool fall_asleep() const { return wait_for_all.falls_asleep() && wait_for_each.falls_asleep(); }
  bool end() const { return wait_for_all.ends() && wait_for_each.ends(); }
};

Ints submit_pending(Executor& executor, int n) {
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor.submit(unchanged, i));
  return futures;
}

void a_cancel_ends_the_wait(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Ints pending = submit_pending(*executor, 2);
  const Waiters waiters(run, pending, "a cancelled future counts as done at once");
  run.expect(waiters.fall_asleep(), "a pending future is waited for");
  for (const Future<int>& future : pending) future.cancel();
  run.expect(waiters.end(), "a cancelled future counts as done at once");
  const Waiters late(run, pending, "a future that is cancelled already counts as done");
  run.expect(late.end(), "a future that is cancelled already counts as done");
}

void a_shutdown_that_cancels_ends_the_wait(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Ints pending = submit_pending(*executor, 3);
  const Waiters waiters(run, pending, "what a shutdown has cancelled counts as done at once");
  run.expect(waiters.fall_asleep(), "a pending future is waited for");
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(waiters.end(), "what a shutdown has cancelled counts as done at once");
  const Waiters late(run, pending, "what a shutdown has cancelled before counts as done");
  run.expect(late.end(), "what a shutdown has cancelled before counts as done");
}

void a_blocked_callback_delays_no_wait(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Ints pending = submit_pending(*executor, 3);
  const Gate gate;
  pending[0].add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  const Waiters waiters(run, pending, "a blocked callback delays no wait");
  run.expect(waiters.fall_asleep(), "a pending future is waited for");
  const WatchedThread canceller(run, "shutdown without wait returns",
                             [executor] { executor->shutdown({.wait = false, .cancel_futures = true}); });
  run.expect(gate.await_arrivals(1), "the callback runs");
  run.expect(waiters.end(), "a cancelled future counts as done at once, whatever the callbacks of others do");
  gate.open();
}

// --- W5

void each_once_in_completion_order(LawRun& run) {
  const Steered calls(run, 5, {0});
  calls.end(4);
  calls.end(2);
  auto range = as_completed(calls.futures(), kPatience);
  std::vector<Future<int>> yielded;
  auto it = range.begin();
  for (int i = 0; i < 2; ++i, ++it) yielded.push_back(*it);
  run.expect(contains(yielded, calls[4]) && contains(yielded, calls[2]), "what is done already comes first");
  for (const int i : {3, 0, 1}) {
    calls.end(i);
    run.expect(it != range.end() && *it == calls[i], "then each future as it gets done");
    ++it;
  }
  run.expect(it == range.end(), "each future comes once");
}

void completion_order_is_kept_while_nobody_looks(LawRun& run) {
  const Steered calls(run, 4);
  auto range = as_completed(calls.futures(), kPatience);
  Ints expected;
  for (const int i : {2, 0, 3, 1}) {
    calls.end(i);
    expected.push_back(calls[i]);
  }
  Ints yielded;
  for (const Future<int>& future : range) yielded.push_back(future);
  run.expect(yielded == expected, "futures come in the order in which they got done");
}

void what_is_seen_done_first_comes_first(LawRun& run) {
  constexpr int kRounds = 12;
  constexpr int kOthers = 200;  // Others who wait for the first future, and may hear of it before us.
  std::vector<Promise<int>> firsts(kRounds);
  std::vector<Promise<int>> seconds(kRounds);
  std::atomic<int> begun = 0;
  std::thread producer([&] {
    for (int round = 0; round < kRounds; ++round) {
      while (begun <= round) std::this_thread::yield();
      firsts[round].set_result(1);
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const Future<int> first = firsts[round].future();
    auto range = as_completed(Ints{seconds[round].future(), first}, kPatience);
    std::vector<AsCompleted<Future<int>>> others;
    for (int i = 0; i < kOthers; ++i) others.push_back(as_completed(Ints{first}, kPatience));
    ++begun;
    while (!first.done()) std::this_thread::yield();
    seconds[round].set_result(2);
    run.expect(*range.begin() == first, "a future that was seen done before another one got done comes before it");
  }
  producer.join();
}

void time_is_up_in_as_completed(LawRun& run) {
  const Steered calls(run, 3);
  calls.end(1);
  int yielded = 0;
  try {
    for (const Future<int>& future : as_completed(calls.futures(), 0s)) yielded += future == calls[1] ? 1 : 100;
    run.expect(false, "as_completed throws TimeoutError when time is up");
  } catch (const TimeoutError& e) {
    run.expect(std::string_view(e.what()) == "2 (of 3) futures unfinished", "the error is Python's");
  }
  run.expect(yielded == 1, "what is done comes out before time is up");
  run.expect(!calls[0].done() && !calls[2].done(), "the calls go on");
}

void views_of_as_completed(LawRun& run) {
  const Steered calls(run, 3);
  calls.end(2);
  const WatchedThread caller(run, "taking one of as_completed waits for one", [run, futures = calls.futures()] {
    for (const Future<int>& future : as_completed(futures) | std::views::take(1)) {
      run.expect(future == futures[2], "the first that is done comes first");
    }
  });
  run.expect(caller.ends(), "taking one of as_completed waits for one");
}

// --- W6

// The time passes: this is not to get an order.
void spend(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

// The promise is that `step`, which begins when a timeout of the time that it is given is over, does not wait for that time
// again. A busy machine may make it look so, but hardly each time, however long that is.
void expect_no_more_time(const LawRun& run, const std::function<void(std::chrono::milliseconds time)>& step,
                         std::string_view what) {
  for (std::chrono::milliseconds time = 10ms; time < 1s; time *= 2) {
    const auto begin = std::chrono::steady_clock::now();
    step(time);
    if (std::chrono::steady_clock::now() - begin < 2 * time) {
      run.expect(true, what);
      return;
    }
  }
  run.expect(false, what);
}

void the_clock_starts_at_the_call(LawRun& run) {
  const Steered calls(run, 1);
  expect_no_more_time(
      run,
      [&](std::chrono::milliseconds time) {
        auto range = as_completed(calls.futures(), time);
        spend(time);
        expect_throws<TimeoutError>(run, [&] { run.expect(range.begin() == range.end(), "nothing is done"); },
                                    "time is up at the first step");
      },
      "the clock of as_completed starts at the call, not at the first step");
}

void the_clock_runs_while_the_range_is_read(LawRun& run) {
  const Steered calls(run, 1);
  expect_no_more_time(
      run,
      [&](std::chrono::milliseconds time) {
        const auto slow = calls.futures() | std::views::transform([time](const Future<int>& future) {
                            spend(time);
                            return future;
                          });
        run.expect(wait(slow, {.timeout = time}).done.empty(), "nothing is done");
      },
      "the clock of wait starts at the call, before the range is read");
}

// --- W7

// Futures of calls that are running and pending, with counted objects in arguments and results.
std::vector<Future<CountedObject>> with_counted_objects(Executor& executor, const CopyCounts& counts, int n) {
  std::vector<Future<CountedObject>> futures;
  for (int i = 0; i < n; ++i) {
    futures.push_back(executor.submit([](const CountedObject& argument) { return argument; }, CountedObject(counts, i)));
  }
  return futures;
}

void leaving_early_lets_go_of_every_future(LawRun& run) {
  const CopyCounts counts = CopyCounts::begin();
  const auto executor = open(run, 1);
  std::optional<BusyWorkers> busy(std::in_place, run, *executor);
  std::vector<Future<CountedObject>> futures = with_counted_objects(*executor, counts, 20);
  for (int i = 0; i < 10; ++i) {
    wait(futures, {.timeout = 0s});
    wait(futures, {.timeout = 100us, .return_when = ReturnWhen::kFirstException});
    auto never_begun = as_completed(futures);
    auto moved = std::move(never_begun);
    expect_throws<TimeoutError>(
        run, [&] { run.expect(*as_completed(futures, 0s).begin() == futures[0], "nothing is done"); },
        "time is up in as_completed");
  }
  futures[0].cancel();
  for (const Future<CountedObject>& future : as_completed(futures, kPatience)) {
    run.expect(future == futures[0], "what is done comes first");
    break;
  }
  run.expect(wait(futures, {.timeout = kPatience, .return_when = ReturnWhen::kFirstCompleted}).done.size() == 1,
             "wait returns at the first completed");
  // Whoever were still registered would be told now.
  busy.reset();
  for (const Future<CountedObject>& future : futures) expect_done(run, future, "the calls go on");
  run.expect(counts.alive() == 19, "each call has left its result and nothing else");
  futures.clear();
  run.expect_soon([&] { return counts.alive() == 0; }, "nothing stays referenced once the last handle has gone");
}

void leaving_while_futures_get_done(LawRun& run) {
  const CopyCounts counts = CopyCounts::begin();
  const auto executor = open(run, 2);
  for (int round = 0; round < 50; ++round) {
    const std::vector<Future<CountedObject>> futures = with_counted_objects(*executor, counts, 10);
    wait(futures, {.timeout = kPatience, .return_when = ReturnWhen::kFirstCompleted});
    for (const Future<CountedObject>& future : as_completed(futures, kPatience) | std::views::take(3)) {
      run.expect(future.done(), "as_completed yields what is done");
    }
  }
  shut_down(run, executor, {});
  run.expect(counts.alive() == 0, "nothing stays referenced, whatever got done meanwhile");
}

void a_yielded_future_is_let_go(LawRun& run) {
  const CopyCounts counts = CopyCounts::begin();
  const auto executor = open(run, 1);
  std::vector<Future<CountedObject>> futures = with_counted_objects(*executor, counts, 3);
  for (const Future<CountedObject>& future : futures) expect_done(run, future, "a call ends");
  shut_down(run, executor, {});
  auto range = as_completed(futures, kPatience);
  futures.clear();
  int left = 3;
  for (const Future<CountedObject>& future : range) {
    run.expect(future.done() && counts.alive() == left, "as_completed keeps what it has not yielded and the current one");
    --left;
  }
  run.expect(left == 0 && counts.alive() == 0, "and nothing at its end");
}

constexpr Law kLaws[] = {
    law<any_range_of_futures>("W1", "AnyRangeOfFutures"),
    law<move_only_results>("W1", "MoveOnlyResults"),
    law<duplicates_count_once>("W1", "DuplicatesCountOnce"),
    law<the_empty_range_returns_at_once>("W1", "TheEmptyRangeReturnsAtOnce"),
    law<a_partition_in_the_order_given>("W2", "APartitionInTheOrderGiven"),
    law<zero_and_less_polls>("W2", "ZeroAndLessPolls"),
    law<time_is_up_not_before_its_time>("W2", "TimeIsUpNotBeforeItsTime"),
    law<the_first_completed>("W3", "TheFirstCompleted"),
    law<the_first_exception>("W3", "TheFirstException"),
    law<without_an_exception_all_completed>("W3", "WithoutAnExceptionAllCompleted"),
    law<all_completed>("W3", "AllCompleted"),
    law<a_cancel_ends_the_wait>("W4", "ACancelEndsTheWait"),
    law<a_shutdown_that_cancels_ends_the_wait>("W4", "AShutdownThatCancelsEndsTheWait"),
    law<a_blocked_callback_delays_no_wait>("W4", "ABlockedCallbackDelaysNoWait"),
    law<each_once_in_completion_order>("W5", "EachOnceInCompletionOrder"),
    law<completion_order_is_kept_while_nobody_looks>("W5", "CompletionOrderIsKeptWhileNobodyLooks"),
    law<what_is_seen_done_first_comes_first>("W5", "WhatIsSeenDoneFirstComesFirst"),
    law<time_is_up_in_as_completed>("W5", "TimeIsUpInAsCompleted"),
    law<views_of_as_completed>("W5", "ViewsOfAsCompleted"),
    law<the_clock_starts_at_the_call>("W6", "TheClockStartsAtTheCall"),
    law<the_clock_runs_while_the_range_is_read>("W6", "TheClockRunsWhileTheRangeIsRead"),
    law<leaving_early_lets_go_of_every_future>("W7", "LeavingEarlyLetsGoOfEveryFuture"),
    law<leaving_while_futures_get_done>("W7", "LeavingWhileFuturesGetDone"),
    law<a_yielded_future_is_let_go>("W7", "AYieldedFutureIsLetGo"),
};

}  // namespace

absl::Span<const Law> wait_laws() { return kLaws; }

}  // namespace futures::spec_tests
