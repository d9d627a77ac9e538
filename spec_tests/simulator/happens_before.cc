#include "spec_tests/simulator/happens_before.h"

#include <algorithm>
#include <cstddef>

namespace futures::simulator {
namespace {

bool acquires(std::memory_order order) {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

std::uintptr_t key(const void* object) { return reinterpret_cast<std::uintptr_t>(object); }

}  // namespace

void Clock::advance(int thread) {
  const auto at = static_cast<std::size_t>(thread);
  if (at >= parts_.size()) parts_.resize(at + 1);
  ++parts_[at];
}

void Clock::join(const Clock& other) {
  if (other.parts_.size() > parts_.size()) parts_.resize(other.parts_.size());
  for (std::size_t i = 0; i < other.parts_.size(); ++i) parts_[i] = std::max(parts_[i], other.parts_[i]);
}

void HappensBefore::restart() { objects_.restart(); }

void HappensBefore::start(int creator, int created) {
  if (threads_.size() <= static_cast<std::size_t>(created)) threads_.resize(static_cast<std::size_t>(created) + 1);
  Thread& added = thread(created);
  added.now.restart();
  added.at_release_fence.restart();
  added.seen_relaxed.restart();
  if (creator >= 0) {
    added.now.join(thread(creator).now);
    thread(creator).now.advance(creator);
  }
  added.now.advance(created);
}

void HappensBefore::join(int waiter, int ended) { thread(waiter).now.join(thread(ended).now); }

void HappensBefore::acquire(int number, const void* object) { thread(number).now.join(objects_.of(key(object))); }

void HappensBefore::release(int number, const void* object) {
  Clock& now = thread(number).now;
  objects_.of(key(object)).join(now);
  now.advance(number);
}

void HappensBefore::load(int number, const void* object, std::memory_order order) {
  Thread& self = thread(number);
  (acquires(order) ? self.now : self.seen_relaxed).join(objects_.of(key(object)));
}

void HappensBefore::store(int number, const void* object, std::memory_order order) {
  Thread& self = thread(number);
  Clock& published = objects_.of(key(object));
  published.restart();
  published.join(releases(order) ? self.now : self.at_release_fence);
  if (releases(order)) self.now.advance(number);
}

void HappensBefore::modify(int number, const void* object, std::memory_order order) {
  load(number, object, order);
  Thread& self = thread(number);
  objects_.of(key(object)).join(releases(order) ? self.now : self.at_release_fence);
  if (releases(order)) self.now.advance(number);
}

void HappensBefore::fence(int number, std::memory_order order) {
  Thread& self = thread(number);
  if (acquires(order)) self.now.join(self.seen_relaxed);
  if (!releases(order)) return;
  self.at_release_fence.restart();
  self.at_release_fence.join(self.now);
  self.now.advance(number);
}

}  // namespace futures::simulator
