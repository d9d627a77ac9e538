// What the bodies of one episode share with the checker, wherever they run: the trace, the gates, where each body is,
// and the recorder. A body in another process of the program finds it by its key.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_MEMORY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_MEMORY_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "reference/model.h"
#include "spec_tests/candidates/recorder.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// Names an episode among all of the machine: the process that made it, the descriptor of its memory there, and a
// number, since descriptors are used again.
struct EpisodeKey {
  pid_t process = 0;
  int descriptor = -1;
  std::uint32_t number = 0;

  std::uint64_t packed() const {
    return std::uint64_t{static_cast<std::uint32_t>(process)} << 32 |
           (static_cast<std::uint64_t>(descriptor) & 0xffff) << 16 | (number & 0xffff);
  }
  static EpisodeKey of(std::uint64_t packed) {
    return {static_cast<pid_t>(packed >> 32), static_cast<int>(packed >> 16 & 0xffff),
            static_cast<std::uint32_t>(packed & 0xffff)};
  }
};

// Thread-safe; the memory is shared between processes.
class EpisodeMemory {
 public:
  // Where a body is: one of these, or the gate it waits at.
  static constexpr int kNotStarted = -3;
  static constexpr int kActive = -2;
  static constexpr int kEnded = -1;

  // Throws std::system_error if there is no memory or no descriptor.
  static std::shared_ptr<EpisodeMemory> create(const Trace& trace);
  // The memory that another process made; null if that process, or that episode in it, is no more.
  static std::shared_ptr<EpisodeMemory> attach(const EpisodeKey& key);
  ~EpisodeMemory();
  EpisodeMemory(const EpisodeMemory&) = delete;
  EpisodeMemory& operator=(const EpisodeMemory&) = delete;

  const EpisodeKey& key() const { return key_; }
  // The trace as it was given to create.
  Trace trace() const;
  Recorder& recorder();
  const Recorder& recorder() const { return shared_->recorder; }

  void release(int gate);
  bool is_released(int gate) const { return shared_->gates[gate].load(std::memory_order_acquire) != 0; }
  // Waits until the gate is released.
  void pass(int gate);

  bool has_started(int call) const { return shared_->bodies[call].started.load(std::memory_order_acquire); }
  int position(int call) const { return shared_->bodies[call].at.load(std::memory_order_acquire) + kNotStarted; }

  // Plays the body of `call`: records its start, passes its gates, hands every other statement to `perform`, records
  // its end. Returns its value, or throws NumberedError.
  template <typename Perform>
  int play(model::Call call, const Body& body, const Perform& perform);

 private:
  static constexpr std::size_t kTraceBytesMax = 4096;  // Each statement is a few bytes.

  struct BodyState {
    std::atomic<bool> started{false};
    std::atomic<int> at{0};  // Less kNotStarted, so that memory of zeros is right.
  };
  struct Shared {
    std::uint32_t number = 0;
    std::uint32_t trace_bytes = 0;
    std::array<std::uint8_t, kTraceBytesMax> trace{};
    std::array<std::atomic<std::uint32_t>, kGatesMax> gates{};
    std::array<BodyState, kCallsMax> bodies{};
    Recorder recorder;
  };

  EpisodeMemory(const EpisodeKey& key, bool owns_descriptor, Shared* shared)
      : key_(key), owns_descriptor_(owns_descriptor), shared_(shared) {}
  static Shared* map(int descriptor);
  void begin(model::Call call);
  [[noreturn]] static void throw_number(int number);
  void end(model::Call call, const Body& body);
  void set_position(int call, int at) { shared_->bodies[call].at.store(at - kNotStarted, std::memory_order_release); }

  const EpisodeKey key_;
  const bool owns_descriptor_;
  Shared* const shared_;
};

template <typename Perform>
int EpisodeMemory::play(model::Call call, const Body& body, const Perform& perform) {
  begin(call);
  for (const Statement& statement : body.statements) {
    if (statement.verb != Verb::kGate) {
      perform(statement);
      continue;
    }
    set_position(call, statement.gate);
    pass(statement.gate);
    set_position(call, kActive);
  }
  end(call, body);
  if (body.throws) throw_number(body.value);
  return body.value;
}

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_MEMORY_H_
