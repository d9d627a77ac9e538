// What a call stores of its arguments, whether it wants a stop token, and what it returns.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CALLABLE_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CALLABLE_H_

#include <concepts>
#include <functional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "futures/internal/sync.h"

namespace futures::internal {

// A stand-in for a reference to one bit, which points into its container: that of std::vector<bool>, and those of
// std::bitset, which have no name that could be matched. What flip() returns differs between standard libraries.
template <typename T>
concept BitReference =
    std::is_same_v<T, std::vector<bool>::reference> ||
    (std::is_class_v<T> && !std::is_default_constructible_v<T> && std::is_convertible_v<T, bool> && requires(T& bit) {
      { bit = true } -> std::same_as<T&>;
      bit.flip();
      { ~bit } -> std::same_as<bool>;
    });

// What a call keeps of something given as a T: as std::thread keeps it, a decayed copy; of a reference to a bit, the
// bit.
template <typename T>
struct StoredArgument : std::decay<T> {};
template <typename T>
  requires BitReference<std::remove_cvref_t<T>>
struct StoredArgument<T> : std::type_identity<bool> {};
template <typename T>
using stored_argument_t = typename StoredArgument<T>::type;

// What a call of a map keeps of an item of the input. An iterator that gives no reference may give a stand-in for one,
// as those of std::vector<bool> and C++23's std::views::zip do: then it is the range's value type that is kept.
template <std::ranges::input_range Input>
using map_argument_t =
    stored_argument_t<std::conditional_t<std::is_reference_v<std::ranges::range_reference_t<Input>>,
                                         std::ranges::range_reference_t<Input>, std::ranges::range_value_t<Input>>>;

// Whether that can be made of what the iterator gives.
template <typename Input>
inline constexpr bool kItemsStorable =
    std::is_constructible_v<map_argument_t<Input>, std::ranges::range_reference_t<Input>>;

// The first parameter of a function, or of an object's only operator().
template <typename R, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (*)(First, Rest...) noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) const noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) & noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) const& noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) && noexcept(kNoexcept));
template <typename R, typename C, typename First, typename... Rest, bool kNoexcept>
std::type_identity<First> first_parameter(R (C::*)(First, Rest...) const&& noexcept(kNoexcept));

// `Pointer` is that of an operator(). One with an explicit object parameter (C++23) is a pointer to a function, of
// which this is the first parameter: it is left out. A static operator() (C++23) has none.
template <typename Fn, typename Pointer>
struct WithoutObject : std::type_identity<Pointer> {};
template <typename Fn, typename R, typename Object, typename... Parameters, bool kNoexcept>
  requires std::is_base_of_v<std::remove_cvref_t<Object>, Fn>
struct WithoutObject<Fn, R (*)(Object, Parameters...) noexcept(kNoexcept)> : std::type_identity<R (*)(Parameters...)> {
};

// The pointer that says what a callable's parameters are. None where operator() is overloaded or a template.
template <typename Fn>
struct CallPointer {};
template <typename Fn>
  requires std::is_function_v<std::remove_pointer_t<Fn>>
struct CallPointer<Fn> : std::type_identity<Fn> {};
template <typename Fn>
  requires requires { &Fn::operator(); }
struct CallPointer<Fn> : WithoutObject<Fn, decltype(&Fn::operator())> {};

// Whether a callable says in so many words that its first parameter is a stop token.
template <typename Fn>
concept DeclaresStopToken = requires {
  requires std::is_same_v<
      std::remove_cvref_t<typename decltype(first_parameter(std::declval<typename CallPointer<Fn>::type>()))::type>,
      sync::stop_token>;
};

template <typename Fn, typename... Args>
concept CallableAsGiven = std::is_invocable_v<std::decay_t<Fn>, stored_argument_t<Args>...>;
template <typename Fn, typename... Args>
concept CallableWithToken = std::is_invocable_v<std::decay_t<Fn>, sync::stop_token, stored_argument_t<Args>...>;

// Whether a call of `fn(args...)` is given a stop token before its arguments, as std::jthread gives one (law T8): where
// the callable declares one, and where it cannot be called without. A callable that takes anything is called as it was
// given; it is not even instantiated with a token.
template <typename Fn, typename... Args>
constexpr bool takes_stop_token() {
  if constexpr (DeclaresStopToken<std::decay_t<Fn>>) {
    return CallableWithToken<Fn, Args...>;
  } else if constexpr (CallableAsGiven<Fn, Args...>) {
    return false;
  } else {
    return CallableWithToken<Fn, Args...>;
  }
}
template <typename Fn, typename... Args>
inline constexpr bool takes_stop_token_v = takes_stop_token<Fn, Args...>();

// Whether the callable can be called at all.
template <typename Fn, typename... Args>
inline constexpr bool is_callable_v = takes_stop_token_v<Fn, Args...> || CallableAsGiven<Fn, Args...>;

template <bool kTakesStopToken, typename Fn, typename... Args>
struct CallResult : std::invoke_result<std::decay_t<Fn>, stored_argument_t<Args>...> {};
template <typename Fn, typename... Args>
struct CallResult<true, Fn, Args...>
    : std::invoke_result<std::decay_t<Fn>, sync::stop_token, stored_argument_t<Args>...> {};

// What a future holds of what a callable returns: no const at the top, no rvalue reference.
template <typename R>
using held_t = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

template <typename Fn, typename... Args>
using call_result_t = held_t<typename CallResult<takes_stop_token_v<Fn, Args...>, Fn, Args...>::type>;

// Whether the callable and the arguments can be stored in a call.
template <typename Fn, typename... Args>
inline constexpr bool is_storable_v =
    std::is_constructible_v<std::decay_t<Fn>, Fn> && (std::is_constructible_v<stored_argument_t<Args>, Args> && ...);

// Whether their destructors, which run where nobody could catch, promise not to throw.
template <typename Fn, typename... Args>
inline constexpr bool is_quietly_destroyed_v = std::is_nothrow_destructible_v<std::decay_t<Fn>> &&
                                               (std::is_nothrow_destructible_v<stored_argument_t<Args>> && ...);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CALLABLE_H_
