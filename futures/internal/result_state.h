// A future's state with room for the value, and the call that makes the value, in one allocation.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_RESULT_STATE_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_RESULT_STATE_H_

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

#include "futures/errors.h"
#include "futures/internal/future_state.h"

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
  ResultState() {}  // NOLINT(modernize-use-equals-default): leaves value_ unmade.
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
class PromiseState final : public ResultState<R> {};

// One accepted call: the callable with its arguments, and the future's state.
template <typename R, typename Fn, typename... Args>
class Call final : public ResultState<R> {
 public:
  template <typename F, typename... A>
  explicit Call(F&& fn, A&&... args) : call_(std::in_place, std::forward<F>(fn), std::forward<A>(args)...) {}

  void run_claimed() override {
    try {
      invoke_and_store();
    } catch (abi::__forced_unwind&) {
      // The body ends its thread with pthread_exit: law E3.
      call_.reset();
      this->set_exception(std::make_exception_ptr(BrokenExecutor("the call ended its thread")));
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
    const auto invoke = [](Fn& fn, Args&... args) -> R { return std::invoke(std::move(fn), std::move(args)...); };
    if constexpr (std::is_void_v<R>) {
      std::apply(invoke, *call_);
      this->emplace_from([] { return std::monostate(); });
    } else if constexpr (std::is_lvalue_reference_v<R>) {
      this->emplace_from([&] { return std::addressof(std::apply(invoke, *call_)); });
    } else {
      this->emplace_from([&]() -> R { return std::apply(invoke, *call_); });
    }
  }

  void discard_call() noexcept override { call_.reset(); }

  std::optional<std::tuple<Fn, Args...>> call_;
};

// What a future holds for a callable that returns R: no const at the top, no rvalue reference.
template <typename R>
using held_t = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

// What a call of Fn with Args gives, as a future holds it: no const at the top, no rvalue reference.
template <typename R>
using held_t = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

template <typename Fn, typename... Args>
using call_result_t = held_t<std::invoke_result_t<std::decay_t<Fn>, std::decay_t<Args>...>>;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_RESULT_STATE_H_
