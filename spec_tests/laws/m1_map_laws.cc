// M1 to M8: map, and what its variants share.
#include <algorithm>
#include <climits>
#include <list>
#include <map>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/map.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/map_check_helpers.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

using Ints = std::vector<int>;

// --- M1

void every_call_is_submitted_before_it_returns(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const SharedCount taken;
  const auto inputs = endless(taken) | std::views::take(5);
  auto results = executor->map(doubled, inputs, kPatient);
  run.expect(taken.value() == 5, "map takes the whole input before it returns");
  executor->shutdown({.wait = false});
  busy.release();
  run.expect(collect(results) == Ints{0, 2, 4, 6, 8}, "every call was submitted before map returned");
}

void results_in_the_order_of_the_inputs(LawRun& run) {
  const auto executor = open(run, 4);
  const GatedMap gated(4);
  auto results = executor->map(gated.call(), std::views::iota(0, 4), kPatient);
  for (const int item : {2, 3, 1}) {
    run.expect(gated.running(item), "each call has a worker of its own");
    gated.open(item);
  }
  gated.open(0);
  run.expect(collect(results) == Ints{0, 1, 2, 3}, "results come in the order of the inputs, whatever ends first");
}

void lazily(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(3);
  const WatchedThread caller(run, "map waits for no call that is not asked for", [run, executor, call = gated.call()] {
    auto results = executor->map(call, std::views::iota(0, 3));
    run.expect(*results.begin() == 0, "the first result is there");
    for (const int result : results | std::views::take(1)) run.expect(result == 0, "taking one waits for one");
  });
  run.expect(gated.running(0), "the first call runs");
  run.expect(caller.falls_asleep(), "the result is waited for once it is asked for");
  gated.open(0);
  run.expect(caller.ends(), "map waits for no call that is not asked for");
}

void up_to_the_end_of_the_shortest(LawRun& run) {
  const auto executor = open(run, 2);
  const std::vector<int> five = {1, 2, 3, 4, 5};
  const std::list<std::string> three = {"a", "bb", "ccc"};
  const SharedCount taken;
  const auto sum = [](int x, const std::string& text, int y) {
    return x + 10 * static_cast<int>(text.size()) + 100 * y;
  };
  {
    const WatchedThread caller(run, "map of several inputs ends", [run, executor, taken, sum, five, three] {
      run.expect(collect(executor->map(sum, five, three, endless(taken))) == Ints{11, 122, 233},
                 "map of several inputs stops at the end of the shortest");
    });
  }
  run.expect(taken.value() == 3, "no item is taken that is not used");
  const auto product = [](int x, int y) { return x * y; };
  run.expect(collect(executor->map(product, five, five, kPatient)) == Ints{1, 4, 9, 16, 25},
             "map of two inputs with options");
  run.expect(collect(executor->map(product, five, Ints())).empty(), "an empty input stops it before it begins");
  run.expect(collect(executor->map(doubled, Ints())).empty(), "an empty input gives an empty range");
}

void any_input_range(LawRun& run) {
  const auto executor = open(run, 2);
  std::istringstream once("1 2 3");
  run.expect(collect(executor->map(doubled, std::views::istream<int>(once), kPatient)) == Ints{2, 4, 6},
             "an input that is read once");
  run.expect(collect(executor->map(doubled, Ints{1, 2}, kPatient)) == Ints{2, 4}, "a temporary container");
  const int array[] = {7, 8};
  run.expect(collect(executor->map(doubled, array, kPatient)) == Ints{14, 16}, "an array");
  const std::map<int, std::string> table = {{1, "a"}, {2, "bb"}};
  const auto key_of = [](const std::pair<const int, std::string>& item) { return item.first; };
  run.expect(collect(executor->map(key_of, table, kPatient)) == Ints{1, 2}, "items with a const part");
  std::vector<MoveOnly> owned;
  owned.emplace_back(5);
  const auto value_of = [](const MoveOnly& item) { return item.number(); };
  const auto moved = owned | std::views::transform([](MoveOnly& item) { return std::move(item); });
  run.expect(collect(executor->map(value_of, moved, kPatient)) == Ints{5}, "items that only move");
}

void any_result(LawRun& run) {
  const auto executor = open(run, 1);
  std::vector<MoveOnly> owned;
  for (auto& result : executor->map([](int x) { return MoveOnly(x); }, Ints{3, 4}, kPatient)) {
    owned.push_back(std::move(result));
  }
  run.expect(owned.size() == 2 && owned[0].number() == 3 && owned[1].number() == 4,
             "move-only results can be moved out");
  const SharedCount ran;
  const auto count = bind_travelling([](const SharedCount& runs, int) { runs.add(); }, ran);
  int steps = 0;
  for ([[maybe_unused]] const auto& nothing : executor->map(count, Ints{1, 2, 3}, kPatient)) ++steps;
  run.expect(steps == 3 && ran.value() == 3, "a call that returns void takes one step");
}

void reference_results(LawRun& run) {
  const auto executor = open(run, 1);
  int target = 0;
  int seen = 0;
  for (int& result : executor->map([&target](int) -> int& { return target; }, Ints{1}, kPatient)) {
    run.expect(&result == &target, "a reference is a result");
    ++seen;
  }
  run.expect(seen == 1, "a reference is a result");
}

void usable_with_views(LawRun& run) {
  const auto executor = open(run, 2);
  const auto is_small = [](int x) { return x < 7; };
  const auto text_of = [](int x) { return std::to_string(x); };
  std::string text;
  for (const std::string& part : executor->map(doubled, std::views::iota(0, 10), kPatient) | std::views::drop(1) |
                                     std::views::filter(is_small) | std::views::transform(text_of)) {
    text += part;
  }
  run.expect(text == "246", "a map range works with std::views");
  auto results = executor->map(doubled, Ints{1, 2, 3, 4}, kPatient);
  auto moved = std::move(results);
  run.expect(collect(moved | std::views::take(2)) == Ints{2, 4}, "a map range that was moved can be taken from");
  static_assert(std::ranges::input_range<decltype(moved)> && std::movable<decltype(moved)>);
}

// --- M2

void ready_results_come_out_after_the_deadline(LawRun& run) {
  const auto executor = open(run, 1);
  const auto attempt = [&] {
    const GatedMap gated(5);
    gated.open(0);
    gated.open(1);
    auto results = executor->map(gated.call(), std::views::iota(0, 5), {.timeout = 0s});
    run.expect(gated.running(2), "the calls run one after the other");
    Ints seen;
    expect_throws<TimeoutError>(
        run,
        [&] {
          for (const int result : results) seen.push_back(result);
        },
        "then TimeoutError");
    run.expect(results.begin() == results.end(), "the error ends the range");
    // All that is left is the running call's, and what never starts any more is gone.
    run.expect(gated.callables() <= 1, "the remaining calls are cancelled when time is up");
    gated.open_all();
    expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
    run.expect(gated.runs() == 3, "what was cancelled never runs");
    return seen == Ints{0, 1};
  };
  run.expect(ready_at_some_attempt(run, attempt), "results that are ready come out after the deadline");
}

void the_awaited_call_is_cancelled_when_time_is_up(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const GatedMap gated(3);
  gated.open_all();
  auto results = executor->map(gated.call(), std::views::iota(0, 3), {.timeout = 1ms});
  expect_throws<TimeoutError>(run, [&] { collect(results); }, "map throws TimeoutError when time is up");
  run.expect(gated.callables() == 0, "the awaited and the remaining calls are cancelled");
  busy.release();
  expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
  run.expect(gated.runs() == 0, "what was cancelled never runs");
}

void one_deadline_for_all(LawRun& run) {
  constexpr int kItems = 6;
  const auto executor = open(run, kItems);
  {
    const BusyWorkers busy(run, *executor, kItems);
  }  // All workers are up.
  // Each call ends within the time of the one before it: a clock started anew at each step would never run out.
  const auto attempt = [&](std::chrono::milliseconds time) {
    const GatedMap gated(kItems);
    auto results = executor->map(gated.call(), std::views::iota(0, kItems), {.timeout = time});
    const auto until = sync::clock::now() + time;
    int seen = 0;
    try {
      gated.open(0);
      for (auto it = results.begin(); it != results.end(); ++it) {
        ++seen;
        soon([&] { return sync::clock::now() >= until; });
      }
    } catch (const TimeoutError&) {
      return seen == 1 && sync::clock::now() < until + time;
    }
    return false;
  };
  bool kept = false;
  // A busy machine may delay a step for longer than it would have to wait, but hardly each time, however long that is.
  for (std::chrono::milliseconds time = 10ms; time < 1s && !kept; time *= 2) kept = attempt(time);
  run.expect(kept, "there is one deadline, counted from the call");
}

// --- M3

// The promise is that the item where `it` stands throws an E, each time it is read.
template <typename E, typename Iterator>
void expect_error_at(const LawRun& run, const Iterator& it) {
  for (int read = 0; read < 2; ++read) {
    expect_throws<E>(run, [&] { static_cast<void>(*it); }, "what a call throws surfaces at its place, at each read");
  }
}

void an_exception_surfaces_at_its_position(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(6);
  for (const int item : {0, 1, 2}) gated.open(item);
  auto results = executor->map(gated.call({2, 3}), std::views::iota(0, 6), kPatient);
  auto it = results.begin();
  for (int item = 0; item < 2; ++item, ++it) run.expect(*it == item, "results come in order");
  run.expect(it != results.end(), "an error is not the end");
  expect_error_at<std::out_of_range>(run, it);
  gated.open_all();
  ++it;
  ++it;  // Past an error that nobody reads.
  for (int item = 4; item < 6; ++item, ++it) {
    run.expect(it != results.end() && *it == item, "the range goes on behind an error");
  }
  run.expect(it == results.end(), "up to its end");
  run.expect(gated.runs() == 6, "an error of a call cancels no other call");
}

void leaving_behind_an_error_cancels(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(4);
  gated.open(0);
  {
    auto results = executor->map(gated.call({0}), std::views::iota(0, 4), kPatient);
    expect_error_at<std::out_of_range>(run, results.begin());
    run.expect(gated.running(1), "the call behind the one that throws runs");
  }
  run.expect(gated.callables() == gated.calls_kept(run, 1), "leaving the range cancels what has not started");
  gated.open_all();
  expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
  run.expect(gated.runs() == 2, "what was cancelled never runs");
}

void a_timeout_error_of_a_call_is_its_items(LawRun& run) {
  const auto executor = open(run, 1);
  const auto second_throws = [](int x) { return x == 1 ? throw TimeoutError() : x; };
  const std::vector<int> input = {0, 1, 2};
  run.expect(collect_past<TimeoutError>(executor->map(second_throws, input, kPatient)) == Ints{0, -1, 2},
             "a TimeoutError that a call threw is not taken for the deadline");
  Ints unordered = collect_past<TimeoutError>(executor->map_unordered(second_throws, input, kPatient));
  std::ranges::sort(unordered);
  run.expect(unordered == Ints{-1, 0, 2}, "nor by map_unordered");
}

void a_cancelled_call_is_an_error_of_its_item(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(3);
  auto results = executor->map(gated.call(), std::views::iota(0, 3), kPatient);
  run.expect(gated.running(0), "the first call runs");
  executor->shutdown({.wait = false, .cancel_futures = true});
  gated.open_all();
  run.expect(collect_past<CancelledError>(results) == Ints{0, -1, -1}, "what somebody else cancelled is at its place");
}

// Views that read items where they step, and views that only pass them on.
void errors_through_views(LawRun& run) {
  const auto executor = open(run, 2);
  const auto results_of = [&](const Ints& input) {
    return executor->map([](int x) { return x == 3 ? throw std::out_of_range("three") : x; }, input, kPatient);
  };
  const auto is_even = [](int x) { return x % 2 == 0; };
  const Ints six = {1, 2, 3, 4, 5, 6};
  {
    auto results = results_of(six);
    auto even = results | std::views::filter(is_even);
    auto it = even.begin();
    run.expect(*it == 2, "a filter passes values on");
    expect_throws<std::out_of_range>(run, [&] { ++it; }, "the error comes out of the step that reads its item");
    expect_error_at<std::out_of_range>(run, it);
    Ints rest;
    for (++it; it != even.end(); ++it) rest.push_back(*it);
    run.expect(rest == Ints{4, 6}, "the next step goes on behind it");
  }
  {
    auto results = results_of({3, 4});
    auto even = results | std::views::filter(is_even);
    for (int read = 0; read < 2; ++read) {
      expect_throws<std::out_of_range>(run, [&] { static_cast<void>(even.begin()); }, "begin() reads the first item");
    }
    ++results.begin();
    run.expect(*even.begin() == 4, "the range beneath can step over it");
  }
  const Ints transformed = collect_past<std::out_of_range>(results_of(six) | std::views::transform(doubled));
  run.expect(transformed == Ints{2, 4, -1, 8, 10, 12}, "transform shows the error at its place");
  auto results = results_of(six);
  Ints seen;
  expect_throws<std::out_of_range>(
      run,
      [&] {
        for (const int result : results | std::views::take(4)) seen.push_back(result);
      },
      "so does take");
  ++results.begin();
  run.expect(seen == Ints{1, 2} && collect(results) == Ints{4, 5, 6}, "and the range can be read on");
  run.expect(collect_past<std::out_of_range>(results_of(six) | std::views::take(4)) == Ints{1, 2, -1, 4},
             "an error counts as an item");
}

// --- M4

// A map range over 4 items, the first of them running, that is destroyed after `steps` steps.
void destroy_after(const LawRun& run, int steps) {
  const auto executor = open(run, 1);
  const GatedMap gated(4);
  {
    auto results = executor->map(gated.call(), std::views::iota(0, 4), kPatient);
    for (int i = 0; i < steps; ++i) gated.open(i);
    auto it = results.begin();
    for (int i = 0; i < steps; ++i, ++it) run.expect(*it == i, "results come in order");
    run.expect(gated.running(steps), "the next call runs");
    auto moved = std::move(results);
    {
      const auto moved_from = std::move(results);
    }
    if (!in_processes(run)) {
      run.expect(gated.callables() >= 4 - steps, "a range that was moved from takes nothing with it");
    }
  }
  run.expect(gated.callables() == gated.calls_kept(run, 1), "destroying the range cancels what has not started");
  gated.open_all();
  expect_result(run, executor->submit([] { return 1; }), 1, "what is running finishes");
  run.expect(gated.runs() == steps + 1, "what was cancelled never runs");
}

void destroying_the_range_cancels(LawRun& run) { destroy_after(run, 1); }
void destroying_a_range_that_was_never_advanced_cancels(LawRun& run) { destroy_after(run, 0); }

void assigning_a_range_cancels_the_old_one(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const GatedMap gated(3);
  gated.open_all();
  auto results = executor->map(gated.call(), std::views::iota(0, 3), kPatient);
  results = executor->map(gated.call(), std::views::iota(0, 2), kPatient);
  run.expect(gated.callables() == gated.calls_kept(run, 2),
             "assigning to a range cancels what the old one has not started");
  busy.release();
  run.expect(collect(results) == Ints{0, 1}, "and nothing of the new one");
  run.expect(gated.runs() == 2, "what was cancelled never runs");
}

// --- M5

void buffersize_bounds_what_is_taken_ahead(LawRun& run) {
  for (const int buffersize : {1, 3}) {
    const auto executor = open(run, 2);
    const SharedCount taken;
    auto results = executor->map(doubled, endless(taken), {.timeout = kPatience, .buffersize = buffersize});
    run.expect(taken.value() == buffersize, "map takes exactly buffersize inputs before it returns");
    auto it = results.begin();
    for (int step = 1; step <= 5; ++step, ++it) {
      run.expect(*it == 2 * (step - 1), "results come in order");
      run.expect(taken.value() == buffersize + step, "each step takes one input more");
    }
  }
}

void buffersize_of_the_other_forms(LawRun& run) {
  const auto executor = open(run, 2);
  const SharedCount taken;
  auto unordered = executor->map_unordered(doubled, endless(taken), {.timeout = kPatience, .buffersize = 4});
  run.expect(taken.value() == 4, "map_unordered takes exactly buffersize inputs before it returns");
  auto it = unordered.begin();
  for (int step = 1; step <= 3; ++step, ++it) {
    run.expect(*it % 2 == 0 && taken.value() == 4 + step, "each step of map_unordered takes one input more");
  }
  const SharedCount taken_for_settled;
  auto settled = executor->map_settled(doubled, endless(taken_for_settled), {.timeout = kPatience, .buffersize = 4});
  run.expect(taken_for_settled.value() == 4, "map_settled takes exactly buffersize inputs before it returns");
  auto at = settled.begin();
  for (int step = 1; step <= 3; ++step, ++at) {
    run.expect(at->value() == 2 * (step - 1) && taken_for_settled.value() == 4 + step,
               "each step of map_settled takes one input more");
  }
}

void buffersize_beyond_the_end(LawRun& run) {
  const auto executor = open(run, 2);
  for (const int buffersize : {1, 2, 3, 4, INT_MAX}) {
    const MapOptions options{.timeout = kPatience, .buffersize = buffersize};
    run.expect(collect(executor->map(doubled, Ints{1, 2, 3}, options)) == Ints{2, 4, 6},
               "a bounded input ends, whatever the buffersize");
  }
  run.expect(collect(executor->map(doubled, Ints(), {.timeout = kPatience, .buffersize = 2})).empty(),
             "so does an empty one");
}

// The promise is that each form of map refuses these options and takes nothing.
void expect_refused(const LawRun& run, const MapOptions& options, std::string_view what) {
  const auto executor = open(run, 1);
  const SharedCount taken;
  const auto inputs = endless(taken) | std::views::take(3);
  expect_throws<std::invalid_argument>(run, [&] { static_cast<void>(executor->map(doubled, inputs, options)); }, what);
  expect_throws<std::invalid_argument>(
      run, [&] { static_cast<void>(executor->map_unordered(doubled, inputs, options)); }, what);
  expect_throws<std::invalid_argument>(
      run, [&] { static_cast<void>(executor->map_settled(doubled, inputs, options)); }, what);
  run.expect(taken.value() == 0, "a map that is refused takes no input");
}

void buffersize_below_one_is_refused(LawRun& run) {
  for (const int buffersize : {0, -1, INT_MIN}) {
    expect_refused(run, {.buffersize = buffersize}, "a buffersize below 1 throws std::invalid_argument");
  }
}

// --- M6

void chunksize_changes_no_result(LawRun& run) {
  const auto executor = open(run, 2);
  for (const int chunksize : {1, 2, 3, 100}) {
    const MapOptions options{.timeout = kPatience, .chunksize = chunksize};
    run.expect(collect(executor->map(doubled, Ints{1, 2, 3, 4, 5}, options)) == Ints{2, 4, 6, 8, 10},
               "the results are the same for each chunksize");
  }
  for (const int chunksize : {0, -1, INT_MIN}) {
    expect_refused(run, {.chunksize = chunksize}, "a chunksize below 1 throws std::invalid_argument");
  }
}

void an_exception_in_a_chunk_costs_no_other_item(LawRun& run) {
  const auto executor = open(run, 2);
  const auto four_throws = [](int x) { return x == 4 ? throw std::out_of_range("four") : x; };
  for (const int chunksize : {1, 2, 3, 100}) {
    const MapOptions options{.timeout = kPatience, .chunksize = chunksize};
    auto results = executor->map(four_throws, Ints{3, 4, 5, 6}, options);
    run.expect(collect_past<std::out_of_range>(results) == Ints{3, -1, 5, 6},
               "what a call in a chunk throws is an error of its item alone");
  }
}

// --- M7

// 0, 1, ..., then throws instead of giving item `at`.
auto throwing_at(int at) {
  return std::views::iota(0) |
         std::views::transform([at](int i) { return i == at ? throw std::domain_error("the input has failed") : i; });
}

void an_input_that_throws(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const GatedMap gated(5);
  gated.open_all();
  expect_throws<std::domain_error>(
      run, [&] { static_cast<void>(executor->map(gated.call(), throwing_at(3))); },
      "map rethrows what the input throws");
  expect_throws<std::domain_error>(
      run, [&] { static_cast<void>(executor->map_unordered(gated.call(), throwing_at(3))); }, "so does map_unordered");
  expect_throws<std::domain_error>(
      run, [&] { static_cast<void>(executor->map_settled(gated.call(), throwing_at(3))); }, "so does map_settled");
  run.expect(gated.callables() == 0, "what was submitted is cancelled");
  busy.release();
  expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
  run.expect(gated.runs() == 0, "what was cancelled never runs");
}

// A step of `results` takes the input that throws.
template <typename Results>
void expect_step_throws(const LawRun& run, Executor& executor, const GatedMap& gated, Results& results,
                        std::string_view what) {
  run.expect(gated.running(0), "the first call runs");
  if (!in_processes(run)) run.expect(gated.callables() >= 3, "the calls of the buffer are submitted");
  expect_throws<std::domain_error>(run, [&] { run.expect(results.begin() == results.end(), "no result"); }, what);
  run.expect(results.begin() == results.end(), "the error ends the range");
  run.expect(gated.callables() == gated.calls_kept(run, 1), "what was submitted and has not started is cancelled");
  gated.open_all();
  expect_result(run, executor.submit([] { return 1; }), 1, "the pool lives on");
  run.expect(gated.runs() == 1, "what was cancelled never runs");
}

void an_input_that_throws_in_a_step(LawRun& run) {
  const auto executor = open(run, 1);
  const MapOptions three{.timeout = kPatience, .buffersize = 3};
  {
    const GatedMap gated(3);
    auto results = executor->map(gated.call(), throwing_at(3), three);
    expect_step_throws(run, *executor, gated, results, "a step of map rethrows what the input throws");
  }
  {
    const GatedMap gated(3);
    auto results = executor->map_unordered(gated.call(), throwing_at(3), three);
    expect_step_throws(run, *executor, gated, results, "a step of map_unordered rethrows what the input throws");
  }
  const GatedMap gated(3);
  auto results = executor->map_settled(gated.call(), throwing_at(3), three);
  expect_step_throws(run, *executor, gated, results, "a step of map_settled rethrows what the input throws");
}

// --- M8

void after_shutdown(LawRun& run) {
  const auto executor = open(run, 1);
  shut_down(run, executor, {});
  const SharedCount taken;
  expect_throws<ShutdownError>(
      run, [&] { static_cast<void>(executor->map(doubled, endless(taken))); }, "map after shutdown throws");
  expect_throws<ShutdownError>(run, [&] { static_cast<void>(executor->map(doubled, Ints())); }, "also for empty input");
  expect_throws<ShutdownError>(
      run, [&] { static_cast<void>(executor->map(doubled, Ints(), {.buffersize = 1})); },
      "also for empty input with a buffer");
  expect_throws<ShutdownError>(
      run, [&] { static_cast<void>(executor->map_unordered(doubled, Ints())); }, "so does map_unordered");
  expect_throws<ShutdownError>(
      run, [&] { static_cast<void>(executor->map_settled(doubled, Ints())); }, "so does map_settled");
  run.expect(taken.value() == 0, "a map after shutdown takes no input");
}

void shutdown_between_two_steps(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount taken;
  auto results = executor->map(doubled, endless(taken), {.timeout = kPatience, .buffersize = 2});
  run.expect(*results.begin() == 0, "results come in order");
  shut_down(run, executor, {});
  expect_throws<ShutdownError>(run, [&] { collect(results); }, "a step that would submit after shutdown throws");
}

constexpr Law kLaws[] = {
    law<every_call_is_submitted_before_it_returns>("M1", "EveryCallIsSubmittedBeforeItReturns"),
    law<results_in_the_order_of_the_inputs>("M1", "ResultsInTheOrderOfTheInputs"),
    law<lazily>("M1", "Lazily"),
    law<up_to_the_end_of_the_shortest>("M1", "UpToTheEndOfTheShortest"),
    law<any_input_range>("M1", "AnyInputRange"),
    law<any_result>("M1", "AnyResult"),
    law<reference_results>("M1", "ReferenceResults", "does not apply: a reference does not travel"),
    law<usable_with_views>("M1", "UsableWithViews"),
    law<ready_results_come_out_after_the_deadline>("M2", "ReadyResultsComeOutAfterTheDeadline"),
    law<the_awaited_call_is_cancelled_when_time_is_up>("M2", "TheAwaitedCallIsCancelledWhenTimeIsUp"),
    law<one_deadline_for_all>("M2", "OneDeadlineForAll"),
    law<an_exception_surfaces_at_its_position>("M3", "AnExceptionSurfacesAtItsPosition"),
    law<leaving_behind_an_error_cancels>("M3", "LeavingBehindAnErrorCancels"),
    law<a_timeout_error_of_a_call_is_its_items>("M3", "ATimeoutErrorOfACallIsItsItems"),
    law<a_cancelled_call_is_an_error_of_its_item>("M3", "ACancelledCallIsAnErrorOfItsItem"),
    law<errors_through_views>("M3", "ErrorsThroughViews"),
    law<destroying_the_range_cancels>("M4", "DestroyingTheRangeCancels"),
    law<destroying_a_range_that_was_never_advanced_cancels>("M4", "DestroyingARangeThatWasNeverAdvancedCancels"),
    law<assigning_a_range_cancels_the_old_one>("M4", "AssigningARangeCancelsTheOldOne"),
    law<buffersize_bounds_what_is_taken_ahead>("M5", "BuffersizeBoundsWhatIsTakenAhead"),
    law<buffersize_of_the_other_forms>("M5", "BuffersizeOfTheOtherForms"),
    law<buffersize_beyond_the_end>("M5", "BuffersizeBeyondTheEnd"),
    law<buffersize_below_one_is_refused>("M5", "BuffersizeBelowOneIsRefused"),
    law<chunksize_changes_no_result>("M6", "ChunksizeChangesNoResult"),
    law<an_exception_in_a_chunk_costs_no_other_item>("M6", "AnExceptionInAChunkCostsNoOtherItem"),
    law<an_input_that_throws>("M7", "AnInputThatThrows"),
    law<an_input_that_throws_in_a_step>("M7", "AnInputThatThrowsInAStep"),
    law<after_shutdown>("M8", "AfterShutdown"),
    law<shutdown_between_two_steps>("M8", "ShutdownBetweenTwoSteps"),
};

}  // namespace

absl::Span<const Law> map_laws() { return kLaws; }

}  // namespace futures::spec_tests
