// Group E, second half: how long what is submitted lives, what it sees, what it may do.
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <pthread.h>

#include "absl/types/span.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/law.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/stage.h"

namespace futures::spec_tests {
namespace {

// --- E8

// Something to capture whose destruction can be watched, and held up at the gate.
std::shared_ptr<void> destroyed_at(const Gate& gate) {
  return std::shared_ptr<void>(nullptr, [at = gate.entrance()](std::nullptr_t) { at.pass(); });
}

void not_done_before_the_callable_is_destroyed(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<int> value = executor->submit([captured = destroyed_at(gate)] { return 1; });
  run.expect(gate.crowd(1), "the callable is destroyed once it has run");
  run.expect(!value.done(), "a future is not done while its callable is being destroyed");
  gate.open();
  expect_result(run, value, 1, "the call ends");
}

void not_done_before_the_arguments_are_destroyed(LawRun& run) {
  const auto executor = open(run, 1);
  const Gate gate;
  const Future<void> error =
      executor->submit([](const std::shared_ptr<void>&) { throw std::runtime_error("no"); }, destroyed_at(gate));
  run.expect(gate.crowd(1), "the arguments are destroyed once the call has thrown");
  run.expect(!error.done(), "a future is not done while the call's arguments are being destroyed");
  gate.open();
  expect_error<std::runtime_error>(run, error, "the call ends");
}

void destroyed_whatever_the_outcome(LawRun& run) {
  const auto executor = open(run, 1);
  const auto census = std::make_shared<Census>();
  for (int i = 0; i < 10; ++i) {
    const Future<int> value = executor->submit([captured = Witness(census)] { return 1; });
    if (expect_done(run, value, "a call ends")) run.expect(census->alive == 0, "destroyed when a value is seen");
    const Future<void> error = executor->submit([](const Witness&) { throw 1; }, Witness(census));
    if (expect_done(run, error, "a call ends")) run.expect(census->alive == 0, "destroyed when an error is seen");
  }
}

void destroyed_when_the_call_ends_its_thread(LawRun& run) {
  const auto executor = open(run, 1);
  const auto census = std::make_shared<Census>();
  const Future<void> broken = executor->submit([captured = Witness(census)] { pthread_exit(nullptr); });
  if (expect_done(run, broken, "a call ends")) run.expect(census->alive == 0, "destroyed when the breakage is seen");
}

void destroyed_before_callbacks(LawRun& run) {
  const auto executor = open(run, 1);
  const auto census = std::make_shared<Census>();
  const Count callbacks;
  const Held held(run, *executor);
  const auto look = [run, census, callbacks](const Future<void>&) {
    run.expect(census->alive == 0, "callable and arguments are destroyed before the callbacks run");
    callbacks.add();
  };
  const Future<void> cancelled = executor->submit([captured = Witness(census)](const Witness&) {}, Witness(census));
  cancelled.add_done_callback(look);
  cancelled.cancel();
  run.expect(census->alive == 0, "callable and arguments are destroyed before cancel returns");
  const Future<void> finished = executor->submit([captured = Witness(census)](const Witness&) {}, Witness(census));
  finished.add_done_callback(look);
  held.release();
  run.expect(callbacks.reaches(2), "the callbacks run");
}

void destroyed_before_shutdown_returns(LawRun& run) {
  const auto executor = open(run, 1);
  const auto census = std::make_shared<Census>();
  const Held held(run, *executor);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 5; ++i) {
    futures.push_back(executor->submit([captured = Witness(census)](const Witness&) {}, Witness(census)));
  }
  run.expect(census->alive == 10, "a pending call keeps its callable and arguments");
  executor->shutdown({.wait = false, .cancel_futures = true});
  run.expect(census->alive == 0, "the shutdown that cancels destroys callables and arguments before it returns");
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
    const Count called;
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
  Count links;
  void operator()(int more) const {
    if (more > 0) executor->submit(*this, more - 1);
    links.add();
  }
};

void calls_submit_in_a_long_chain(LawRun& run) {
  constexpr int kLinks = 200;
  const auto executor = open(run, 1);
  const Chain chain{executor.get(), Count()};
  executor->submit(chain, kLinks - 1);
  run.expect(chain.links.reaches(kLinks), "each call of a long chain runs");
}

struct Tree {
  Executor* executor;
  Count nodes;
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
  const Tree tree{executor.get(), Count()};
  executor->submit(tree, 6);
  run.expect(tree.nodes.reaches(127), "each call of a tree runs");
}

void submit_does_not_block(LawRun& run) {
  constexpr int kCalls = 500;
  const auto executor = open(run, 2);
  const Count ran;
  {
    const Held held(run, *executor, 2);
    const Background client(run, "submit returns while all workers are busy", [executor, ran] {
      for (int i = 0; i < kCalls; ++i) executor->submit([ran] { ran.add(); });
    });
  }
  run.expect(ran.reaches(kCalls), "what was submitted while all workers were busy runs later");
}

constexpr Law kLaws[] = {
    law<not_done_before_the_callable_is_destroyed>("E8", "NotDoneBeforeTheCallableIsDestroyed"),
    law<not_done_before_the_arguments_are_destroyed>("E8", "NotDoneBeforeTheArgumentsAreDestroyed"),
    law<destroyed_whatever_the_outcome>("E8", "DestroyedWhateverTheOutcome"),
    law<destroyed_when_the_call_ends_its_thread>("E8", "DestroyedWhenTheCallEndsItsThread"),
    law<destroyed_before_callbacks>("E8", "DestroyedBeforeCallbacks"),
    law<destroyed_before_shutdown_returns>("E8", "DestroyedBeforeShutdownReturns"),
    law<visible_after_result>("E9", "VisibleAfterResult"),
    law<visible_after_wait>("E9", "VisibleAfterWait"),
    law<visible_once_seen_done>("E9", "VisibleOnceSeenDone"),
    law<visible_in_callbacks>("E9", "VisibleInCallbacks"),
    law<a_call_may_submit>("E10", "ACallMaySubmit"),
    law<calls_submit_in_a_long_chain>("E10", "CallsSubmitInALongChain"),
    law<calls_submit_in_a_wide_tree>("E10", "CallsSubmitInAWideTree"),
    law<submit_does_not_block>("E10", "SubmitDoesNotBlock"),
};

}  // namespace

absl::Span<const Law> call_laws() { return kLaws; }

}  // namespace futures::spec_tests
