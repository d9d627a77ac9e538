// Laws F1 to F5, F12: what a future is to those who wait for it.
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/task.h"
#include "futures/timeout.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

using namespace std::chrono_literals;

std::vector<Timeout> timeouts_that_poll() {
  using Seconds = std::chrono::duration<double>;
  return {0s,
          -1s,
          std::chrono::nanoseconds::min(),
          std::chrono::hours::min(),
          Seconds(-1e300),
          Seconds(-std::numeric_limits<double>::infinity())};
}

std::vector<Timeout> timeouts_beyond_the_clock() {
  using Seconds = std::chrono::duration<double>;
  return {std::nullopt, std::chrono::nanoseconds::max(), std::chrono::hours::max(), Seconds(1e300),
          Seconds(std::numeric_limits<double>::infinity())};
}

// --- F1

void copies_share_one_state(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> pending = executor->submit([] { return 2; });
  const Future<int> copy = pending;  // NOLINT(performance-unnecessary-copy-initialization): that is the test.
  run.expect(!copy.done() && !copy.running() && !copy.cancelled(), "a call that has not started is pending");
  const Future<int> running = busy.futures()[0];
  run.expect(running.running() && !running.done() && !running.cancelled(), "a call that has started is running");
  run.expect(pending.cancel(), "a pending call is cancelled");
  run.expect(copy.cancelled() && copy.done() && !copy.running(), "a copy sees what was done through the other handle");
  busy.release();
  if (expect_done(run, running, "a call ends")) {
    run.expect(!running.running() && !running.cancelled(), "a finished call is done, neither running nor cancelled");
  }
}

void states_never_go_back(LawRun& run) {
  const auto executor = open(run, 1);
  for (int i = 0; i < 10; ++i) {
    const Future<int> future = executor->submit(unchanged, i);
    int furthest = 0;
    const bool ended = soon([&] {
      // Between the two looks at done, a look that sees neither running nor done is a look at a pending future.
      const bool was_done = future.done();
      const bool is_running = future.running();
      if (!was_done && !is_running && future.done()) return false;
      const int now = was_done ? 2 : is_running ? 1 : 0;
      run.expect(now >= furthest, "pending, then running, then finished, and never back");
      furthest = now;
      return now == 2;
    });
    if (!run.expect(ended, "the call ends")) return;
    run.expect(!future.cancel() && !future.running() && !future.cancelled(), "finished is for ever");
  }
}

void outlives_the_executor(LawRun& run) {
  auto executor = open(run, 1);
  const Future<std::string> finished = executor->submit([] { return std::string("still here"); });
  const BusyWorkers busy(run, *executor);
  const Future<int> cancelled = executor->submit([] { return 2; });
  cancelled.cancel();
  busy.release();
  executor.reset();
  expect_result(run, finished, "still here", "a future gives its value after the executor is gone");
  expect_error<CancelledError>(run, cancelled, "a future is cancelled after the executor is gone");
}

// --- F2

void cancel_by_state(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int>& running = busy.futures()[0];
  const SharedCount ran;
  const Future<int> pending = executor->submit([](const SharedCount& runs) { return runs.add(); }, ran);
  run.expect(pending.cancel() && pending.cancelled(), "cancel of a pending call succeeds");
  run.expect(pending.cancel() && pending.cancelled(), "cancel of a cancelled call succeeds, and has no effect");
  run.expect(!running.cancel() && running.running(), "cancel of a running call fails, and it still runs");
  busy.release();
  expect_result(run, running, 1, "a running call ends although somebody tried to cancel it");
  run.expect(!running.cancel() && !running.cancelled(), "cancel of a finished call fails");
  expect_result(run, running, 1, "a finished call keeps its value although somebody tried to cancel it");
  shut_down(run, executor, {});
  run.expect(pending.cancelled() && ran.value() == 0, "a cancelled call stays so and never runs");
}

void racing_cancels_agree(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> pending = executor->submit([] { return 2; });
  const SharedCount callbacks;
  const SharedCount successes;
  pending.add_done_callback([callbacks](const Future<int>&) { callbacks.add(); });
  {
    std::vector<std::unique_ptr<WatchedThread>> cancellers;
    for (int i = 0; i < 4; ++i) {
      cancellers.push_back(std::make_unique<WatchedThread>(run, "cancel returns", [pending, successes] {
        if (pending.cancel()) successes.add();
      }));
    }
  }
  run.expect(successes.value() == 4, "each of several cancels at once succeeds");
  run.expect(callbacks.value() == 1, "only one of them runs the callbacks");
}

// --- F3, F4

void result_by_state(LawRun& run) {
  const auto executor = open(run, 1);
  expect_result(run, executor->submit([] { return 1; }), 1, "result gives the value");
  const Future<int> error = executor->submit([]() -> int { throw std::out_of_range("far"); });
  expect_error<std::out_of_range>(run, error, "result throws what the call threw");
  expect_error<std::out_of_range>(run, error, "result throws it again");
  const BusyWorkers busy(run, *executor);
  const Future<int>& running = busy.futures()[0];
  const Future<int> pending = executor->submit([] { return 2; });
  expect_throws<TimeoutError>(run, [&] { pending.result(1ms); }, "result of a pending call throws TimeoutError");
  expect_throws<TimeoutError>(run, [&] { running.result(1ms); }, "result of a running call throws TimeoutError");
  pending.cancel();
  expect_throws<CancelledError>(run, [&] { pending.result(0s); }, "result of a cancelled call throws CancelledError");
}

void exception_by_state(LawRun& run) {
  const auto executor = open(run, 1);
  const Future<int> value = executor->submit([] { return 1; });
  run.expect(value.exception(kPatience) == nullptr, "exception gives null on success");
  const Future<int> error = executor->submit([]() -> int { throw std::out_of_range("far"); });
  const std::exception_ptr stored = error.exception(kPatience);
  if (run.expect(stored != nullptr, "exception gives what the call threw")) {
    expect_throws<std::out_of_range>(run, [&] { std::rethrow_exception(stored); }, "as the type that was thrown");
    run.expect(error.exception() == stored, "and gives the same again");
  }
  const BusyWorkers busy(run, *executor);
  const Future<int>& running = busy.futures()[0];
  const Future<int> pending = executor->submit([] { return 2; });
  expect_throws<TimeoutError>(run, [&] { pending.exception(1ms); }, "exception of a pending call throws TimeoutError");
  expect_throws<TimeoutError>(run, [&] { running.exception(1ms); }, "exception of a running call throws TimeoutError");
  pending.cancel();
  expect_throws<CancelledError>(
      run, [&] { pending.exception(0s); }, "exception of a cancelled call throws CancelledError");
}

void zero_and_less_polls(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int>& future = busy.futures()[0];
  const auto begin = sync::clock::now();
  for (const Timeout& timeout : timeouts_that_poll()) {
    expect_throws<TimeoutError>(run, [&] { future.result(timeout); }, "result with no time throws TimeoutError");
    expect_throws<TimeoutError>(run, [&] { future.exception(timeout); }, "exception with no time throws TimeoutError");
    run.expect(!future.wait(timeout), "wait with no time says that the call is not done");
  }
  run.expect(sync::clock::now() - begin < kPatience, "a timeout of zero or less does not wait");
  busy.release();
  expect_done(run, future, "the call ends");
  for (const Timeout& timeout : timeouts_that_poll()) {
    run.expect(future.result(timeout) == 1 && future.wait(timeout), "with no time, what is there is given");
  }
}

void time_is_up_not_before_its_time(LawRun& run) {
  const Promise<int> promise;
  const Future<int> future = promise.future();
  for (const auto& wait : {std::function<void()>([&] { future.result(3ms); }),
                           std::function<void()>([&] { future.exception(std::chrono::duration<double>(0.003)); })}) {
    const auto begin = sync::clock::now();
    expect_throws<TimeoutError>(run, wait, "when time is up, TimeoutError is thrown");
    const auto waited = sync::clock::now() - begin;
    run.expect(waited >= 3ms, "time is not up before the timeout");
    run.expect(waited < kPatience, "time is up soon after the timeout");
  }
}

void beyond_the_clock_is_for_ever(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount woken;
  std::vector<std::unique_ptr<WatchedThread>> waiters;
  {
    const BusyWorkers busy(run, *executor);
    for (const Timeout& timeout : timeouts_beyond_the_clock()) {
      waiters.push_back(std::make_unique<WatchedThread>(
          run, "a wait for ever ends with the call", [run, timeout, woken, future = busy.futures()[0]] {
            run.expect(future.result(timeout) == 1, "a wait for ever gives the value");
            run.expect(future.exception(timeout) == nullptr && future.wait(timeout), "so do exception and wait");
            woken.add();
          }));
    }
    for (const auto& waiter : waiters) run.expect(waiter->falls_asleep(), "a timeout beyond the clock's range waits");
    run.expect(woken.value() == 0, "nobody gets a result before there is one");
  }
  run.expect(woken.reaches(static_cast<int>(waiters.size())), "all get it");
}

void repeatable_from_many_threads(LawRun& run) {
  const auto executor = open(run, 1);
  Future<std::string> future;
  std::vector<std::unique_ptr<WatchedThread>> readers;
  {
    const BusyWorkers busy(run, *executor);
    future = executor->submit([] { return std::string("the same for all"); });
    for (int i = 0; i < 4; ++i) {
      readers.push_back(std::make_unique<WatchedThread>(run, "result returns", [run, future] {
        const std::string* const first = &future.result();
        run.expect(*first == "the same for all", "each thread gets the value");
        run.expect(&future.result() == first, "a result can be asked for again");
      }));
    }
  }
  for (const auto& reader : readers) reader->ends();
}

CountedObject make_counted(const CopyCounts& counts) { return CountedObject(counts, 3); }

void an_lvalue_gives_a_reference(LawRun& run) {
  auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  Future<CountedObject> future = executor->submit(make_counted, counts);
  static_assert(std::is_same_v<decltype(future.result()), const CountedObject&>);
  if (!expect_done(run, future, "the call ends")) return;
  const Future<CountedObject> copy = future;
  const CountedObject* const value = &future.result();
  run.expect(&copy.result() == value, "each handle gives a reference to the one value");
  run.expect(counts.copies() == 0, "the value is not copied");
  if (!in_processes(run)) run.expect(counts.moves() == 0, "the value is made in place");
  future = Future<CountedObject>();
  executor.reset();
  run.expect(counts.alive() == 1 && value->number() == 3, "the value lives as long as any handle does");
}

void an_rvalue_gives_the_value(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  static_assert(std::is_same_v<decltype(executor->submit(make_counted, counts).result()), CountedObject>);
  Future<CountedObject> alone = executor->submit(make_counted, counts);
  if (!expect_done(run, alone, "the call ends")) return;
  run.expect(std::move(alone).result().number() == 3, "an rvalue gives the value");
  run.expect(counts.copies() == 0, "the value is moved out when no other handle is left");

  Future<CountedObject> shared = executor->submit(make_counted, counts);
  const Future<CountedObject> other = shared;
  if (!expect_done(run, shared, "the call ends")) return;
  run.expect(std::move(shared).result().number() == 3, "an rvalue gives the value");
  run.expect(counts.copies() == 1, "the value is copied when another handle is left");
  run.expect(other.result().number() == 3, "the other handle keeps the value");
}

void a_value_is_taken_once(LawRun& run) {
  const auto executor = open(run, 1);
  const auto make = [] { return MoveOnly(5); };
  const Future<MoveOnly> future = executor->submit(make);
  if (!expect_done(run, future, "the call ends")) return;
  const MoveOnly value = future.take();
  run.expect(value.number() == 5, "take gives the value");
  expect_throws<InvalidStateError>(run, [&] { future.take(); }, "a second take throws InvalidStateError");
  expect_throws<InvalidStateError>(run, [&] { future.result(); }, "result after take throws InvalidStateError");
  Future<MoveOnly> rvalue = executor->submit(make);
  const Future<MoveOnly> other = rvalue;
  if (!expect_done(run, rvalue, "the call ends")) return;
  run.expect(std::move(rvalue).result().number() == 5, "an rvalue of a move-only type is taken");
  expect_throws<InvalidStateError>(run, [&] { other.take(); }, "and then it cannot be taken again");
}

void one_of_many_takes_wins(LawRun& run) {
  Promise<std::unique_ptr<int>> promise;
  const SharedCount taken;
  {
    std::vector<std::unique_ptr<WatchedThread>> takers;
    for (int i = 0; i < 4; ++i) {
      takers.push_back(std::make_unique<WatchedThread>(run, "take returns", [taken, future = promise.future()] {
        try {
          if (future.take() != nullptr) taken.add();
        } catch (const InvalidStateError&) {
        }
      }));
    }
    promise.set_result(std::make_unique<int>(5));
  }
  run.expect(taken.value() == 1, "one of several takes at once gets the value");
}

// --- F5, F12

// Threads blocked in each kind of wait for one future.
class Waiters {
 public:
  Waiters(const LawRun& run, const Future<int>& future) : run_(run) {
    const std::function<void(const Future<int>&)> waits[] = {
        [](const Future<int>& f) { f.result(); }, [](const Future<int>& f) { f.exception(); },
        [](const Future<int>& f) { f.wait(); }, [](const Future<int>& f) { f.result(1h); }};
    for (const auto& wait : waits) {
      threads_.push_back(std::make_unique<WatchedThread>(run, "a waiter is woken", [wait, future] {
        try {
          wait(future);
        } catch (const std::exception&) {  // What it is told is the matter of other laws.
        }
      }));
    }
    for (const auto& thread : threads_) run.expect(thread->falls_asleep(), "a waiter sleeps until the future is done");
  }

  void expect_woken() const {
    for (const auto& thread : threads_) run_.expect(thread->ends(), "every waiter is woken at once");
  }

 private:
  const LawRun run_;
  std::vector<std::unique_ptr<WatchedThread>> threads_;
};

void cancel_wakes_every_waiter(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> future = executor->submit([] { return 2; });
  const Waiters waiters(run, future);
  future.cancel();
  waiters.expect_woken();
}

void completion_wakes_every_waiter(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Waiters waiters(run, busy.futures()[0]);
  busy.release();
  waiters.expect_woken();
}

void shutdown_wakes_waiters_while_a_callback_blocks(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  const Future<int> first = executor->submit([] { return 2; });
  const Future<int> second = executor->submit([] { return 3; });
  const Waiters waiters(run, second);
  const Gate gate;
  first.add_done_callback([at = gate.entrance()](const Future<int>&) { at.pass(); });
  const WatchedThread canceller(run, "shutdown without wait returns",
                                [executor] { executor->shutdown({.wait = false, .cancel_futures = true}); });
  if (run.expect(gate.await_arrivals(1), "the callback runs")) waiters.expect_woken();
  gate.open();
}

void dropping_the_promise_wakes_every_waiter(LawRun& run) {
  std::optional<Promise<int>> promise(std::in_place);
  const Future<int> future = promise->future();
  const Waiters waiters(run, future);
  promise.reset();
  waiters.expect_woken();
  expect_error<BrokenExecutor>(run, future, "a promise that dies without an outcome gives BrokenExecutor");
}

void a_producer_that_dies(LawRun& run) {
  std::optional<Promise<int>> promise(std::in_place);
  const Future<int> future = promise->future();
  const SharedCount callbacks;
  future.add_done_callback([callbacks](const Future<int>&) { callbacks.add(); });
  promise->set_running_or_notify_cancel();
  Promise<int> moved = std::move(*promise);
  promise.reset();
  run.expect(!future.done(), "a promise that was moved from takes nothing with it");
  promise.emplace(std::move(moved));
  promise.reset();
  expect_throws<BrokenExecutor>(run, [&] { future.result(0s); }, "a running future gets BrokenExecutor");
  run.expect(callbacks.value() == 1, "its callbacks run");

  promise.emplace();
  const Future<int> finished = promise->future();
  promise->set_result(1);
  promise.reset();
  expect_result(run, finished, 1, "a promise that has delivered may go");
}

// Takes every call and drops it.
class DroppingExecutor final : public Executor {
 private:
  void schedule(Task task) override { const Task dropped = std::move(task); }
  void check_intake() override {}
  ShutdownResult do_shutdown(const ShutdownOptions&) override { return {}; }
};

void an_executor_that_drops_a_call(LawRun& run) {
  DroppingExecutor executor;
  const CopyCounts counts = CopyCounts::begin();
  const Future<int> future = executor.submit([captured = CountedObject(counts)] { return 1; });
  expect_throws<BrokenExecutor>(run, [&] { future.result(0s); }, "a call that is dropped gets BrokenExecutor");
  run.expect(counts.alive() == 0, "its callable is destroyed");
}

constexpr Law kLaws[] = {
    law<copies_share_one_state>("F1", "CopiesShareOneState"),
    law<states_never_go_back>("F1", "StatesNeverGoBack"),
    law<outlives_the_executor>("F1", "OutlivesTheExecutor"),
    law<cancel_by_state>("F2", "CancelByState"),
    racing_law<racing_cancels_agree>("F2", "RacingCancelsAgree"),
    law<result_by_state>("F3", "ResultByState"),
    law<zero_and_less_polls>("F3", "ZeroAndLessPolls"),
    law<time_is_up_not_before_its_time>("F3", "TimeIsUpNotBeforeItsTime"),
    law<beyond_the_clock_is_for_ever>("F3", "BeyondTheClockIsForEver"),
    law<repeatable_from_many_threads>("F3", "RepeatableFromManyThreads"),
    law<an_lvalue_gives_a_reference>("F3", "AnLvalueGivesAReference"),
    law<an_rvalue_gives_the_value>("F3", "AnRvalueGivesTheValue"),
    law<a_value_is_taken_once>("F3", "AValueIsTakenOnce"),
    racing_law<one_of_many_takes_wins>("F3", "OneOfManyTakesWins"),
    law<exception_by_state>("F4", "ExceptionByState"),
    law<cancel_wakes_every_waiter>("F5", "CancelWakesEveryWaiter"),
    law<completion_wakes_every_waiter>("F5", "CompletionWakesEveryWaiter"),
    law<shutdown_wakes_waiters_while_a_callback_blocks>("F5", "ShutdownWakesWaitersWhileACallbackBlocks"),
    law<dropping_the_promise_wakes_every_waiter>("F12", "DroppingThePromiseWakesEveryWaiter"),
    law<a_producer_that_dies>("F12", "AProducerThatDies"),
    law<an_executor_that_drops_a_call>("F12", "AnExecutorThatDropsACall"),
};

}  // namespace

absl::Span<const Law> future_laws() { return kLaws; }

}  // namespace futures::spec_tests
