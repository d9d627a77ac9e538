// The memory of a simulated run under RC11: which store an atomic operation of sync:: reads and where its own store
// comes in modification order are choices like all others. MemoryModel says what there is to choose.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_WEAK_MEMORY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_WEAK_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "spec_tests/simulator/memory_model.h"
#include "spec_tests/simulator/schedule.h"

namespace futures::simulator {

// What an atomic or a mutex keeps for the model: its number there, in one run.
class MemoryTag {
 public:
  constexpr MemoryTag() = default;
  constexpr MemoryTag(const MemoryTag&) {}
  constexpr MemoryTag& operator=(const MemoryTag&) { return *this; }

 private:
  friend class WeakMemory;
  mutable std::uint32_t run_ = 0;
  mutable int number_ = 0;
};

class WeakMemory {
 public:
  // An atomic variable, which has the value of the newest store. Values are given as their bits.
  struct Word {
    const MemoryTag& tag;
    std::uint64_t newest;
  };
  // What an operation has read, whether it has stored, and the newest value afterwards.
  struct Result {
    std::uint64_t read;
    bool stored;
    std::uint64_t newest;
  };

  explicit WeakMemory(std::function<int(const Choice&)> choose) : choose_(std::move(choose)) {}

  void begin_run();
  void start_thread(int thread, int starter);
  void join_thread(int thread, int ended);
  void lock(int thread, const MemoryTag& mutex);
  void unlock(int thread, const MemoryTag& mutex);

  std::uint64_t load(int thread, Word word, std::memory_order order);
  // Returns the newest value afterwards.
  std::uint64_t store(int thread, Word word, std::memory_order order, std::uint64_t value);
  Result modify(int thread, Word word, std::memory_order order,
                const std::function<std::uint64_t(std::uint64_t)>& change);
  // `is_weak`: it may fail for no reason.
  Result compare_exchange(int thread, Word word, std::uint64_t expected, std::uint64_t desired, std::memory_order order,
                          std::memory_order failure, bool is_weak);
  void fence(int thread, std::memory_order order);

  // What Linux guarantees. Whoever is about to sleep first counts itself as a waiter, then has a full barrier, then
  // loads the word. Whoever wakes first has a full barrier, then loads the count; it wakes who has been counted. So if
  // a wake misses a waiter, this one sees what the waker has stored before the wake. There is no other guarantee: what
  // is loaded need not be the newest value, and neither call is an acquire or a release. A barrier is a fence of order
  // seq_cst.
  //
  // Returns the value that a wait compares.
  std::uint64_t futex_wait(int thread, const void* address, Word word);
  void futex_wake(int thread, const void* address);

 private:
  int location_of(const Word& word);
  int object_of(const MemoryTag& tag);
  int waiters_of(const void* address);
  // One of the positions, the first by default.
  int choose(Choice::Kind kind, const std::vector<int>& positions);
  std::uint64_t choose_and_load(int thread, int location, std::memory_order order);

  const std::function<int(const Choice&)> choose_;
  MemoryModel model_;
  std::uint32_t run_ = 0;
  std::vector<std::pair<const void*, int>> waiters_;  // Of each futex the location that counts its waiters.
  std::vector<int> positions_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_WEAK_MEMORY_H_
