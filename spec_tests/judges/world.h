// The scripted world: the model together with the scripts of a trace, run step by step. It says what an executor may
// look like after each step once it is quiet, that is, once nothing more happens without another step.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

struct World;
class Explorer;

struct WorldOptions {
  // The most worlds that one step may lead through, quiet or not. Raising it costs time and memory on the few traces
  // that need it; lowering it gives up on more of them.
  int worlds_max = 20000;
  // Leaves out interleavings that provably end in the same quiet worlds. Off: a test's second opinion.
  bool reduce = true;
};

// Every quiet world that the steps so far can have led to. There are several where the executor, or the order of
// threads, may choose.
//
// What a step does: its client begins the operation; then everything runs, in every possible order, until nothing can.
// Bodies run their statements one after another: a gate waits until it is released; any other statement is an operation
// of the body as a client. A statement of a body that names a call whose submit has not returned a future by then, on
// whichever thread, is skipped.
//
// A step is skipped, on every executor alike, if its client is busy, if it names a call whose submit has not returned a
// future, or if the executor is destroyed, or would be and is not free. All of it can be seen in an Observation, so
// after keep() all remaining worlds agree. Where they disagree, because the caller plans ahead without looking at an
// executor, the step is skipped in all of them.
//
// A trace that leads through too many worlds is given up at that step: status() says so, and from then on there are no
// worlds and every step is skipped. Callers count such traces; they prove nothing about an executor.
//
// Not thread-safe. Example:
//   WorldSet worlds(player.policy(trace.workers), trace);
//   for (int i = 0; i < std::ssize(trace.steps); ++i) {
//     if (!worlds.issue(i)) continue;
//     player.issue(i);
//     const Observation seen = wait_until_quiet(player);
//     if (!worlds.contains(seen)) return report(worlds.observations(), seen);
//     worlds.keep(seen);
//   }
class WorldSet {
 public:
  WorldSet(const model::Policy& policy, const Trace& trace, const WorldOptions& options = {});
  ~WorldSet();
  WorldSet(WorldSet&&) noexcept;
  WorldSet& operator=(WorldSet&&) noexcept;

  // Issues step `index` of the trace and moves on to the quiet worlds after it. Returns false, and changes nothing, if
  // the step is skipped.
  bool issue(int index);

  // The epilogue: releases all gates, runs to quiet, then shuts down with wait, as one more client than the trace has,
  // unless the executor was destroyed.
  void finish();

  // Whether some quiet world looks like this.
  bool contains(const Observation& observation) const;

  // Forgets the worlds that do not look like this.
  void keep(const Observation& observation);

  // Whether all worlds look the same.
  bool deterministic() const { return looks_.size() <= 1; }

  // How the worlds look, each way once, in an order that depends on the trace and policy only.
  std::vector<Observation> observations() const { return looks_; }

  // ResourceExhausted, naming the step, if the trace led through more than `worlds_max` worlds.
  const absl::Status& status() const { return status_; }

  // How many quiet worlds there are. Several may look the same.
  std::size_t size() const;

  // How many worlds with more than one thing to do next have been gone through, a measure of the work.
  std::size_t explored() const { return explored_; }

 private:
  void run_to_quiet(const char* where, int index);
  void give_up(const char* where, int index);
  void look();

  WorldOptions options_;
  std::unique_ptr<const Trace> trace_;
  std::unique_ptr<const Explorer> explorer_;
  std::vector<World> worlds_;  // All quiet.
  std::vector<Observation> looks_;  // How they look, each way once.
  std::vector<std::size_t> look_of_;  // By world: an index into looks_.
  std::size_t explored_ = 0;
  absl::Status status_;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_WORLD_H_
