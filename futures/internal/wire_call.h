// How a call travels to another process: the little that every call knows of it. The rest is in futures/encoding.h, which
// a program that uses threads only never includes.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_WIRE_CALL_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_WIRE_CALL_H_

#include <string>
#include <string_view>

namespace futures::internal {

class FutureState;

// One type of call; constant. What a worker writes is not trusted: `store_result` reads within its bytes whatever they are.
struct WireCall {
  // Runs in the worker: decodes callable and arguments, calls, encodes the value. Throws what the call throws, and
  // SerializationError. Its address is the call's name: worker and parent run the same program.
  void (*run)(std::string_view encoded_call, std::string& encoded_value);
  // Appends callable and arguments. Throws what their serialisation throws.
  void (*encode)(FutureState& call, std::string& encoded_call);
  // Decodes the value into the future's state. Throws what its deserialisation throws; then there is no value.
  void (*store_result)(FutureState& call, std::string_view encoded_value);
};

// An Encoding for calls that cannot travel.
struct NoEncoding {
  template <typename Call>
  static const WireCall* wire_call() noexcept {
    return nullptr;
  }
};

// Complete, once futures/encoding.h is included, for calls whose callable, arguments and result can travel.
template <typename R, typename Fn, typename... Args>
struct CallEncoding;

template <typename R, typename Fn, typename... Args>
struct EncodingOf {
  using type = NoEncoding;
};
template <typename R, typename Fn, typename... Args>
  requires requires { sizeof(CallEncoding<R, Fn, Args...>); }
struct EncodingOf<R, Fn, Args...> {
  using type = CallEncoding<R, Fn, Args...>;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_WIRE_CALL_H_
