// The simulated side of spec_tests/candidates/episode_memory.h: memory of one process, gates on which simulated threads
// wait. One episode at a time.
#include "spec_tests/simulator/simulated/spec_tests/candidates/episode_memory.h"

#include <new>

#include "absl/log/check.h"
#include "spec_tests/candidates/numbered_error.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/episode.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::spec_tests::inline simulated {
namespace {

using model::ActionKind;
using model::ReplyKind;
using simulator::Machine;
using simulator::Operation;
using simulator::Where;

const simulator::Liveness kLives;

std::uint32_t next_number = 0;

}  // namespace

std::shared_ptr<EpisodeMemory> EpisodeMemory::create(const Trace&) {
  // One for all runs: to make it anew would take longer than many a run.
  alignas(Shared) static std::byte memory[sizeof(Shared)];
  static Shared* const shared = new (memory) Shared;
  for (std::atomic<std::uint32_t>& gate : shared->gates) gate.store(0, std::memory_order_relaxed);
  for (BodyState& body : shared->bodies) {
    body.started.store(false, std::memory_order_relaxed);
    body.at.store(0, std::memory_order_relaxed);
  }
  shared->recorder.clear();
  return std::shared_ptr<EpisodeMemory>(
      new EpisodeMemory({.number = ++next_number}, /*owns_descriptor=*/false, shared));
}

std::shared_ptr<EpisodeMemory> EpisodeMemory::attach(const EpisodeKey&) { return nullptr; }

EpisodeMemory::~EpisodeMemory() = default;

// Clients and bodies meet here, and what they record in one order is what is judged.
Recorder& EpisodeMemory::recorder() {
  simulator::meet(&shared_->recorder);
  return shared_->recorder;
}

void EpisodeMemory::release(int gate) {
  Machine::instance().before(Operation::kNote, nullptr, nullptr, Where::current());
  std::atomic<std::uint32_t>& word = shared_->gates[gate];
  if (word.exchange(1, std::memory_order_relaxed) == 0) Machine::instance().futex_wake(&word, Where::current());
}

void EpisodeMemory::pass(int gate) {
  const std::atomic<std::uint32_t>& word = shared_->gates[gate];
  while (!is_released(gate)) {
    Machine::instance().futex_wait(
        &word, kLives, [&] { return word.load(std::memory_order_relaxed) == 0; }, std::nullopt, Where::current());
  }
}

void EpisodeMemory::begin(model::Call call) {
  set_position(call, kActive);
  recorder().record({.kind = ActionKind::kBodyStart, .call = call});
  shared_->bodies[call].started.store(true, std::memory_order_release);
}

void EpisodeMemory::end(model::Call call, const Body& body) {
  recorder().record({.kind = ActionKind::kBodyEnd,
                     .call = call,
                     .reply = {.kind = body.throws ? ReplyKind::kError : ReplyKind::kValue,
                               .value = static_cast<std::int16_t>(body.value)}});
  set_position(call, kEnded);
}

void EpisodeMemory::throw_number(int number) { throw NumberedError(number); }

// There is one process.
bool is_of_this_process(std::uint64_t) { return true; }
int run_body_elsewhere(std::uint64_t, int) { return 0; }

}  // namespace futures::spec_tests::inline simulated
