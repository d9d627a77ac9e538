#include "spec_tests/traces/trace_gen.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "rapidcheck/Gen.h"
#include "rapidcheck/Random.h"
#include "rapidcheck/Seq.h"
#include "rapidcheck/seq/Create.h"
#include "rapidcheck/shrinkable/Create.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

// SplitMix64. The standard library's distributions differ between platforms, and a seed must not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
  }

  // 0 to bound - 1.
  int below(int bound) { return static_cast<int>((next() >> 32) * static_cast<std::uint64_t>(bound) >> 32); }

  bool percent(int chance) { return below(100) < chance; }

  // An index, as likely as its weight. At least one weight must be positive.
  int weighted(const std::vector<int>& weights) {
    int total = 0;
    for (int weight : weights) total += weight;
    int draw = below(total);
    std::size_t index = 0;
    while (draw >= weights[index]) draw -= weights[index++];
    return static_cast<int>(index);
  }

 private:
  std::uint64_t state_;
};

// A guess at what the executor does with the trace so far, good enough to aim the next operation. The truth is the
// model's; a wrong guess costs a less interesting step, nothing else.
enum class Guess { kPending, kRunning, kDone };

struct GuessedCall {
  std::vector<int> gates;  // Those its body waits at.
  bool cancelled = false;
  bool has_callback = false;
  bool mapped = false;     // Nobody can name it.
};

// Composes one trace, step by step.
class Composer {
 public:
  Composer(std::uint64_t seed, int size) : dice_(seed) {
    trace_.workers = 1 + dice_.weighted({45, 35, 12, 8});
    trace_.clients = 1 + dice_.weighted({15, 45, 30, 10});
    busy_.resize(static_cast<std::size_t>(trace_.clients));
    // Sizes up to 100 give up to 20 steps: more of them adds the same situations again.
    steps_ = 1 + dice_.below(3 + std::max(size, 0) * 17 / 100);
    for (int& weight : weights_) {
      static constexpr int kLikings[] = {0, 1, 2, 4};
      weight *= kLikings[dice_.below(4)];
    }
    body_percent_ = dice_.below(4) * 20;
  }

  Trace compose() {
    if (dice_.percent(60)) fill_workers();
    for (int i = 0; i < steps_; ++i) add_step();
    return normalised(std::move(trace_));
  }

 private:
  enum Move {
    kSubmitGated,
    kSubmitFree,
    kCancel,
    kResult,
    kPoll,
    kCallback,
    kRelease,
    kShutdown,
    kWait,
    kAsCompleted,
    kMap,
    kDestroy,
    kMoves
  };

  // Every worker waits at a gate, so that what follows stays pending.
  void fill_workers() {
    const int gate = dice_.below(2);
    for (int i = 0; i < trace_.workers; ++i) add_submit(dice_.percent(70) ? gate : dice_.below(kGatesMax));
    const int behind = dice_.below(3);
    for (int i = 0; i < behind; ++i) add_submit(/*gate=*/-1);
  }

  void add_step() {
    if (calls_.empty()) return add_submit(dice_.percent(60) ? dice_.below(kGatesMax) : -1);
    std::vector<int> weights(weights_, weights_ + kMoves);
    weights[kSubmitFree] += 1;  // Whatever the trace prefers, one move is always there.
    if (shutdowns_ >= 3) weights[kShutdown] = 0;
    if (destroyed_ || trace_.steps.size() < 4) weights[kDestroy] = 0;
    switch (static_cast<Move>(dice_.weighted(weights))) {
      case kSubmitGated:
        return add_submit(dice_.below(kGatesMax));
      case kSubmitFree:
        return add_submit(-1);
      case kCancel:
        return add_cancel();
      case kResult:
        return add_result();
      case kPoll:
        return add({.verb = Verb::kPoll, .call = some_call()});
      case kCallback:
        return add_callback();
      case kRelease:
        return add_release();
      case kShutdown:
        return add_shutdown();
      case kWait:
        return add_wait();
      case kAsCompleted:
        return add_as_completed();
      case kMap:
        return add_map();
      case kDestroy:
        return add_destroy();
      case kMoves:
        return;
    }
  }

  void add(Statement statement) {
    trace_.steps.push_back({.client = free_client(), .statement = std::move(statement)});
  }

  void add_submit(int gate) {
    if (calls_.size() >= kCallsMax) return;
    Statement submit{.verb = Verb::kSubmit, .call = next_call()};
    submit.body.push_back(some_body(gate, /*depth=*/1, submit.call));
    add(std::move(submit));
  }

  void add_cancel() {
    int call = dice_.percent(70) ? some_call(Guess::kPending) : some_call();
    // Two tries at a call whose callback the cancel will run.
    if (dice_.percent(50) && !calls_[call].has_callback) call = some_call(Guess::kPending);
    if (guess(call) == Guess::kPending) calls_[call].cancelled = true;
    add({.verb = Verb::kCancel, .call = call});
  }

  void add_callback() {
    const int call = dice_.percent(50) ? some_call(Guess::kPending) : some_call();
    calls_[call].has_callback = true;
    add({.verb = Verb::kCallback, .call = call});
  }

  void add_result() {
    const int call = some_call();
    // The last free client waits, so that the others go on; where there is one client, seldom.
    if (guess(call) != Guess::kDone && trace_.clients == 1 && dice_.percent(80)) return;
    const int client = free_client(/*last=*/true);
    trace_.steps.push_back({.client = client, .statement = {.verb = Verb::kResult, .call = call}});
    busy_[client].push_back(call);
  }

  void add_release() {
    std::vector<int> gates;  // Those that hold a running call.
    for (int call = 0; call < static_cast<int>(calls_.size()); ++call) {
      if (guess(call) != Guess::kRunning) continue;
      for (int gate : calls_[call].gates) {
        if ((released_ >> gate & 1) == 0) gates.push_back(gate);
      }
    }
    const int gate = gates.empty() ? dice_.below(kGatesMax) : gates[dice_.below(static_cast<int>(gates.size()))];
    released_ |= 1 << gate;
    add({.verb = Verb::kRelease, .gate = gate});
  }

  void add_shutdown() {
    // Early shutdowns leave nothing to look at.
    if (trace_.steps.size() < 3 && dice_.percent(70)) return;
    ++shutdowns_;
    if (dice_.percent(40)) add_callback();  // On what the shutdown may cancel.
    Statement shutdown{.verb = Verb::kShutdown, .wait = dice_.percent(50), .cancel_futures = dice_.percent(50)};
    const int client = free_client(/*last=*/true);
    if (shutdown.cancel_futures) {
      for (int call = 0; call < static_cast<int>(calls_.size()); ++call) {
        if (guess(call) == Guess::kPending) calls_[call].cancelled = true;
      }
    }
    if (shutdown.wait) {
      for (int call = 0; call < static_cast<int>(calls_.size()); ++call) busy_[client].push_back(call);
    }
    trace_.steps.push_back({.client = client, .statement = std::move(shutdown)});
  }

  // A few of the calls, those that are pending or running rather than done; seldom none.
  std::uint16_t some_calls() {
    std::uint16_t calls = 0;
    for (int left = dice_.percent(5) ? 0 : 1 + dice_.below(4); left > 0; --left) {
      const int call =
          dice_.percent(50) ? some_call() : some_call(dice_.percent(50) ? Guess::kPending : Guess::kRunning);
      if (!calls_[call].mapped) calls |= static_cast<std::uint16_t>(1u << call);
    }
    return calls;
  }

  // By the last free client, as a result: it is believed to wait for `calls`.
  void add_waiting(Statement statement, std::uint16_t calls) {
    const int client = free_client(/*last=*/true);
    for (int call = 0; call < static_cast<int>(calls_.size()); ++call) {
      if (!statement.poll && (calls >> call & 1) != 0) busy_[client].push_back(call);
    }
    trace_.steps.push_back({.client = client, .statement = std::move(statement)});
  }

  void add_wait() {
    Statement wait{.verb = Verb::kWait,
                   .calls = some_calls(),
                   .wait_for = static_cast<WaitFor>(dice_.below(3)),
                   .poll = dice_.percent(20),
                   .body = {}};
    const std::uint16_t calls = wait.calls;
    add_waiting(std::move(wait), calls);
  }

  void add_as_completed() {
    Statement iteration{.verb = Verb::kAsCompleted, .calls = some_calls(), .poll = dice_.percent(20), .body = {}};
    const std::uint16_t calls = iteration.calls;
    add_waiting(std::move(iteration), calls);
  }

  void add_map() {
    if (calls_.size() >= kCallsMax) return;
    Statement map{.verb = Verb::kMap, .body = {Body()}};
    Body& inputs = map.body[0];
    std::uint16_t awaited = 0;
    const int size = 1 + dice_.below(4);
    inputs.value = dice_.percent(50) ? size : dice_.below(size);
    const int shared_gate = dice_.below(kGatesMax);
    for (int i = 0; i < size && calls_.size() < kCallsMax; ++i) {
      Statement submit{.verb = Verb::kSubmit, .call = next_call()};
      calls_.back().mapped = true;
      if (i < inputs.value) awaited |= static_cast<std::uint16_t>(1u << submit.call);
      submit.body.push_back(some_body(dice_.percent(30) ? shared_gate : -1, /*depth=*/2, submit.call));
      inputs.statements.push_back(std::move(submit));
    }
    add_waiting(std::move(map), awaited);
  }

  void add_destroy() {
    destroyed_ = true;
    std::uint16_t all = 0xffff;
    if (dice_.percent(30)) {  // Without wait before, it does not wait.
      add({.verb = Verb::kShutdown, .wait = false, .cancel_futures = dice_.percent(30), .body = {}});
      all = 0;
    }
    add_waiting({.verb = Verb::kDestroy, .body = {}}, all);
  }

  int next_call() {
    calls_.emplace_back();
    return static_cast<int>(calls_.size()) - 1;
  }

  Body some_body(int gate, int depth, int call) {
    Body body{.statements = {}, .throws = dice_.percent(25), .value = dice_.below(10)};
    if (gate >= 0) add_gate(body, gate, call);
    for (int more = body_percent_; dice_.percent(more); more /= 2) add_statement(body, depth, call);
    return body;
  }

  void add_gate(Body& body, int gate, int call) {
    calls_[call].gates.push_back(gate);
    body.statements.push_back({.verb = Verb::kGate, .gate = gate});
  }

  void add_statement(Body& body, int depth, int call) {
    switch (dice_.weighted({35, 10, 15, 15, 15, 10})) {
      case 0:
        if (depth < kNestingMax && calls_.size() < kCallsMax) {
          Statement submit{.verb = Verb::kSubmit, .call = next_call()};
          submit.body.push_back(some_body(dice_.percent(15) ? dice_.below(kGatesMax) : -1, depth + 1, submit.call));
          body.statements.push_back(std::move(submit));
        }
        return;
      case 1:
        return add_gate(body, dice_.below(kGatesMax), call);
      case 2:
        body.statements.push_back({.verb = Verb::kCancel, .call = near_call()});
        return;
      case 3:
        body.statements.push_back({.verb = Verb::kPoll, .call = near_call()});
        return;
      case 4:
        body.statements.push_back({.verb = Verb::kCallback, .call = near_call()});
        return;
      case 5:
        body.statements.push_back(
            {.verb = Verb::kShutdown, .wait = dice_.percent(40), .cancel_futures = dice_.percent(40)});
        return;
    }
  }

  // For a body: a call near the last one, perhaps itself, perhaps one that is yet to be submitted.
  int near_call() {
    int call = static_cast<int>(calls_.size()) - 1 - dice_.below(4);
    if (dice_.percent(40)) call += 2;
    return std::max(0, call);
  }

  Guess guess(int call) const {
    int free_workers = trace_.workers;
    for (int other = 0; other <= call; ++other) {
      if (calls_[other].cancelled) continue;
      const bool held = std::any_of(calls_[other].gates.begin(), calls_[other].gates.end(),
                                    [&](int gate) { return (released_ >> gate & 1) == 0; });
      if (other == call && !held) return free_workers > 0 ? Guess::kDone : Guess::kPending;
      if (other == call) return free_workers > 0 ? Guess::kRunning : Guess::kPending;
      if (held) free_workers = std::max(0, free_workers - 1);
    }
    return Guess::kDone;
  }

  int some_call() { return dice_.below(static_cast<int>(calls_.size())); }

  // A call that is believed to be in that state; any call if there is none.
  int some_call(Guess wanted) {
    std::vector<int> found;
    for (int call = 0; call < static_cast<int>(calls_.size()); ++call) {
      if (guess(call) == wanted) found.push_back(call);
    }
    return found.empty() ? some_call() : found[dice_.below(static_cast<int>(found.size()))];
  }

  // A client that is believed not to wait for anything, so that its step is not skipped; any if there is none.
  int free_client(bool last = false) {
    std::vector<int> found;
    for (int client = 0; client < trace_.clients; ++client) {
      const std::vector<int>& awaited = busy_[client];
      const auto done = [&](int call) { return guess(call) == Guess::kDone; };
      if (std::all_of(awaited.begin(), awaited.end(), done)) found.push_back(client);
    }
    if (found.empty()) return dice_.below(trace_.clients);
    return last ? found.back() : found[dice_.below(static_cast<int>(found.size()))];
  }

  Dice dice_;
  Trace trace_;
  int steps_ = 0;
  int weights_[kMoves] = {5, 5, 6, 3, 2, 6, 4, 5, 3, 3, 4, 1};  // By Move.
  int body_percent_ = 0;  // The chance that a body has a first statement; halved for each further one.

  std::vector<GuessedCall> calls_;
  std::vector<std::vector<int>> busy_;  // By client: the calls it waits for.
  int released_ = 0;                    // Gates, as bits.
  int shutdowns_ = 0;
  bool destroyed_ = false;
};

}  // namespace

rc::Gen<Trace> arbitrary_trace() {
  return [](const rc::Random& random, int size) {
    rc::Random copy(random);
    return rc::shrinkable::shrinkRecur(Composer(copy.next(), size).compose(),
                                       [](const Trace& trace) { return rc::seq::fromContainer(shrinks_of(trace)); });
  };
}

Trace trace_from_seed(std::uint64_t seed, int index) {
  Dice dice(seed ^ Dice(static_cast<std::uint64_t>(index)).next());
  const int size = 1 + dice.below(100);
  return Composer(dice.next(), size).compose();
}

}  // namespace futures::spec_tests
