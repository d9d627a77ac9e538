// Laws E1, E2, E4: a call is submitted with its callable and arguments, runs once, and is refused after a shutdown.
#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// --- E1

void move_only_callable_arguments_and_results(LawRun& run) {
  const auto executor = open(run, 1);
  auto add = bind_travelling(
      [](const MoveOnly& left, MoveOnly right) { return MoveOnly(left.number() + right.number()); }, MoveOnly(40));
  static_assert(!std::is_copy_constructible_v<decltype(add)>);
  const Future<MoveOnly> sum = executor->submit(std::move(add), MoveOnly(2));
  if (expect_done(run, sum, "a move-only call ends"))
    run.expect(sum.result().number() == 42, "move-only values arrive");
}

void arguments_are_decay_copied(LawRun& run) {
  const auto executor = open(run, 1);
  std::string text = "before";
  const BusyWorkers busy(run, *executor);
  const Future<std::string> seen = executor->submit([](std::string argument) { return argument; }, text);
  text = "after";
  busy.release();
  expect_result(run, seen, "before", "the call has its own copy of an argument");
  expect_result(run, executor->submit(unchanged, 5), 5, "functions decay");
}

int length(const char* text) { return static_cast<int>(std::string_view(text).size()); }

void arrays_decay(LawRun& run) {
  const auto executor = open(run, 1);
  expect_result(run, executor->submit(length, "array"), 5, "arrays decay");
}

void one_copy_of_an_lvalue_none_of_an_rvalue(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  const CountedObject counted(counts, 7);
  const auto number_of = [](const CountedObject& argument) { return argument.number(); };
  expect_result(run, executor->submit(number_of, counted), 7, "an lvalue argument arrives");
  run.expect(counts.copies() == 1, "an lvalue argument is copied once");
  expect_result(run, executor->submit(number_of, CountedObject(counts, 8)), 8, "an rvalue argument arrives");
  run.expect(counts.copies() == 1, "an rvalue argument is not copied");
  auto captures =
      bind_travelling([](const CountedObject& captured) { return captured.number(); }, CountedObject(counts, 9));
  expect_result(run, executor->submit(std::move(captures)), 9, "a callable arrives");
  run.expect(counts.copies() == 1, "an rvalue callable is not copied");
}

struct Account {
  int balance = 0;
  int deposit(int amount) { return balance += amount; }
};

void anything_that_std_invoke_takes(LawRun& run) {
  const auto executor = open(run, 1);
  const auto account = std::make_shared<Account>();
  expect_result(run, executor->submit(&Account::deposit, account, 5), 5, "a member function is called");
  const Future<int> changed = executor->submit([](Account& shared) { return shared.deposit(5); }, std::ref(*account));
  if (expect_result(run, changed, 10, "std::ref passes a reference")) {
    run.expect(account->balance == 10, "the call changed the original");
  }
  const auto negate = std::make_shared<std::function<int(int)>>(std::negate<int>());
  expect_result(run, executor->submit(*negate, 3), -3, "a std::function is called");
}

void reference_results(LawRun& run) {
  const auto executor = open(run, 1);
  const auto variable = std::make_shared<int>(1);
  const Future<int&> reference = executor->submit([variable]() -> int& { return *variable; });
  if (expect_done(run, reference, "a call with a reference result ends")) {
    run.expect(&reference.result() == variable.get(), "a reference result is the object itself");
  }
  const Future<const int&> constant = executor->submit([variable]() -> const int& { return *variable; });
  if (expect_done(run, constant, "a call with a const reference result ends")) {
    run.expect(&constant.result() == variable.get(), "a const reference result is the object itself");
  }
}

void count_run(const SharedCount& runs) { runs.add(); }

void void_and_const_results(LawRun& run) {
  const auto executor = open(run, 1);
  const auto const_value = executor->submit([]() -> const std::string { return "const"; });
  expect_result(run, const_value, "const", "a const result arrives");
  const SharedCount ran;
  const Future<void> nothing = executor->submit(count_run, ran);
  if (expect_done(run, nothing, "a call without result ends")) {
    nothing.result();
    run.expect(ran.value() == 1, "a call without result runs");
  }
}

// --- E2

void each_call_runs_exactly_once(LawRun& run) {
  constexpr int kClients = 4;
  constexpr int kCallsPerClient = 50;
  const auto executor = open(run, 3);
  const std::vector<SharedCount> runs(kClients * kCallsPerClient);
  {
    std::vector<std::unique_ptr<WatchedThread>> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.push_back(std::make_unique<WatchedThread>(run, "submit returns", [executor, runs, client] {
        for (int i = 0; i < kCallsPerClient; ++i) {
          executor->submit(count_run, runs[client * kCallsPerClient + i]);
        }
      }));
    }
  }
  shut_down(run, executor, {});
  run.expect(std::all_of(runs.begin(), runs.end(), [](const SharedCount& n) { return n.value() == 1; }),
             "each call ran once");
}

void a_cancelled_call_never_runs(LawRun& run) {
  constexpr int kCalls = 60;
  constexpr int kCancellers = 3;
  struct Call {
    SharedCount runs;
    sync::atomic<int> cancels{0};
  };
  const auto executor = open(run, 2);
  const auto calls = std::make_shared<std::vector<Call>>(kCalls);
  const auto futures = std::make_shared<std::vector<Future<void>>>();
  {
    const BusyWorkers busy(run, *executor, 2);
    for (int i = 0; i < kCalls; ++i) {
      futures->push_back(executor->submit(count_run, (*calls)[i].runs));
    }
    std::vector<std::unique_ptr<WatchedThread>> cancellers;
    for (int canceller = 0; canceller < kCancellers; ++canceller) {
      cancellers.push_back(std::make_unique<WatchedThread>(run, "cancel returns", [calls, futures, canceller] {
        // From both ends, so that cancels meet each other and the workers.
        for (int i = 0; i < kCalls; ++i) {
          const int call = canceller % 2 == 0 ? i : kCalls - 1 - i;
          if ((*futures)[call].cancel()) (*calls)[call].cancels.fetch_add(1);
        }
      }));
      if (canceller == 0) busy.release();
    }
  }
  shut_down(run, executor, {});
  for (int i = 0; i < kCalls; ++i) {
    const Call& call = (*calls)[i];
    const bool cancelled = (*futures)[i].cancelled();
    run.expect(call.runs.value() == (cancelled ? 0 : 1), "a call runs once, or not at all if it was cancelled");
    run.expect(call.cancels.load() == (cancelled ? kCancellers : 0), "all cancels of one call agree");
  }
}

void a_call_cancelled_by_shutdown_never_runs(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount ran;
  {
    const BusyWorkers busy(run, *executor);
    for (int i = 0; i < 5; ++i) executor->submit(count_run, ran);
    executor->shutdown({.wait = false, .cancel_futures = true});
  }
  shut_down(run, executor, {});
  run.expect(ran.value() == 0, "a call that shutdown cancelled does not run");
}

// --- E4

void submit_after_shutdown_throws(LawRun& run) {
  for (const ShutdownOptions& options : {ShutdownOptions{.wait = true}, ShutdownOptions{.wait = false},
                                         ShutdownOptions{.wait = false, .cancel_futures = true}}) {
    const auto executor = open(run, 1);
    expect_result(run, executor->submit([] { return 1; }), 1, "before shutdown, calls are accepted");
    shut_down(run, executor, options);
    const CopyCounts counts = CopyCounts::begin();
    const SharedCount ran;
    expect_throws<ShutdownError>(
        run,
        [&] {
          executor->submit(
              bind_travelling([](const CountedObject&, const SharedCount& runs) { runs.add(); }, CountedObject(counts)),
              ran);
        },
        "submit after shutdown throws ShutdownError");
    run.expect(counts.alive() == 0, "a callable that was refused is destroyed");
    shut_down(run, executor, {});
    run.expect(ran.value() == 0, "a callable that was refused never runs");
  }
}

void the_error_is_pythons(LawRun& run) {
  static_assert(std::is_base_of_v<std::runtime_error, ShutdownError>);
  const auto executor = open(run, 1);
  executor->shutdown({.wait = false});
  try {
    executor->submit([] {});
    run.expect(false, "submit after shutdown throws");
  } catch (const std::runtime_error& e) {
    run.expect(std::string_view(e.what()) == "cannot schedule new futures after shutdown", "the text is Python's");
  }
}

void submit_by_a_call_while_draining_throws(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount ran;
  const Gate gate;
  const Future<bool> refused = executor->submit([executor = executor.get(), ran, at = gate.entrance()] {
    at.pass();
    try {
      executor->submit([ran] { ran.add(); });
    } catch (const ShutdownError&) {
      return true;
    }
    return false;
  });
  run.expect(gate.await_arrivals(1), "the call starts");
  executor->shutdown({.wait = false});
  gate.open();
  expect_result(run, refused, true, "submit by a call after the intake closed throws ShutdownError");
  shut_down(run, executor, {});
  run.expect(ran.value() == 0, "a callable that was refused never runs");
}

constexpr std::string_view kCannotTravel = "does not apply: pointers and references do not travel";

constexpr Law kLaws[] = {
    law<move_only_callable_arguments_and_results>("E1", "MoveOnlyCallableArgumentsAndResults"),
    law<arguments_are_decay_copied>("E1", "ArgumentsAreDecayCopied"),
    law<arrays_decay>("E1", "ArraysDecay", kCannotTravel),
    law<one_copy_of_an_lvalue_none_of_an_rvalue>("E1", "OneCopyOfAnLvalueNoneOfAnRvalue"),
    law<anything_that_std_invoke_takes>("E1", "AnythingThatStdInvokeTakes", kCannotTravel),
    law<void_and_const_results>("E1", "VoidAndConstResults"),
    law<reference_results>("E1", "ReferenceResults", kCannotTravel),
    racing_law<each_call_runs_exactly_once>("E2", "EachCallRunsExactlyOnce"),
    racing_law<a_cancelled_call_never_runs>("E2", "ACancelledCallNeverRuns"),
    law<a_call_cancelled_by_shutdown_never_runs>("E2", "ACallCancelledByShutdownNeverRuns"),
    law<submit_after_shutdown_throws>("E4", "SubmitAfterShutdownThrows"),
    law<the_error_is_pythons>("E4", "TheErrorIsPythons"),
    law<submit_by_a_call_while_draining_throws>("E4", "SubmitByACallWhileDrainingThrows", kNoExecutor),
};

}  // namespace

absl::Span<const Law> submit_laws() { return kLaws; }

}  // namespace futures::spec_tests
