// Laws W5 to W7: the order of as_completed, the clock of wait and as_completed, and what both keep alive.
#include <functional>
#include <optional>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/wait.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/threads.h"
#include "spec_tests/laws/wait_check_helpers.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

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

// `end` makes a future done, in another thread than the one that sees it.
void what_is_seen_first_comes_first(LawRun& run, const std::function<void(Promise<int>&)>& end) {
  constexpr int kRounds = 12;
  constexpr int kOthers = 200;  // Others who wait for the first future, and may hear of it before us.
  std::vector<Promise<int>> firsts(kRounds);
  std::vector<Promise<int>> seconds(kRounds);
  sync::atomic<int> begun{0};
  sync::thread producer = sync::thread::start({}, [&] {
    for (int round = 0; round < kRounds; ++round) {
      while (begun.load() <= round) yield();
      end(firsts[round]);
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const Future<int> first = firsts[round].future();
    auto range = as_completed(Ints{seconds[round].future(), first}, kPatience);
    std::vector<AsCompleted<Future<int>>> others;
    for (int i = 0; i < kOthers; ++i) others.push_back(as_completed(Ints{first}, kPatience));
    begun.fetch_add(1);
    while (!first.done()) yield();
    seconds[round].set_result(2);
    run.expect(*range.begin() == first, "a future that was seen done before another one got done comes before it");
  }
  producer.join();
}

void what_is_seen_done_first_comes_first(LawRun& run) {
  what_is_seen_first_comes_first(run, [](Promise<int>& first) { first.set_result(1); });
}

void what_is_seen_cancelled_first_comes_first(LawRun& run) {
  what_is_seen_first_comes_first(run, [](Promise<int>& first) { first.future().cancel(); });
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

// The promise is that `step`, which begins when a timeout of the time that it is given is over, does not wait for that
// time again. A busy machine may make it look so, but hardly each time, however long that is.
void expect_no_more_time(const LawRun& run, const std::function<void(std::chrono::milliseconds time)>& step,
                         std::string_view what) {
  for (std::chrono::milliseconds time = 10ms; time < 1s; time *= 2) {
    const auto begin = sync::clock::now();
    step(time);
    if (sync::clock::now() - begin < 2 * time) {
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
        sleep_for(time);
        expect_throws<TimeoutError>(
            run, [&] { run.expect(range.begin() == range.end(), "nothing is done"); }, "time is up at the first step");
      },
      "the clock of as_completed starts at the call, not at the first step");
}

void the_clock_runs_while_the_range_is_read(LawRun& run) {
  const Steered calls(run, 1);
  expect_no_more_time(
      run,
      [&](std::chrono::milliseconds time) {
        const auto slow = calls.futures() | std::views::transform([time](const Future<int>& future) {
                            sleep_for(time);
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
    futures.push_back(
        executor.submit([](const CountedObject& argument) { return argument; }, CountedObject(counts, i)));
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
    run.expect(future.done() && counts.alive() == left,
               "as_completed keeps what it has not yielded and the current one");
    --left;
  }
  run.expect(left == 0 && counts.alive() == 0, "and nothing at its end");
}

constexpr Law kLaws[] = {
    law<each_once_in_completion_order>("W5", "EachOnceInCompletionOrder"),
    law<completion_order_is_kept_while_nobody_looks>("W5", "CompletionOrderIsKeptWhileNobodyLooks"),
    law<what_is_seen_done_first_comes_first>("W5", "WhatIsSeenDoneFirstComesFirst"),
    law<what_is_seen_cancelled_first_comes_first>("W5", "WhatIsSeenCancelledFirstComesFirst"),
    law<time_is_up_in_as_completed>("W5", "TimeIsUpInAsCompleted"),
    law<views_of_as_completed>("W5", "ViewsOfAsCompleted"),
    law<the_clock_starts_at_the_call>("W6", "TheClockStartsAtTheCall"),
    law<the_clock_runs_while_the_range_is_read>("W6", "TheClockRunsWhileTheRangeIsRead"),
    law<leaving_early_lets_go_of_every_future>("W7", "LeavingEarlyLetsGoOfEveryFuture"),
    racing_law<leaving_while_futures_get_done>("W7", "LeavingWhileFuturesGetDone"),
    law<a_yielded_future_is_let_go>("W7", "AYieldedFutureIsLetGo"),
};

}  // namespace

absl::Span<const Law> as_completed_laws() { return kLaws; }

}  // namespace futures::spec_tests
