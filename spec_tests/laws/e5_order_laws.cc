// Laws E5 to E7: the order in which calls start, how many run at once, and that each call is done in the end.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "reference/model.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

// --- E5

bool promises_order(const LawRun& run) { return run.candidate().policy.start_order == model::StartOrder::kFifo; }

// A call that begins by drawing a number, and returns it: so it is known which calls began before it.
int draw(const SharedCount& begun) { return begun.add(); }

// The numbers of the calls that ran `draw`, in the order in which they began. Those that were cancelled are left out.
std::vector<int> in_order_of_begin(const LawRun& run, const std::vector<Future<int>>& calls) {
  std::vector<std::pair<int, int>> drawn;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].cancelled() || !expect_done(run, calls[i], "the call ends")) continue;
    drawn.emplace_back(calls[i].result(), static_cast<int>(i));
  }
  std::sort(drawn.begin(), drawn.end());
  std::vector<int> numbers;
  for (const auto& [number, call] : drawn) numbers.push_back(call);
  return numbers;
}

void one_worker_runs_in_order_of_submit(LawRun& run) {
  if (!promises_order(run)) return;
  const auto executor = open(run, 1);
  const SharedCount begun;
  const BusyWorkers busy(run, *executor);
  std::vector<Future<int>> calls;
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) {
    calls.push_back(executor->submit(draw, begun));
    if (i % 3 == 2) {
      run.expect(calls.back().cancel(), "a pending call can be cancelled");
    } else {
      expected.push_back(i);
    }
  }
  busy.release();
  shut_down(run, executor, {});
  run.expect(in_order_of_begin(run, calls) == expected,
             "calls start in the order of their submits, leaving out the cancelled");
  run.expect(begun.value() == static_cast<int>(expected.size()), "and no other call starts");
}

void racing_submits_keep_their_order(LawRun& run) {
  if (!promises_order(run)) return;
  constexpr int kClients = 3;
  constexpr int kCallsPerClient = 25;
  struct Ticket {
    int before = 0;  // Drawn before submit was called.
    int after = 0;   // Drawn after it had returned.
  };
  const auto executor = open(run, 1);
  const SharedCount begun;
  const auto calls = std::make_shared<std::vector<Future<int>>>(kClients * kCallsPerClient);
  const auto tickets = std::make_shared<std::vector<Ticket>>(kClients * kCallsPerClient);
  const auto next_ticket = std::make_shared<sync::atomic<int>>(0);
  {
    std::vector<std::unique_ptr<WatchedThread>> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.push_back(std::make_unique<WatchedThread>(run, "submit returns", [=] {
        for (int call = client * kCallsPerClient; call < (client + 1) * kCallsPerClient; ++call) {
          (*tickets)[call].before = next_ticket->fetch_add(1);
          (*calls)[call] = executor->submit(draw, begun);
          (*tickets)[call].after = next_ticket->fetch_add(1);
        }
      }));
    }
  }
  shut_down(run, executor, {});
  const std::vector<int> started = in_order_of_begin(run, *calls);
  run.expect(started.size() == tickets->size(), "every call runs");
  int latest_before = -1;  // Of the calls that have started: none may have been submitted after this one had returned.
  for (const int call : started) {
    run.expect((*tickets)[call].after > latest_before,
               "a call whose submit returned before another's began starts first");
    latest_before = std::max(latest_before, (*tickets)[call].before);
  }
}

void no_call_overtakes_more_than_the_other_workers_hold(LawRun& run) {
  if (!promises_order(run)) return;
  constexpr int kWorkers = 3;
  constexpr int kCalls = 60;
  const auto executor = open(run, kWorkers);
  const SharedCount begun;
  std::vector<Future<int>> calls;
  {
    const BusyWorkers busy(run, *executor, kWorkers);
    for (int i = 0; i < kCalls; ++i) calls.push_back(executor->submit(draw, begun));
  }
  const std::vector<int> started = in_order_of_begin(run, calls);
  run.expect(started.size() == kCalls, "every call runs");
  for (auto call = started.begin(); call != started.end(); ++call) {
    const auto overtaken = std::count_if(call, started.end(), [call](int other) { return other < *call; });
    run.expect(overtaken < kWorkers, "the calls submitted before it are started, but for one per other worker");
  }
}

// --- E6

void never_more_than_max_workers_at_once(LawRun& run) {
  for (int workers = 1; workers <= 4; ++workers) {
    const auto executor = open(run, workers);
    std::vector<Future<void>> futures;
    const Gate gate;
    for (int i = 0; i < workers + 3; ++i) futures.push_back(executor->submit(pass, gate.entrance()));
    run.expect(gate.await_arrivals(workers), "once quiet, every worker has a call");
    run.expect(!gate.await_arrivals(workers + 1, std::chrono::milliseconds(2)),
               "no more than max_workers calls have started");
    const auto running = std::count_if(futures.begin(), futures.end(), [](const auto& f) { return f.running(); });
    run.expect(running == workers, "exactly max_workers futures are running");
  }
}

void the_high_water_mark_stays_below(LawRun& run) {
  constexpr int kWorkers = 2;
  const auto executor = open(run, kWorkers);
  const SharedCount inside;
  const SharedCount over;
  const auto body = [](const SharedCount& inside_now, const SharedCount& too_many) {
    if (inside_now.add() > kWorkers) too_many.add();
    yield();
    inside_now.add(-1);
  };
  const auto client = [=] {
    for (int i = 0; i < 40; ++i) executor->submit(body, inside, over);
  };
  {
    const WatchedThread first(run, "submit returns", client);
    const WatchedThread second(run, "submit returns", client);
  }
  shut_down(run, executor, {});
  run.expect(over.value() == 0, "at no moment are more than max_workers calls inside their bodies");
}

void a_free_worker_takes_the_pending_call(LawRun& run) {
  constexpr int kWorkers = 3;
  const auto executor = open(run, kWorkers);
  for (int round = 0; round < 5; ++round) {
    const BusyWorkers busy(run, *executor, kWorkers - 1);
    Future<int> pending;
    {
      const BusyWorkers last(run, *executor);
      pending = executor->submit([] { return 5; });
      run.expect(!pending.running() && !pending.done(), "a call beyond max_workers is pending");
    }
    // The others are still busy: only the one that has become free can run it.
    expect_result(run, pending, 5, "a worker that becomes free takes the pending call");
  }
}

// --- E7

void nothing_is_lost_when_submits_race_with_shutdown(LawRun& run) {
  struct Accepted {
    sync::mutex mutex;
    std::vector<std::pair<int, Future<int>>> calls ABSL_GUARDED_BY(mutex);
  };
  const auto executor = open(run, 2);
  const auto accepted = std::make_shared<Accepted>();
  const SharedCount submitted;
  const auto client = [executor, accepted, submitted] {
    try {
      for (int i = 0; i < 2'000; ++i) {
        Future<int> future = executor->submit([](int n) { return n; }, i);
        const sync::mutex_lock lock(accepted->mutex);
        accepted->calls.emplace_back(i, std::move(future));
        submitted.add();
      }
    } catch (const ShutdownError&) {
    }
  };
  {
    const WatchedThread first(run, "submit returns", client);
    const WatchedThread second(run, "submit returns", client);
    submitted.reaches(50);
    shut_down(run, executor, {});
  }
  const sync::mutex_lock lock(accepted->mutex);
  for (const auto& [number, future] : accepted->calls) {
    if (!run.expect(future.done(), "every accepted call is done when shutdown has returned")) return;
    if (!expect_result(run, future, number, "every accepted call has run")) return;
  }
}

void no_wake_up_is_lost(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 60; ++i) {
    // The workers are on their way to sleep, or asleep, or about to be woken for the call before.
    const Future<int> first = executor->submit(unchanged, i);
    const Future<int> second = executor->submit(unchanged, -i);
    if (!expect_result(run, first, i, "a call ends, whatever its worker was doing")) return;
    if (!expect_result(run, second, -i, "a call ends, whatever its worker was doing")) return;
  }
}

void calls_after_cancelled_ones_end(LawRun& run) {
  const auto executor = open(run, 1);
  std::vector<Future<int>> kept;
  {
    const BusyWorkers busy(run, *executor);
    for (int i = 0; i < 20; ++i) {
      executor->submit([] {}).cancel();
      kept.push_back(executor->submit(unchanged, i));
      executor->submit([] {}).cancel();
    }
  }
  for (int i = 0; i < 20; ++i) expect_result(run, kept[i], i, "a call between cancelled ones ends");
}

constexpr Law kLaws[] = {
    law<one_worker_runs_in_order_of_submit>("E5", "OneWorkerRunsInOrderOfSubmit"),
    racing_law<racing_submits_keep_their_order>("E5", "RacingSubmitsKeepTheirOrder"),
    law<no_call_overtakes_more_than_the_other_workers_hold>("E5", "NoCallOvertakesMoreThanTheOtherWorkersHold"),
    law<never_more_than_max_workers_at_once>("E6", "NeverMoreThanMaxWorkersAtOnce"),
    racing_law<the_high_water_mark_stays_below>("E6", "TheHighWaterMarkStaysBelow"),
    law<a_free_worker_takes_the_pending_call>("E6", "AFreeWorkerTakesThePendingCall"),
    racing_law<nothing_is_lost_when_submits_race_with_shutdown>("E7", "NothingIsLostWhenSubmitsRaceWithShutdown"),
    racing_law<no_wake_up_is_lost>("E7", "NoWakeUpIsLost"),
    law<calls_after_cancelled_ones_end>("E7", "CallsAfterCancelledOnesEnd"),
};

}  // namespace

absl::Span<const Law> order_laws() { return kLaws; }

}  // namespace futures::spec_tests
