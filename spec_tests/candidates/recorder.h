// Records the events of one episode, from many threads, in one order.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_RECORDER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_RECORDER_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "reference/model.h"

namespace futures::spec_tests {

// The order is that of one counter: what happened before in real time has the smaller stamp. Recording takes no lock
// and never waits, so that it hides no race of the executor's; under load it serialises two threads for one cache miss.
//
// Thread-safe, and between processes that share its memory as well. Memory of zeros is a recorder without events.
class Recorder {
 public:
  void record(const model::Event& event) {
    const std::size_t stamp = stamps_.fetch_add(1, std::memory_order_seq_cst);
    if (stamp >= slots_.size()) return;  // An executor gone wild: the history ends here, and does not fit the model.
    slots_[stamp].event = event;
    slots_[stamp].written.store(true, std::memory_order_release);
  }

  // How many events have been given a stamp.
  std::size_t size() const { return stamps_.load(std::memory_order_seq_cst); }

  // Forgets the events. Not while anybody records.
  void clear() {
    const std::size_t used = std::min(stamps_.exchange(0, std::memory_order_relaxed), slots_.size());
    for (std::size_t i = 0; i < used; ++i) slots_[i].written.store(false, std::memory_order_relaxed);
  }

  // The events in order, up to the first that is being written right now.
  std::vector<model::Event> events() const {
    std::vector<model::Event> recorded;
    for (const Slot& slot : slots_) {
      if (!slot.written.load(std::memory_order_acquire)) break;
      recorded.push_back(slot.event);
    }
    return recorded;
  }

 private:
  // The longest trace makes fewer than five hundred events. Raising it costs memory and time per episode.
  static constexpr std::size_t kEventsMax = 1024;

  struct Slot {
    std::atomic<bool> written{false};
    model::Event event;
  };
  static_assert(std::is_trivially_copyable_v<model::Event>);

  std::atomic<std::size_t> stamps_{0};
  std::array<Slot, kEventsMax> slots_{};
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_RECORDER_H_
