// Group E, second half: how long what is submitted lives, what it sees, what it may do.
#include <pthread.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// --- E8

// The destructions of something that is captured or passed: here, and in the process where the call runs, if that is
// another one.
struct Destructions {
  // What goes to another process is let go of here once it is encoded, in submit, which is not to be held up.
  explicit Destructions(const LawRun& run) {
    if (in_processes(run)) here.open();
  }
  Gate here;
  Gate in_workers;
};

// Something to capture or to pass. Its last owner in a process destroys it, and is held up there at a gate.
class Lingering {
 public:
  Lingering() = default;
  explicit Lingering(const Destructions& gates)
      : here_(gates.here.entrance()), in_workers_(gates.in_workers.entrance()) {
    linger_at(here_);
  }

  template <typename Archive>
  void save(Archive& archive) const {
    archive(here_, in_workers_);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(here_, in_workers_);
    linger_at(in_workers_);
  }

 private:
  void linger_at(const Gate::Entrance& gate) {
    last_owner_ = std::shared_ptr<void>(nullptr, [gate](std::nullptr_t) { gate.pass(); });
  }

  Gate::Entrance here_;
  Gate::Entrance in_workers_;
  std::shared_ptr<void> last_owner_;
};

// The promise is that the future of the call is not done before what lingers is gone, wherever it is.
template <typename R>
void expect_not_done_before(const LawRun& run, const Destructions& gates, const Future<R>& call) {
  if (in_processes(run)) run.expect(gates.here.arrived() == 1, "what has been encoded is destroyed");
  const Gate& where_it_runs = in_processes(run) ? gates.in_workers : gates.here;
  run.expect(where_it_runs.await_arrivals(1), "callable and arguments are destroyed once the call has run");
  run.expect(!call.done(), "a future is not done while they are being destroyed");
  where_it_runs.open();
}

void not_done_before_the_callable_is_destroyed(LawRun& run) {
  const auto executor = open(run, 1);
  const Destructions gates(run);
  const Future<int> value = executor->submit(bind_travelling([](const Lingering&) { return 1; }, Lingering(gates)));
  expect_not_done_before(run, gates, value);
  expect_result(run, value, 1, "the call ends");
}

void not_done_before_the_arguments_are_destroyed(LawRun& run) {
  const auto executor = open(run, 1);
  const Destructions gates(run);
  const Future<void> error =
      executor->submit([](const Lingering&) { throw std::runtime_error("no"); }, Lingering(gates));
  expect_not_done_before(run, gates, error);
  expect_error<std::runtime_error>(run, error, "the call ends");
}

bool none_alive(const CopyCounts& counts) { return counts.alive() == 0 && counts.in_workers() == 0; }

void destroyed_whatever_the_outcome(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  for (int i = 0; i < 10; ++i) {
    const Future<int> value =
        executor->submit(bind_travelling([](const CountedObject&) { return 1; }, CountedObject(counts)));
    if (expect_done(run, value, "a call ends")) run.expect(none_alive(counts), "destroyed when a value is seen");
    const Future<void> error = executor->submit([](const CountedObject&) { throw 1; }, CountedObject(counts));
    if (expect_done(run, error, "a call ends")) run.expect(none_alive(counts), "destroyed when an error is seen");
  }
}

void destroyed_when_the_call_ends_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  const Future<void> broken =
      executor->submit(bind_travelling([](const CountedObject&) { pthread_exit(nullptr); }, CountedObject(counts)));
  if (expect_done(run, broken, "a call ends")) run.expect(none_alive(counts), "destroyed when the breakage is seen");
}

// A call with a counted in its callable and one as its argument.
Future<void> submit_counted(Executor& executor, const CopyCounts& counts) {
  return executor.submit(bind_travelling([](const CountedObject&, const CountedObject&) {}, CountedObject(counts)),
                         CountedObject(counts));
}

void destroyed_before_callbacks(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  const SharedCount callbacks;
  const BusyWorkers busy(run, *executor);
  const auto look = [run, counts, callbacks](const Future<void>&) {
    run.expect(none_alive(counts), "callable and arguments are destroyed before the callbacks run");
    callbacks.add();
  };
  const Future<void> cancelled = submit_counted(*executor, counts);
  cancelled.add_done_callback(look);
  cancelled.cancel();
  run.expect(counts.alive() == 0, "callable and arguments are destroyed before cancel returns");
  const Future<void> finished = submit_counted(*executor, counts);
  finished.add_done_callback(look);
  busy.release();
  run.expect(callbacks.reaches(2), "the callbacks run");
}

void destroyed_before_shutdown_returns(LawRun& run) {
  const auto executor = open(run, 1);
  const CopyCounts counts = CopyCounts::begin();
  const BusyWorkers busy(run, *executor);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 5; ++i) {
    futures.push_back(submit_counted(*executor, counts));
  }
  // What goes to another process is encoded in submit, and let go of.
  run.expect(counts.alive() == (in_processes(run) ? 0 : 10), "a pending call keeps its callable and arguments");
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(none_alive(counts), "the shutdown that cancels destroys callables and arguments before it returns");
}

// --- E9. No gates here: they would order what the future alone has to order. ThreadSanitizer sees what is not ordered.

struct Plain {
  int before = 0;
  int inside = 0;
};

Future<void> write_and_submit(const LawRun& run, Executor& executor, const std::shared_ptr<Plain>& plain) {
  plain->before = 1;
  return executor.submit([run, plain] {
    run.expect(plain->before == 1, "what was written before submit is visible to the call");
    plain->inside = 2;
  });
}

void visible_after_result(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 20; ++i) {
    const auto plain = std::make_shared<Plain>();
    const Future<void> future = write_and_submit(run, *executor, plain);
    try {
      future.result(kPatience);
      run.expect(plain->inside == 2, "what the call wrote is visible after result");
    } catch (const TimeoutError&) {
      run.expect(false, "the call ends");
    }
  }
}

void visible_after_wait(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 20; ++i) {
    const auto plain = std::make_shared<Plain>();
    const Future<void> future = write_and_submit(run, *executor, plain);
    if (!expect_done(run, future, "the call ends")) return;
    run.expect(plain->inside == 2, "what the call wrote is visible after wait");
  }
}

void visible_once_seen_done(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 10; ++i) {
    const auto plain = std::make_shared<Plain>();
    const Future<void> future = write_and_submit(run, *executor, plain);
    if (!run.expect_soon([&] { return future.done(); }, "the call ends")) return;
    run.expect(plain->inside == 2, "what the call wrote is visible once its future is seen done");
  }
}

void visible_in_callbacks(LawRun& run) {
  const auto executor = open(run, 2);
  for (int i = 0; i < 20; ++i) {
    const auto plain = std::make_shared<Plain>();
    const Future<void> future = write_and_submit(run, *executor, plain);
    const SharedCount called;
    // Here or on the worker, as it happens.
    future.add_done_callback([run, plain, called](const Future<void>&) {
      run.expect(plain->inside == 2, "what the call wrote is visible in a done callback");
      called.add();
    });
    if (!run.expect(called.reaches(1), "the callback runs")) return;
  }
}

// --- E10

void a_call_may_submit(LawRun& run) {
  const auto executor = open(run, 1);
  const Future<Future<int>> outer =
      executor->submit([executor = executor.get()] { return executor->submit([] { return 42; }); });
  if (!expect_done(run, outer, "a call that submits ends")) return;
  expect_result(run, outer.result(), 42, "a call submitted by a call runs, also when there is one worker only");
}

struct Chain {
  Executor* executor;
  SharedCount links;
  void operator()(int more) const {
    if (more > 0) executor->submit(*this, more - 1);
    links.add();
  }
};

void calls_submit_in_a_long_chain(LawRun& run) {
  constexpr int kLinks = 200;
  const auto executor = open(run, 1);
  const Chain chain{executor.get(), SharedCount()};
  executor->submit(chain, kLinks - 1);
  run.expect(chain.links.reaches(kLinks), "each call of a long chain runs");
}

struct Tree {
  Executor* executor;
  SharedCount nodes;
  void operator()(int levels_below) const {
    if (levels_below > 0) {
      executor->submit(*this, levels_below - 1);
      executor->submit(*this, levels_below - 1);
    }
    nodes.add();
  }
};

void calls_submit_in_a_wide_tree(LawRun& run) {
  const auto executor = open(run, 3);
  const Tree tree{executor.get(), SharedCount()};
  executor->submit(tree, 6);
  run.expect(tree.nodes.reaches(127), "each call of a tree runs");
}

void submit_does_not_block(LawRun& run) {
  constexpr int kCalls = 500;
  const auto executor = open(run, 2);
  const SharedCount ran;
  {
    const BusyWorkers busy(run, *executor, 2);
    const WatchedThread client(run, "submit returns while all workers are busy", [executor, ran] {
      for (int i = 0; i < kCalls; ++i) executor->submit([](const SharedCount& runs) { runs.add(); }, ran);
    });
  }
  run.expect(ran.reaches(kCalls), "what was submitted while all workers were busy runs later");
}

constexpr std::string_view kNoSharedMemory = "does not apply: memory is not shared";

constexpr Law kLaws[] = {
    law<not_done_before_the_callable_is_destroyed>("E8", "NotDoneBeforeTheCallableIsDestroyed"),
    law<not_done_before_the_arguments_are_destroyed>("E8", "NotDoneBeforeTheArgumentsAreDestroyed"),
    law<destroyed_whatever_the_outcome>("E8", "DestroyedWhateverTheOutcome"),
    law<destroyed_when_the_call_ends_its_thread>("E8", "DestroyedWhenTheCallEndsItsThread"),
    law<destroyed_before_callbacks>("E8", "DestroyedBeforeCallbacks"),
    law<destroyed_before_shutdown_returns>("E8", "DestroyedBeforeShutdownReturns"),
    law<visible_after_result>("E9", "VisibleAfterResult", kNoSharedMemory),
    law<visible_after_wait>("E9", "VisibleAfterWait", kNoSharedMemory),
    law<visible_once_seen_done>("E9", "VisibleOnceSeenDone", kNoSharedMemory),
    law<visible_in_callbacks>("E9", "VisibleInCallbacks", kNoSharedMemory),
    law<a_call_may_submit>("E10", "ACallMaySubmit", kNoExecutor),
    law<calls_submit_in_a_long_chain>("E10", "CallsSubmitInALongChain", kNoExecutor),
    law<calls_submit_in_a_wide_tree>("E10", "CallsSubmitInAWideTree", kNoExecutor),
    law<submit_does_not_block>("E10", "SubmitDoesNotBlock"),
};

}  // namespace

absl::Span<const Law> call_laws() { return kLaws; }

}  // namespace futures::spec_tests
