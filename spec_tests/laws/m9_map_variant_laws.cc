// M9: map_unordered and map_settled. M5: what they take when time is up.
#include <algorithm>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
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

// --- M9

void unordered_in_completion_order(LawRun& run) {
  const auto executor = open(run, 4);
  const GatedMap gated(4);
  auto results = executor->map_unordered(gated.call(), std::views::iota(0, 4), kPatient);
  for (int item = 0; item < 4; ++item) run.expect(gated.running(item), "each call has a worker of its own");
  gated.open(2);
  auto it = results.begin();
  for (const int item : {2, 0, 3, 1}) {
    gated.open(item);
    run.expect(it != results.end() && *it == item, "map_unordered yields results in completion order");
    ++it;
  }
  run.expect(it == results.end(), "each once");
}

void unordered_goes_on_behind_an_error(LawRun& run) {
  const auto executor = open(run, 2);
  const GatedMap gated(4);
  auto results = executor->map_unordered(gated.call({1}), std::views::iota(0, 4), kPatient);
  run.expect(gated.running(0) && gated.running(1), "two calls run");
  gated.open(1);
  auto it = results.begin();
  run.expect(it != results.end(), "an error is not the end");
  for (int read = 0; read < 2; ++read) {
    expect_throws<std::out_of_range>(
        run, [&] { static_cast<void>(*it); }, "what a call throws surfaces in completion order");
  }
  gated.open_all();
  ++it;
  Ints rest = collect(results);
  std::ranges::sort(rest);
  run.expect(rest == Ints{0, 2, 3}, "the range goes on behind an error");
  run.expect(gated.runs() == 4, "an error of a call cancels no other call");
}

void unordered_after_the_deadline(LawRun& run) {
  const auto executor = open(run, 1);
  const auto attempt = [&] {
    const GatedMap gated(4);
    gated.open(0);
    auto results = executor->map_unordered(gated.call(), std::views::iota(0, 4), {.timeout = 0s});
    run.expect(gated.running(1), "the calls run one after the other");
    Ints seen;
    expect_throws<TimeoutError>(
        run,
        [&] {
          for (const int result : results) seen.push_back(result);
        },
        "map_unordered throws when time is up");
    run.expect(gated.callables() <= 1, "the remaining calls are cancelled");
    gated.open_all();
    expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
    run.expect(gated.runs() == 2, "what was cancelled never runs");
    return seen == Ints{0};
  };
  run.expect(ready_at_some_attempt(run, attempt), "results that are ready come out after the deadline");
}

void unordered_destroyed_early(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(3);
  {
    const auto results = executor->map_unordered(gated.call(), std::views::iota(0, 3));
    run.expect(gated.running(0), "the first call runs");
  }
  run.expect(gated.callables() == gated.calls_kept(run, 1), "destroying the range cancels what has not started");
  gated.open_all();
  expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
  run.expect(gated.runs() == 1, "what was cancelled never runs");
}

template <typename E, typename R>
bool has_error(const Settled<R>& settled) {
  try {
    static_cast<void>(settled.value());
  } catch (const E&) {
    return !settled && settled.error() != nullptr;
  } catch (...) {
  }
  return false;
}

void settled_tells_value_or_error_of_each(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(5);
  auto results = executor->map_settled(gated.call({0, 2}), std::views::iota(0, 5), kPatient);
  for (const int item : {0, 1, 2}) gated.open(item);
  run.expect(gated.running(3), "the calls run one after the other");
  executor->shutdown({.wait = false, .cancel_futures = true});
  gated.open(3);
  int item = 0;
  for (const Settled<int>& settled : results) {
    const bool kept = item == 0 || item == 2 ? has_error<std::out_of_range>(settled)
                      : item == 4            ? has_error<CancelledError>(settled)
                                             : settled.has_value() && settled.value() == item;
    run.expect(kept, "map_settled tells the value or the error of each item");
    ++item;
  }
  run.expect(item == 5, "no error ends it early");
}

void settled_when_time_is_up(LawRun& run) {
  const auto executor = open(run, 2);
  const auto attempt = [&] {
    const GatedMap gated(6);
    for (const int item : {0, 2}) gated.open(item);
    const SharedCount taken;
    auto results =
        executor->map_settled(gated.call(), endless(taken) | std::views::take(6), {.timeout = 0s, .buffersize = 4});
    run.expect(gated.running(1) && gated.running(3), "the first and the third call end");
    std::string outcomes;
    for (const Settled<int>& settled : results) {
      outcomes += settled ? std::to_string(settled.value()) : has_error<TimeoutError>(settled) ? "t" : "?";
    }
    run.expect(taken.value() == 4, "when time is up map_settled takes no more input");
    run.expect(gated.callables() <= 2, "what has not started is cancelled when time is up");
    gated.open_all();
    for (int i = 0; i < 2; ++i) expect_result(run, executor->submit([] { return 1; }), 1, "the pool lives on");
    run.expect(gated.runs() == 4, "what was cancelled never runs");
    return outcomes == "0t2t";
  };
  run.expect(ready_at_some_attempt(run, attempt), "when time is up, what is not done settles as TimeoutError");
}

void settled_keeps_what_was_cancelled_before(LawRun& run) {
  const auto executor = open(run, 1);
  const GatedMap gated(2);
  auto results = executor->map_settled(gated.call(), std::views::iota(0, 2), {.timeout = 20ms});
  run.expect(gated.running(0), "the first call runs");
  executor->shutdown({.wait = false, .cancel_futures = true});
  auto it = results.begin();
  run.expect(has_error<TimeoutError>(*it), "what is not done when time is up settles as TimeoutError");
  ++it;
  run.expect(has_error<CancelledError>(*it), "a call that was cancelled before settles as CancelledError");
}

// Reads one result that is ready, with time up and two inputs taken. Returns how many are taken then; 0 if none was
// ready.
int taken_after_a_late_step(LawRun& run, Executor& executor, auto map) {
  const SharedCount taken;
  auto results = map(endless(taken), MapOptions{.timeout = 0s, .buffersize = 2});
  expect_result(run, executor.submit([] { return 1; }), 1, "the pool lives on");
  try {
    static_cast<void>(*results.begin());
  } catch (const TimeoutError&) {
    return 0;
  }
  return taken.value();
}

void a_step_takes_input_also_after_the_deadline(LawRun& run) {
  const auto executor = open(run, 1);
  const auto ordered = [&](auto inputs, auto options) { return executor->map(doubled, inputs, options); };
  const auto unordered = [&](auto inputs, auto options) { return executor->map_unordered(doubled, inputs, options); };
  const auto settled = [&](auto inputs, auto options) { return executor->map_settled(doubled, inputs, options); };
  const auto attempt = [&] {
    return taken_after_a_late_step(run, *executor, ordered) == 3 &&
           taken_after_a_late_step(run, *executor, unordered) == 3;
  };
  run.expect(ready_at_some_attempt(run, attempt), "a step to a ready result takes input after the deadline, too");
  run.expect(taken_after_a_late_step(run, *executor, settled) == 2, "a step of map_settled does not");
}

void settled_values_can_be_taken(LawRun& run) {
  const auto executor = open(run, 1);
  int seen = 0;
  for (auto& settled : executor->map_settled([](int x) { return MoveOnly(x); }, Ints{1, 2}, kPatient)) {
    seen = 10 * seen + settled.take().number();
  }
  run.expect(seen == 12, "a move-only value can be taken out of a settled item");
  for (const auto& settled : executor->map_settled([](int) {}, Ints{1}, kPatient)) {
    run.expect(settled.has_value(), "a call that returns void settles, too");
  }
}

constexpr Law kLaws[] = {
    law<unordered_in_completion_order>("M9", "UnorderedInCompletionOrder"),
    law<unordered_goes_on_behind_an_error>("M9", "UnorderedGoesOnBehindAnError"),
    law<unordered_after_the_deadline>("M9", "UnorderedAfterTheDeadline"),
    law<unordered_destroyed_early>("M9", "UnorderedDestroyedEarly"),
    law<settled_tells_value_or_error_of_each>("M9", "SettledTellsValueOrErrorOfEach"),
    law<settled_when_time_is_up>("M9", "SettledWhenTimeIsUp"),
    law<settled_keeps_what_was_cancelled_before>("M9", "SettledKeepsWhatWasCancelledBefore"),
    law<a_step_takes_input_also_after_the_deadline>("M5", "AStepTakesInputAlsoAfterTheDeadline"),
    law<settled_values_can_be_taken>("M9", "SettledValuesCanBeTaken"),
};

}  // namespace

absl::Span<const Law> map_variant_laws() { return kLaws; }

}  // namespace futures::spec_tests
