// Future<R>: a handle on the outcome of a call. Promise<R>: the side that makes the outcome, where no executor does.
#ifndef CONCURRENT_FUTURES_FUTURES_FUTURE_H_
#define CONCURRENT_FUTURES_FUTURES_FUTURE_H_

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "futures/errors.h"
#include "futures/internal/call.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/future_state.h"
#include "futures/timeout.h"

namespace futures {

namespace internal {

template <typename R, typename F>
class FutureCallback;
struct FutureAccess;

}  // namespace internal

// The outcome of a call, now or later. A Future is a shared handle: copies are cheap and see one state, and the last
// one may outlive the executor (law F1). R may be void, a reference, or move-only.
//
// What happened before `submit` happens before the call, and what happened in the call happens before `result` returns,
// before `wait` returns, and before its done callbacks (law E9).
//
// Thread-safe: one state may be used through different handles from any threads; one Future object, like a shared_ptr,
// must not be assigned to while another thread uses it. An empty handle (default-constructed or moved-from) throws
// InvalidStateError from everything but `valid`.
//
//   futures::Future<int> f = executor.submit(add, 1, 2);
//   int sum = f.result();
template <typename R>
class Future {
 public:
  using value_type = R;

  Future() = default;

  // Whether this handle has a state.
  bool valid() const noexcept { return handle_.get() != nullptr; }

  // Attempts to cancel the call.
  // Returns true if it is cancelled now, also if it was before; false once it is running or finished.
  // Any thread. The thread that cancels a call destroys its callable and runs its done callbacks. Idempotent. Law F2.
  bool cancel() const { return state().cancel(); }

  // Asks a call that takes a std::stop_token to end early, whether it is running or pending. Cancels nothing.
  // Returns true if this made the request; false if the call takes no token or was asked before.
  // Any thread. The token's callbacks run in the thread that asks. Law T8.
  bool request_stop() const {
    state().check_process();
    return state().request_stop();
  }

  // What the future shows; pending is none of the three. Any thread, never blocks. A future that was not done may have
  // changed by the time these return. Law F1.
  bool cancelled() const { return state().phase() == internal::Phase::kCancelled; }
  bool running() const {
    const internal::Phase phase = state().phase();
    return phase == internal::Phase::kRunning || phase == internal::Phase::kDelivering;
  }
  bool done() const { return state().is_done(); }

  // Blocks until the call is done or time is up. Returns whether it is done. Its callbacks may still be running (F11).
  bool wait(Timeout timeout = {}) const { return state().wait_until(timeout.deadline()); }

  // Waits for the call and returns its value; rethrows what it threw.
  // The reference is valid as long as any handle on this future lives and nobody takes the value.
  // Any thread, repeatable. Throws CancelledError; TimeoutError when time is up (the call goes on); InvalidStateError
  // if the value was taken. What happened in the call happens before this returns. Laws F3, F5, E9.
  decltype(auto) result(Timeout timeout = {}) const& {
    auto& result_state = state();
    result_state.get(timeout.deadline());
    if constexpr (std::is_void_v<R>) {
      return;
    } else if constexpr (std::is_lvalue_reference_v<R>) {
      return static_cast<R>(*result_state.value());
    } else {
      if (result_state.is_taken()) throw InvalidStateError("the result has been taken");
      return static_cast<const R&>(result_state.value());
    }
  }

  // The same by value, for a handle that is going away, as in `executor.submit(f).result()`. The value is moved out
  // if no other handle is left, and copied otherwise. A move-only value is taken.
  R result(Timeout timeout = {}) && {
    if constexpr (std::is_void_v<R> || std::is_lvalue_reference_v<R>) {
      return std::as_const(*this).result(timeout);
    } else if constexpr (std::is_copy_constructible_v<R>) {
      const R& value = std::as_const(*this).result(timeout);
      if (state().is_sole_handle() && state().mark_taken()) return std::move(const_cast<R&>(value));
      return value;
    } else {
      return take(timeout);
    }
  }

  // Waits for the call and moves its value out. The first take gets it. Another one, or a later `result`, throws
  // InvalidStateError. Errors and blocking as `result`. The program must not read at the same time through a reference
  // that `result` has returned. Law F3.
  R take(Timeout timeout = {}) const {
    if constexpr (std::is_void_v<R> || std::is_lvalue_reference_v<R>) {
      return result(timeout);
    } else {
      auto& result_state = state();
      result_state.get(timeout.deadline());
      if (!result_state.mark_taken()) throw InvalidStateError("the result has been taken");
      return std::move(result_state.value());
    }
  }

  // Waits for the call and returns what it threw, or null if it returned a value.
  // Errors and blocking as `result`. Law F4.
  std::exception_ptr exception(Timeout timeout = {}) const {
    internal::FutureState& future_state = state();
    if (!future_state.wait_until(timeout.deadline())) throw TimeoutError();
    if (future_state.phase() == internal::Phase::kCancelled) throw CancelledError();
    return future_state.exception();
  }

  // Runs `callback(future)`, with a `const Future&`, once the future is done. Callbacks run in the thread that made
  // the future done, in the order of registration, with no lock held. If it is done already the callback runs at
  // once, in the caller's thread. What a callback throws is logged and dropped. Any thread. Throws
  // std::invalid_argument for a null callback. Laws F8 to F10.
  // A callback that makes another future done runs the callbacks of that one before it returns. So a chain of futures,
  // each made done by a callback of the one before, takes stack for each link: some ten thousand links overflow 8 MB.
  // Longer chains go through an executor.
  template <typename F>
  void add_done_callback(F&& callback) const;

  // Two handles are equal if they are on the same future.
  friend bool operator==(const Future& a, const Future& b) noexcept { return a.handle_.get() == b.handle_.get(); }
  template <typename H>
  friend H AbslHashValue(H h, const Future& future) {
    return H::combine(std::move(h), future.handle_.get());
  }

 private:
  template <typename>
  friend class Promise;
  template <typename, typename>
  friend class internal::FutureCallback;
  friend struct internal::FutureAccess;

  explicit Future(internal::ResultState<R>& result_state) noexcept : handle_(&result_state) {}

  internal::ResultState<R>& state() const {
    if (!valid()) throw InvalidStateError("the future has no state: it is empty or was moved from");
    return static_cast<internal::ResultState<R>&>(*handle_.get());
  }

  internal::StateHandle handle_;
};

namespace internal {

// For the parts of the library that work on states: executors, wait, as_completed.
struct FutureAccess {
  template <typename R>
  static ResultState<R>& state(const Future<R>& future) {
    return future.state();
  }
  template <typename R>
  static Future<R> future(ResultState<R>& state) {
    return Future<R>(state);
  }
};

// Whether `f` is a null function pointer, an empty std::function, or the like.
template <typename F>
bool is_null_callable(const F& f) {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
    return f == nullptr;
  } else if constexpr (std::is_class_v<F> && requires { static_cast<bool>(f == nullptr); }) {
    return static_cast<bool>(f == nullptr);
  } else {
    return false;
  }
}

template <typename R, typename F>
class FutureCallback final : public Callback {
 public:
  template <typename G>
  explicit FutureCallback(G&& fn) : fn_(std::forward<G>(fn)) {}

  void run(FutureState& state) override {
    const Future<R> future(static_cast<ResultState<R>&>(state));
    std::invoke(std::move(fn_), future);
  }

 private:
  F fn_;
};

}  // namespace internal

template <typename R>
template <typename F>
void Future<R>::add_done_callback(F&& callback) const {
  using Fn = std::decay_t<F>;
  static_assert(
      std::is_nothrow_destructible_v<Fn>,
      "add_done_callback: the destructor of the callback may throw; it runs where nobody can catch, so it must be "
      "noexcept");
  static_assert(std::is_invocable_v<Fn&&, const Future&>,
                "add_done_callback: the callback must be callable with the future, as in [](const Future<R>& f) {...}");
  if constexpr (std::is_invocable_v<Fn&&, const Future&> &&
                std::is_nothrow_destructible_v<Fn>) {  // Else all has been said.
    internal::FutureState& future_state = state();
    if (internal::is_null_callable(callback)) throw std::invalid_argument("add_done_callback: the callback is null");
    future_state.add_callback(std::make_unique<internal::FutureCallback<R, Fn>>(std::forward<F>(callback)));
  }
}

// The producer's side of a Future. For code that has an outcome to deliver and is not an executor, and for tests.
//
// Thread-safe: two threads may race to set the outcome; one wins. Movable, not copyable. A promise that is destroyed
// without an outcome gives its future BrokenExecutor, so that no waiter waits for ever (law F12).
//
//   futures::Promise<int> promise;
//   futures::Future<int> future = promise.future();
//   promise.set_result(42);
template <typename R>
class Promise {
 public:
  Promise() : state_(new internal::PromiseState<R>()), future_(*state_) {}
  Promise(Promise&& other) noexcept : state_(std::exchange(other.state_, nullptr)), future_(std::move(other.future_)) {}
  // What this promise was before ends as by its destructor.
  Promise& operator=(Promise&& other) noexcept {
    Promise taken(std::move(other));
    std::swap(state_, taken.state_);
    std::swap(future_, taken.future_);
    return *this;
  }
  ~Promise() {
    if (state_ == nullptr) return;
    if (!state_->is_done()) {
      state_->fail(internal::make_error<BrokenExecutor>("the promise was dropped without an outcome"));
    }
    state_->drop_ref();
  }

  // A handle on the future. May be called any number of times.
  Future<R> future() const {
    state();
    return future_;
  }

  // Makes a pending future running and returns true. Returns false for a cancelled one, each time. Otherwise throws
  // InvalidStateError. Law F7.
  bool set_running_or_notify_cancel() { return state().claim(); }

  // Finishes the future with this value, and runs its callbacks in this thread. For void there is no argument. Throws
  // InvalidStateError if the future is done; the first outcome stays. Throws what the value's constructor throws; the
  // future is then running, and still needs an outcome. Law F6.
  template <typename... Args>
  void set_result(Args&&... args) {
    static_assert(std::is_void_v<R> ? sizeof...(Args) == 0 : sizeof...(Args) == 1,
                  "set_result: give one value, or nothing for a Promise<void>");
    static_assert(std::is_void_v<R> || std::is_constructible_v<R, Args&&...>,
                  "set_result: the promised type cannot be made from this value");
    internal::ResultState<R>& target = state();
    target.begin_outcome();
    try {
      if constexpr (std::is_void_v<R>) {
        target.emplace_from([] { return std::monostate(); });
      } else if constexpr (std::is_lvalue_reference_v<R>) {
        target.emplace_from([&] { return std::addressof(static_cast<R>(args)...); });
      } else {
        target.emplace_from([&]() -> R { return R(std::forward<Args>(args)...); });
      }
    } catch (...) {
      target.abandon_outcome();
      throw;
    }
    target.publish();
  }

  // Finishes the future with this exception, and runs its callbacks in this thread. Throws InvalidStateError if the
  // future is done, std::invalid_argument for a null pointer. Law F6.
  void set_exception(std::exception_ptr exception) {
    if (exception == nullptr) throw std::invalid_argument("set_exception: the exception is null");
    state().begin_outcome();
    state().set_exception(std::move(exception));
    state().publish();
  }

 private:
  internal::ResultState<R>& state() const {
    if (state_ == nullptr) throw InvalidStateError("the promise was moved from");
    return *state_;
  }

  internal::PromiseState<R>* state_;  // Owns one reference.
  Future<R> future_;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_FUTURE_H_
