#include "spec_tests/simulator/stop_token.h"

namespace futures::inline simulated::sync {

bool stop_state::request(const Where& where) noexcept {
  {
    const mutex_lock lock(mutex_, where);
    if (requested_.exchange(true, std::memory_order_acq_rel, where)) return false;
    requester_ = Machine::instance().current();
  }
  while (callback* const next = take_first(where)) {
    bool is_destroyed = false;
    next->is_destroyed_ = &is_destroyed;
    next->run();
    if (is_destroyed) continue;
    next->is_destroyed_ = nullptr;
    // From here on another thread may destroy it; the wake-up uses its address alone.
    next->has_run_.store(1, std::memory_order_release, where);
    futex_wake_all(next->has_run_, where);
  }
  return true;
}

stop_state::callback* stop_state::take_first(const Where& where) noexcept {
  const mutex_lock lock(mutex_, where);
  callback* const first = first_;
  if (first != nullptr) unlink(*first);
  return first;
}

void stop_state::unlink(callback& linked) {
  (linked.before_ == nullptr ? first_ : linked.before_->next_) = linked.next_;
  if (linked.next_ != nullptr) linked.next_->before_ = linked.before_;
  linked.is_listed_ = false;
}

bool stop_state::add(callback& added, const Where& where) noexcept {
  const mutex_lock lock(mutex_, where);
  if (requested_.load(std::memory_order_acquire, where)) return false;
  added.next_ = first_;
  if (first_ != nullptr) first_->before_ = &added;
  first_ = &added;
  added.is_listed_ = true;
  return true;
}

void stop_state::remove(callback& removed, const Where& where) noexcept {
  {
    const mutex_lock lock(mutex_, where);
    if (removed.is_listed_) return unlink(removed);
    if (requester_ == Machine::instance().current()) {
      if (removed.is_destroyed_ != nullptr) *removed.is_destroyed_ = true;
      return;
    }
  }
  while (removed.has_run_.load(std::memory_order_acquire, where) == 0) {
    futex_wait(removed.has_run_, 0, std::nullopt, where);
  }
}

}  // namespace futures::inline simulated::sync
