#include "futures/internal/future_state.h"

#include <utility>

#include <cxxabi.h>

#include "absl/log/log.h"
#include "futures/encoding/call_vtable.h"
#include "futures/errors.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/exit_and_fork.h"

namespace futures::internal {
FutureState::~FutureState() {
  while (first_callback_ != nullptr) delete std::exchange(first_callback_, first_callback_->next_);
}

void FutureState::add_handle() noexcept {
  // A handle is added only by the owner of another handle or of a reference. So the last handle cannot go at the same
  // time. The first handle takes a reference for all of them.
  if (handles_.fetch_add(1, std::memory_order_relaxed) == 0) add_ref();
}

void FutureState::drop_handle() noexcept {
  // Release, acquire in is_sole_handle: what other handles read happens before the last one moves the value out.
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) drop_ref();
}

bool FutureState::step(Phase& from, Phase to) noexcept {
  std::uint32_t word = word_.load(std::memory_order_relaxed);
  do {
    if (phase_of(word) != from) {
      if (phase_of(word) == Phase::kCancelling) {
        sync::mutex_lock lock(mutex_);  // Whoever cancels it has held this since, and tells listeners.
        word = word_.load(std::memory_order_relaxed);
      }
      from = phase_of(word);
      return false;
    }
    // Acquire pairs with the release of whoever queued the state; release with readers of the new phase.
  } while (!word_.compare_exchange_weak(word, (word & ~kPhaseMask) | static_cast<std::uint32_t>(to),
                                        std::memory_order_acq_rel, std::memory_order_relaxed));
  return true;
}

Phase FutureState::phase() const {
  std::uint32_t word = word_.load(std::memory_order_acquire);
  if ((word & kRemote) != 0 && phase_of(word) == Phase::kPending) {
    remote_->look(const_cast<FutureState&>(*this));  // This only brings the word up to date.
    word = word_.load(std::memory_order_acquire);
  }
  return phase_of(word);
}

std::size_t FutureState::encode(EncodeSink& sink) {
  const std::size_t bytes = call_vtable()->encode(*this, sink);
  discard_call();
  return bytes;
}

void FutureState::set_remote_owner(std::shared_ptr<RemoteOwner> owner) {
  remote_ = std::move(owner);
  word_.fetch_or(kRemote, std::memory_order_release);
}

void FutureState::mark_running_remotely() noexcept {
  Phase from = Phase::kPending;
  step(from, Phase::kRunning);
}

bool FutureState::is_of_this_process() const noexcept {
  return generation_ == kAnyGeneration || generation_ == fork_generation();
}

void FutureState::check_process() const {
  if (generation_ != kAnyGeneration && !is_done()) check_generation(generation_);
}

bool FutureState::wait_until(sync::deadline until) {
  std::uint32_t word = word_.load(std::memory_order_acquire);
  if (!is_done(phase_of(word))) {
    check_process();
    if ((word & kRemote) != 0) {
      remote_->await(*this, until);
      word = word_.load(std::memory_order_acquire);
    }
  }
  while (!is_done(phase_of(word))) {
    if ((word & kSleepers) == 0) {
      // If this fails, the loop reads the new word.
      if (!word_.compare_exchange_weak(word, word | kSleepers, std::memory_order_acquire)) continue;
      word |= kSleepers;
    }
    const bool in_time = sync::futex_wait(word_, word, until);
    word = word_.load(std::memory_order_acquire);
    if (!in_time) break;
  }
  return is_done(phase_of(word));
}

void FutureState::get(sync::deadline until) {
  if (!wait_until(until)) throw TimeoutError();
  if (phase() == Phase::kCancelled) throw CancelledError();
  if (exception_ != nullptr) std::rethrow_exception(exception_);
}

bool FutureState::claim() {
  Phase from = Phase::kPending;
  if (step(from, Phase::kRunning)) return true;
  if (from == Phase::kCancelled) return false;
  throw InvalidStateError("the future is already running or finished");
}

void FutureState::begin_outcome() {
  Phase from = Phase::kPending;
  if (step(from, Phase::kDelivering)) return;
  // kPending is tried before kRunning, because another thread of the producer may claim in between.
  if (from == Phase::kRunning && step(from, Phase::kDelivering)) return;
  throw InvalidStateError(from == Phase::kCancelled ? "the future is cancelled" : "the future already has an outcome");
}

void FutureState::abandon_outcome() noexcept {
  Phase from = Phase::kDelivering;
  step(from, Phase::kRunning);
}

Callback* FutureState::publish_before_callbacks() {
  constexpr auto kFinished = static_cast<std::uint32_t>(Phase::kFinished);
  std::uint32_t word = word_.load(std::memory_order_relaxed);
  while ((word & kObservers) == 0) {
    // Release: the outcome happens before anyone sees kFinished.
    if (word_.compare_exchange_weak(word, kFinished, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      wake_sleepers(word);
      return nullptr;
    }
  }
  Callback* callbacks = nullptr;
  {
    sync::mutex_lock lock(mutex_);
    // Listeners are notified before anyone can see the future done. So a thread that sees it done and then makes
    // another future done is notified of after it (law W5). A notified thread reads the future only after this lock
    // is released.
    tell_listeners();
    word = word_.exchange(kFinished, std::memory_order_acq_rel);
    callbacks = take_callbacks();
  }
  wake_sleepers(word);
  return callbacks;
}

void FutureState::publish() { run_callbacks(publish_before_callbacks()); }

bool FutureState::begin_failure(std::exception_ptr exception) {
  Phase from = Phase::kPending;
  if (!step(from, Phase::kDelivering)) {
    if (from != Phase::kRunning || !step(from, Phase::kDelivering)) return false;
  }
  discard_call();
  set_exception(std::move(exception));
  return true;
}

bool FutureState::fail(std::exception_ptr exception) {
  if (!begin_failure(std::move(exception))) return false;
  publish();
  return true;
}

bool FutureState::mark_failed(std::exception_ptr exception) noexcept {
  if (!begin_failure(std::move(exception))) return false;
  Callback* const callbacks = publish_before_callbacks();
  if (callbacks == nullptr) return true;
  sync::mutex_lock lock(mutex_);  // Nobody adds any more: the future is done.
  first_callback_ = callbacks;
  return true;
}

void FutureState::announce_failed() {
  Callback* callbacks = nullptr;
  {
    sync::mutex_lock lock(mutex_);
    callbacks = take_callbacks();
  }
  run_callbacks(callbacks);
}

bool FutureState::mark_cancelled() noexcept {
  constexpr auto kCancelled = static_cast<std::uint32_t>(Phase::kCancelled);
  std::uint32_t word = word_.load(std::memory_order_relaxed);
  while (phase_of(word) == Phase::kPending && (word & kObservers) == 0) {
    if (word_.compare_exchange_weak(word, kCancelled, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      flags_at_cancel_ = word;
      wake_sleepers(word);
      return true;
    }
  }
  if (phase_of(word) != Phase::kPending && phase_of(word) != Phase::kCancelling) return false;
  {
    sync::mutex_lock lock(mutex_);  // If another thread is cancelling, it is done with that now.
    Phase from = Phase::kPending;
    if (!step(from, Phase::kCancelling)) return false;
    // As in publish_before_callbacks. The word says kCancelling, because a cancel may still come too late for a claim.
    tell_listeners();
    flags_at_cancel_ = word_.exchange(kCancelled, std::memory_order_acq_rel);
  }
  wake_sleepers(flags_at_cancel_);
  return true;
}

void FutureState::announce_cancelled() {
  discard_call();
  if ((flags_at_cancel_ & kObservers) == 0) return;
  Callback* callbacks = nullptr;
  {
    sync::mutex_lock lock(mutex_);
    callbacks = take_callbacks();
  }
  run_callbacks(callbacks);
}

bool FutureState::cancel() {
  check_process();
  const bool remote = (word_.load(std::memory_order_acquire) & kRemote) != 0;
  if (remote ? remote_->cancel(*this) : mark_cancelled()) {
    announce_cancelled();
    return true;
  }
  return phase() == Phase::kCancelled;
}

void FutureState::wake_sleepers(std::uint32_t flags) noexcept {
  if ((flags & kSleepers) != 0) sync::futex_wake_all(word_);
}

void FutureState::tell_listeners() noexcept {
  while (listeners_ != nullptr) {
    Listener& listener = *listeners_;
    listeners_ = listener.next_;
    listener.link_ = nullptr;
    listener.on_done(*this);
  }
}

Callback* FutureState::take_callbacks() noexcept {
  last_callback_ = &first_callback_;
  return std::exchange(first_callback_, nullptr);
}

void FutureState::run_callbacks(Callback* first) {
  while (first != nullptr) {
    std::unique_ptr<Callback> callback(std::exchange(first, first->next_));
    try {
      callback->run(*this);
    } catch (abi::__forced_unwind&) {
      // The callback ends its thread (pthread_exit). The others still run on it, and then the unwinding goes on.
      callback.reset();
      drop_handle();
      run_callbacks(first);
      throw;
    } catch (...) {
      log_current_exception("a done callback threw: ");
    }
    callback.reset();
    drop_handle();
  }
}

bool FutureState::announce_observer() noexcept {
  std::uint32_t word = word_.load(std::memory_order_acquire);
  do {
    if (is_done(phase_of(word))) return false;
  } while ((word & kObservers) == 0 &&
           !word_.compare_exchange_weak(word, word | kObservers, std::memory_order_acq_rel, std::memory_order_acquire));
  return true;
}

void FutureState::add_callback(std::unique_ptr<Callback> callback) {
  check_process();
  add_handle();
  if (!is_done()) {
    sync::mutex_lock lock(mutex_);
    if (announce_observer()) {
      // The finishing thread sees the flag and then takes this lock. So it finds the callback.
      *last_callback_ = callback.release();
      last_callback_ = &(*last_callback_)->next_;
      return;
    }
  }
  run_callbacks(callback.release());
}

bool FutureState::add_listener(Listener& listener) {
  check_process();
  if (is_done()) return false;
  sync::mutex_lock lock(mutex_);
  if (!announce_observer()) return false;
  listener.next_ = listeners_;
  listener.link_ = &listeners_;
  if (listeners_ != nullptr) listeners_->link_ = &listener.next_;
  listeners_ = &listener;
  return true;
}

void FutureState::remove_listener(Listener& listener) noexcept {
  sync::mutex_lock lock(mutex_);
  if (listener.link_ == nullptr) return;
  *listener.link_ = listener.next_;
  if (listener.next_ != nullptr) listener.next_->link_ = listener.link_;
  listener.link_ = nullptr;
}

void FutureState::run_claimed() { std::terminate(); }

}  // namespace futures::internal
