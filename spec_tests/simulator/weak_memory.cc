#include "spec_tests/simulator/weak_memory.h"

#include <algorithm>
#include <functional>

#include "spec_tests/simulator/machine.h"

namespace futures::simulator {

void WeakMemory::begin_run() {
  ++run_;
  model_.reset();
  waiters_.clear();
}

// What these allocate is the simulator's, not the program's.
void WeakMemory::start_thread(int thread, int starter) {
  const Machine::Inside inside;
  model_.start_thread(thread, starter);
}

void WeakMemory::join_thread(int thread, int ended) {
  const Machine::Inside inside;
  model_.join_thread(thread, ended);
}

void WeakMemory::lock(int thread, const MemoryTag& mutex) {
  const Machine::Inside inside;
  model_.acquire(thread, object_of(mutex));
}

void WeakMemory::unlock(int thread, const MemoryTag& mutex) {
  const Machine::Inside inside;
  model_.release(thread, object_of(mutex));
}

void WeakMemory::fence(int thread, std::memory_order order) {
  const Machine::Inside inside;
  model_.fence(thread, order);
}

int WeakMemory::location_of(const Word& word) {
  if (word.tag.run_ != run_) {
    word.tag.run_ = run_;
    word.tag.number_ = model_.add_location(word.newest);
  }
  return word.tag.number_;
}

int WeakMemory::object_of(const MemoryTag& tag) {
  if (tag.run_ != run_) {
    tag.run_ = run_;
    tag.number_ = model_.add_object();
  }
  return tag.number_;
}

int WeakMemory::waiters_of(const void* address) {
  for (const auto& [known, location] : waiters_) {
    if (known == address) return location;
  }
  waiters_.emplace_back(address, model_.add_location(0));
  return waiters_.back().second;
}

int WeakMemory::choose(Choice::Kind kind, const std::vector<int>& positions) {
  if (positions.size() == 1) return positions[0];
  const int options = static_cast<int>(positions.size());
  return positions[static_cast<std::size_t>(choose_({.kind = kind, .options = options, .first_fault = options}))];
}

std::uint64_t WeakMemory::choose_and_load(int thread, int location, std::memory_order order) {
  const int position = choose(Choice::Kind::kStoreRead, model_.load_options(thread, location, order));
  const std::uint64_t value = model_.value(location, position);
  model_.load(thread, location, order, position);
  return value;
}

std::uint64_t WeakMemory::load(int thread, Word word, std::memory_order order) {
  const Machine::Inside inside;
  return choose_and_load(thread, location_of(word), order);
}

std::uint64_t WeakMemory::store(int thread, Word word, std::memory_order order, std::uint64_t value) {
  const Machine::Inside inside;
  const int location = location_of(word);
  const int position = choose(Choice::Kind::kStorePlace, model_.store_options(thread, location, order));
  model_.store(thread, location, order, position, value);
  return model_.newest(location);
}

WeakMemory::Result WeakMemory::modify(int thread, Word word, std::memory_order order,
                                      const std::function<std::uint64_t(std::uint64_t)>& change) {
  const Machine::Inside inside;
  const int location = location_of(word);
  const int position = choose(Choice::Kind::kStoreRead, model_.modify_options(thread, location, order));
  const std::uint64_t read = model_.value(location, position);
  model_.modify(thread, location, order, position, change(read));
  return {.read = read, .stored = true, .newest = model_.newest(location)};
}

WeakMemory::Result WeakMemory::compare_exchange(int thread, Word word, std::uint64_t expected, std::uint64_t desired,
                                                std::memory_order order, std::memory_order failure, bool is_weak) {
  const Machine::Inside inside;
  const int location = location_of(word);
  const auto holds = [&](int position) { return model_.value(location, position) == expected; };
  positions_.clear();
  for (const int position : model_.modify_options(thread, location, order)) {
    if (holds(position)) positions_.push_back(position);
  }
  for (const int position : model_.load_options(thread, location, failure)) {
    if (!holds(position)) positions_.push_back(position);
  }
  std::sort(positions_.begin(), positions_.end(), std::greater<>());
  int position = choose(Choice::Kind::kStoreRead, positions_);
  bool succeeds = holds(position);
  if (succeeds && is_weak && choose_({.kind = Choice::Kind::kWeakFailure, .options = 2, .first_fault = 1}) != 0) {
    succeeds = false;
    positions_ = model_.load_options(thread, location, failure);
    std::erase_if(positions_, [&](int other) { return !holds(other); });
    position = choose(Choice::Kind::kStoreRead, positions_);
  }
  const std::uint64_t read = model_.value(location, position);
  if (succeeds) {
    model_.modify(thread, location, order, position, desired);
  } else {
    model_.load(thread, location, failure, position);
  }
  return {.read = read, .stored = succeeds, .newest = model_.newest(location)};
}

std::uint64_t WeakMemory::futex_wait(int thread, const void* address, Word word) {
  const Machine::Inside inside;
  const int waiters = waiters_of(address);
  // The order in which the simulator executes is that of the kernel's lock: the newest count.
  const int position = model_.modify_options(thread, waiters, std::memory_order_relaxed).front();
  model_.modify(thread, waiters, std::memory_order_relaxed, position, model_.value(waiters, position) + 1);
  model_.fence(thread, std::memory_order_seq_cst);
  return choose_and_load(thread, location_of(word), std::memory_order_relaxed);
}

void WeakMemory::futex_wake(int thread, const void* address) {
  const Machine::Inside inside;
  const int waiters = waiters_of(address);
  model_.fence(thread, std::memory_order_seq_cst);
  model_.load(thread, waiters, std::memory_order_relaxed,
              model_.load_options(thread, waiters, std::memory_order_relaxed).front());
}

}  // namespace futures::simulator
