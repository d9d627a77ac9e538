// A future's state with room for the value, and the call that makes the value, in one allocation.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CALL_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CALL_H_

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <cxxabi.h>

#include "futures/encoding/call_vtable.h"
#include "futures/errors.h"
#include "futures/internal/callable.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/future_state.h"
#include "futures/internal/sync.h"

namespace futures::internal {

// What a Future<R> stores: nothing for void, an address for a reference, the value itself otherwise.
template <typename R>
struct Storage {
  using type = R;
};
template <>
struct Storage<void> {
  using type = std::monostate;
};
template <typename R>
struct Storage<R&> {
  using type = R*;
};
template <typename R>
using stored_t = typename Storage<R>::type;

template <typename R>
class ResultState : public FutureState {
 public:
  using Stored = stored_t<R>;
  static_assert(
      std::is_nothrow_destructible_v<Stored>,
      "Future: the destructor of the result may throw; it runs where nobody can catch, so it must be noexcept");

  // Makes the value in place from what `make` returns; a prvalue is never moved. By the thread that will publish, at
  // most once. Throws what `make` throws, and then there is no value.
  template <typename Make>
  void emplace_from(Make&& make) {
    ::new (static_cast<void*>(std::addressof(value_))) Stored(std::forward<Make>(make)());
    has_value_ = true;
  }

  // Only after `get` has returned.
  Stored& value() noexcept { return value_; }

 protected:
  explicit ResultState(std::uint32_t generation) noexcept : FutureState(generation) {}  // Leaves value_ unmade.
  ~ResultState() override {
    if (has_value_) value_.~Stored();
  }

 private:
  union {
    Stored value_;
  };
  bool has_value_ = false;  // Written before publish, read by the destructor.
};

// The state behind a Promise: no call.
template <typename R>
class PromiseState final : public ResultState<R> {
 public:
  PromiseState() : ResultState<R>(kAnyGeneration) {}
};

// The stop source of a call that takes a token: std::monostate for one that does not.
template <bool kTakesStopToken>
using stop_source_t = std::conditional_t<kTakesStopToken, sync::stop_source, std::monostate>;

// One accepted call: the callable with its arguments, and the future's state.
template <typename R, bool kTakesStopToken, typename Encoding, typename Fn, typename... Args>
class Call final : public ResultState<R> {
 public:
  template <typename F, typename... A>
  explicit Call(F&& fn, A&&... args)
      : ResultState<R>(fork_generation()), call_(std::in_place, std::forward<F>(fn), std::forward<A>(args)...) {}

  // What is left to be encoded. Only before the callable is destroyed.
  const std::tuple<Fn, Args...>& parts() const noexcept { return *call_; }

  const CallVtable* call_vtable() const noexcept override { return Encoding::template call_vtable<Call>(); }

  bool takes_stop_token() const noexcept override { return kTakesStopToken; }

  bool request_stop() noexcept override {
    if constexpr (kTakesStopToken) return stop_.request_stop();
    return false;
  }

  void run_claimed() override {
    try {
      invoke_and_store();
    } catch (abi::__forced_unwind&) {
      // The body ends its thread with pthread_exit: law E3.
      call_.reset();
      this->set_exception(make_error<BrokenExecutor>("the call ended its thread"));
      this->publish();
      throw;
    } catch (...) {
      this->set_exception(std::current_exception());
    }
    call_.reset();
    this->publish();
  }

 private:
  void invoke_and_store() {
    const auto invoke = [this](Fn& fn, Args&... args) -> R { return invoke_with(fn, args...); };
    if constexpr (std::is_void_v<R>) {
      std::apply(invoke, *call_);
      this->emplace_from([] { return std::monostate(); });
    } else if constexpr (std::is_lvalue_reference_v<R>) {
      this->emplace_from([&] { return std::addressof(std::apply(invoke, *call_)); });
    } else {
      this->emplace_from([&]() -> R { return std::apply(invoke, *call_); });
    }
  }

  R invoke_with(Fn& fn, Args&... args) {
    if constexpr (kTakesStopToken) {
      return std::invoke(std::move(fn), stop_.get_token(), std::move(args)...);
    } else {
      return std::invoke(std::move(fn), std::move(args)...);
    }
  }

  void discard_call() noexcept override { call_.reset(); }

  [[no_unique_address]] stop_source_t<kTakesStopToken> stop_;
  std::optional<std::tuple<Fn, Args...>> call_;
};

// How a call of Fn with Args travels, as far as the headers included so far say.
template <typename Fn, typename... Args>
struct EncodingIfCallable : std::type_identity<NoEncoding> {};
template <typename Fn, typename... Args>
  requires(is_callable_v<Fn, Args...> && !takes_stop_token_v<Fn, Args...>)
struct EncodingIfCallable<Fn, Args...>
    : EncodingOf<call_result_t<Fn, Args...>, std::decay_t<Fn>, stored_argument_t<Args>...> {};
template <typename Fn, typename... Args>
using encoding_of_t = typename EncodingIfCallable<Fn, Args...>::type;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CALL_H_
