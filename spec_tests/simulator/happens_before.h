// HappensBefore: which operation of a run happens before which, by vector clocks.
//
// Each thread has a clock: for every thread the number of its last part that happens before what this thread does now.
// A thread begins a new part whenever others may learn of what it has done. An access is remembered by its thread and
// the part it was in. It happens before what another thread does now if that thread's clock has reached the part.
//
// What orders: the start and the end of threads; mutexes; owners of a shared_ptr; atomics by the order that the source
// declares, whatever the value that a load sees. A load that acquires is ordered behind the store that it reads if that
// one releases, also through read-modify-writes in between (the release sequence); fences as the standard has them. A
// relaxed operation orders nothing, and neither does a futex.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_HAPPENS_BEFORE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_HAPPENS_BEFORE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "spec_tests/simulator/address_map.h"

namespace futures::simulator {

using Part = std::uint32_t;

class Clock {
 public:
  void restart() { parts_.clear(); }
  Part of(int thread) const {
    const auto at = static_cast<std::size_t>(thread);
    return at < parts_.size() ? parts_[at] : 0;
  }
  void advance(int thread);
  // Takes what the other one knows.
  void join(const Clock& other);

 private:
  std::vector<Part> parts_;
};

// Threads are numbered from 0. Objects are known by their address; only the address is used.
class HappensBefore {
 public:
  // Begins a run with no threads.
  void restart();
  // `creator` is negative for the first thread.
  void start(int creator, int created);
  void join(int thread, int ended);

  // A mutex, or the count of the owners of an object.
  void acquire(int thread, const void* object);
  void release(int thread, const void* object);

  // Atomics. A compare-exchange that fails is a load. A load sees the last store.
  void load(int thread, const void* object, std::memory_order order);
  void store(int thread, const void* object, std::memory_order order);
  void modify(int thread, const void* object, std::memory_order order);
  void fence(int thread, std::memory_order order);

  Part part(int thread) const { return threads_[static_cast<std::size_t>(thread)].now.of(thread); }
  // Whether what `thread` did in `part` happens before what `later` does now.
  bool is_before(int thread, Part part, int later) const {
    return threads_[static_cast<std::size_t>(later)].now.of(thread) >= part;
  }

 private:
  struct Thread {
    Clock now;
    Clock at_release_fence;  // What a relaxed store publishes.
    Clock seen_relaxed;  // What an acquire fence takes.
  };
  Thread& thread(int number) { return threads_[static_cast<std::size_t>(number)]; }

  std::vector<Thread> threads_;
  AddressMap<Clock> objects_;  // Of an atomic: what its last store publishes.
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_HAPPENS_BEFORE_H_
