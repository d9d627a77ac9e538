// Laws W1 to W4: which futures may be waited for, and what wait returns when.
#include <cstddef>
#include <functional>
#include <list>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/wait.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/wait_check_helpers.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

constexpr ReturnWhen kEveryMode[] = {ReturnWhen::kFirstCompleted, ReturnWhen::kFirstException,
                                     ReturnWhen::kAllCompleted};

// --- W1

// The promise is that every kind of range of these futures, all done, gives these futures.
template <typename Range>
void expect_takes(const LawRun& run, const Ints& futures, Range&& for_wait, Range&& for_as_completed,
                  std::string_view what) {
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
  const auto begin = sync::clock::now();
  const auto result = wait(calls.futures(), {.timeout = 5ms});
  run.expect(sync::clock::now() - begin >= 5ms, "wait gives the calls the time that it was given");
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
    const auto waiter =
        waiting(run, calls.futures(), ReturnWhen::kFirstCompleted, "wait returns at the first completed",
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
    const auto waiter =
        waiting(run, calls.futures(), ReturnWhen::kFirstException, "wait returns at the first exception",
                [](const auto& result) { return result.done.size() == 2; });
    run.expect(waiter.falls_asleep(), "wait sleeps until a call throws");
    calls.end(0);
    run.expect(waiter.falls_asleep(), "a value does not end the wait for an exception");
    calls.end(1);
  }
  const auto again =
      waiting(run, calls.futures(), ReturnWhen::kFirstException, "wait returns at once if one has thrown",
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
  const auto again =
      waiting(run, {calls[0], calls[1], pending}, ReturnWhen::kFirstException,
              "wait returns at once if all are completed", [](const auto& result) { return result.done.size() == 3; });
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

void a_cancel_ends_the_wait(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Ints pending = submit_some(*executor, 2);
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
  const Ints pending = submit_some(*executor, 3);
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
  const Ints pending = submit_some(*executor, 3);
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
};

}  // namespace

absl::Span<const Law> wait_laws() { return kLaws; }

}  // namespace futures::spec_tests
