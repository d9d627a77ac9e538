// A chunk of a map: several of its inputs in one call, for executors whose calls travel to other processes (law M6).
// futures/encoding/encoding.h knows how its parts travel.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_MAP_CHUNK_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_MAP_CHUNK_H_

#include <cstddef>
#include <exception>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <cxxabi.h>

#include "futures/encoding/call_vtable.h"
#include "futures/internal/call.h"

namespace futures::internal {

// A row of positions, each with a value, made of its parts, or an exception. Exceptions are the rare case, so the
// values lie side by side. Not thread-safe.
template <typename... Parts>
class ValuesOrErrors {
 public:
  using Value = std::tuple<Parts...>;
  struct Error {
    std::size_t position;
    std::exception_ptr exception;
  };

  std::size_t size() const { return values_.size() + errors_.size(); }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Error>& errors() const { return errors_; }  // By rising position.

  // One position more.
  template <typename... P>
  void add(P&&... parts) {
    values_.emplace_back(std::forward<P>(parts)...);
  }
  void add_value(Value value) { values_.push_back(std::move(value)); }
  void add_error(std::exception_ptr exception) { errors_.push_back({size(), std::move(exception)}); }
  void reserve(std::size_t values) { values_.reserve(values); }

  // Walks from position to position. The row must not move or grow meanwhile.
  class Walk {
   public:
    Walk() = default;
    explicit Walk(ValuesOrErrors& row) : row_(&row) {}

    bool is_at_end() const { return value_ + error_ == row_->size(); }
    void next() { ++(error() != nullptr ? error_ : value_); }

    // What stands at this position: the exception, null if it is a value; and the value.
    const std::exception_ptr* error() const {
      const std::vector<Error>& errors = row_->errors_;
      const bool is_error = error_ < errors.size() && errors[error_].position == value_ + error_;
      return is_error ? &errors[error_].exception : nullptr;
    }
    Value& value() const { return row_->values_[value_]; }
    std::size_t value_number() const { return value_; }

   private:
    ValuesOrErrors* row_ = nullptr;
    std::size_t value_ = 0;  // Values and errors before this position.
    std::size_t error_ = 0;
  };

 private:
  std::vector<Value> values_;
  std::vector<Error> errors_;
};

// What a chunk gives: a result for each input, in their order.
template <typename R>
using ChunkResults = ValuesOrErrors<stored_t<R>>;

// The callable of a chunk: calls `fn` with one input after the other, and notes what each call returns or throws. An
// input that is an error itself, since it could not be encoded or decoded, is passed on.
template <typename Fn>
struct ChunkFn {
  template <typename... Args>
  ChunkResults<call_result_t<Fn, Args...>> operator()(ValuesOrErrors<Args...> inputs) const {
    ChunkResults<call_result_t<Fn, Args...>> results;
    results.reserve(inputs.size());
    for (typename ValuesOrErrors<Args...>::Walk input(inputs); !input.is_at_end(); input.next()) {
      if (const std::exception_ptr* const error = input.error()) {
        results.add_error(*error);
      } else {
        call(input.value(), results);
      }
    }
    return results;
  }

  [[no_unique_address]] Fn fn;

 private:
  template <typename R, typename... Args>
  void call(std::tuple<Args...>& input, ValuesOrErrors<R>& results) const {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Fn, Args...>>) {
        std::apply([this](Args&... args) { invoke(args...); }, input);
        results.add(std::monostate());
      } else {
        results.add(std::apply([this](Args&... args) -> decltype(auto) { return invoke(args...); }, input));
      }
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (...) {
      results.add_error(std::current_exception());
    }
  }

  // Each call has the callable as it was given, as if it had one of its own. Where calling cannot change it, one does
  // for all.
  template <typename... Args>
  decltype(auto) invoke(Args&... args) const {
    if constexpr (requires {
                    requires std::is_same_v<std::invoke_result_t<const Fn&, Args...>,
                                            std::invoke_result_t<Fn, Args...>>;
                  }) {
      return std::invoke(fn, std::move(args)...);
    } else {
      return std::invoke(Fn(fn), std::move(args)...);
    }
  }
};

// A chunk of calls of F with Items, as one call; ItemEncoding is how one of them travels alone.
template <typename ItemEncoding, typename F, typename... Items>
struct ChunkCall {
  using Fn = ChunkFn<F>;
  using Inputs = ValuesOrErrors<Items...>;
  using Encoding = typename EncodingOf<ChunkResults<call_result_t<F, Items...>>, Fn, Inputs>::type;
  static constexpr bool kTravels = !std::is_same_v<Encoding, NoEncoding>;
};
template <typename F, typename... Items>
struct ChunkCall<NoEncoding, F, Items...> {
  static constexpr bool kTravels = false;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_MAP_CHUNK_H_
