// Conflicts: before which choices of a run it could have made a difference that another thread comes first.
//
// A *block* is what a thread does from one choice to the next one. Two blocks conflict if both use the same object and
// one of them changes it. Blocks that do not conflict can be exchanged: what follows is the same. Block x *races* with
// a later block y of another thread if they conflict and nothing in between is ordered behind x and before y: then y
// could have come right before x, too.
//
// An exhaustive search uses it (Exhaustive, strategies.h): where no run that goes on with x has a y that races with x,
// it is enough to let x go on. What another thread does before x comes out the same behind x.
//
// A thread that has waited for a mutex races with each use of the mutex since it began to wait: it could have taken the
// mutex whenever that was free.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_CONFLICTS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_CONFLICTS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "spec_tests/simulator/address_map.h"

namespace futures::simulator {

// Threads are numbered from 0, at most kThreadsMax. Objects are known by their address; only the address is used.
class Conflicts {
 public:
  static constexpr int kThreadsMax = 16;
  static constexpr int kNoChoice = -1;

  // Begins a run with no threads.
  void restart();
  // `creator` is negative for the first thread.
  void start(int creator, int created);
  // `thread` goes on behind all that `ended` has done.
  void join(int thread, int ended);

  // A block of `thread` begins. `choice` is the number of the choice that let it go on, or kNoChoice.
  void begin_block(int thread, int choice) { of(thread).choice = choice; }

  // The thread uses the object.
  void read(int thread, const void* object);
  void write(int thread, const void* object);
  // The same for a mutex, whose attempts are uses, too. `has_waited`: the thread now takes what it has tried to take.
  void use_mutex(int thread, const void* mutex, bool has_waited);

  // The choices whose blocks race with later ones, with repetitions.
  const std::vector<int>& raced() const { return raced_; }

 private:
  // Of each thread how many of its uses are known.
  struct Clock {
    std::array<std::uint32_t, kThreadsMax> of{};
    void join(const Clock& other) {
      for (std::size_t i = 0; i < of.size(); ++i) of[i] = std::max(of[i], other.of[i]);
    }
  };
  struct Use {
    int thread = -1;
    std::uint32_t number = 0;
    int choice = kNoChoice;
  };
  struct Object {
    void restart();
    Use write;  // The last one.
    std::vector<Use> reads;  // Since then, the last one of each thread.
    std::vector<Use> before;  // Of a mutex: all other uses.
    Clock written;  // What the last write knew.
    Clock used;  // What all uses knew.
  };
  struct Thread {
    Clock now;
    int choice = kNoChoice;
  };

  Thread& of(int thread) { return threads_[static_cast<std::size_t>(thread)]; }
  Object& object(const void* address) { return objects_.of(reinterpret_cast<std::uintptr_t>(address)); }
  Use next_use(int thread);
  void race(const Use& earlier, int thread);

  std::array<Thread, kThreadsMax> threads_;
  AddressMap<Object> objects_;
  std::vector<int> raced_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_CONFLICTS_H_
