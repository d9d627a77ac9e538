// How a call travels: its callable and arguments to a worker, its value back. Fills in the table of call_vtable.h. Part
// of futures/encoding/encoding.h.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_ENCODING_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_ENCODING_H_

#include <array>
#include <bit>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "futures/encoding/archive.h"
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/module_address.h"
#include "futures/encoding/travels.h"
#include "futures/internal/call.h"

namespace futures::internal {

template <typename T>
void write_value(WireOutput& archive, const T& value) {
  if constexpr (NamedFunction<T>) {
    const ModuleAddress name = name_of(reinterpret_cast<const void*>(value));
    archive.write(&name, sizeof(name));
  } else if constexpr (CopiedBitwise<T>) {
    archive.write(&value, sizeof(value));
  } else if constexpr (!Stateless<T>) {
    archive(value);
  }
}

template <typename T>
T read_value(WireInput& archive) {
  if constexpr (NamedFunction<T>) {
    ModuleAddress name;
    archive.read(&name, sizeof(name));
    return reinterpret_cast<T>(const_cast<void*>(address_of(name)));
  } else if constexpr (CopiedBitwise<T>) {
    std::array<std::byte, sizeof(T)> bytes;
    archive.read(bytes.data(), bytes.size());
    if constexpr (kMadeOfBools<T>) make_bools(bytes.data(), bytes.size());
    return std::bit_cast<T>(bytes);
  } else {
    read_as_t<T> value{};
    if constexpr (!Stateless<T>) archive(value);
    return value;
  }
}

// How a call travels: see call_vtable.h.
template <typename R, typename Fn, typename... Args>
  requires(ResultTravels<R> && CallableTravels<Fn> && (ValueTravels<Args> && ...))
struct CallEncoding<R, Fn, Args...> {
  // Call is a Call or a RemoteCall.
  template <typename Call>
  static const CallVtable* call_vtable() noexcept {
    static constexpr CallVtable kVtable = {&run, &encode<Call>, &store_result, &decode_early};
    return &kVtable;
  }

  static std::size_t run(std::string_view encoded_call, EncodeSink& sink) {
    WireInput input(encoded_call, &sink);
    // Braces, not parentheses: they fix the order of reading.
    std::tuple<Fn, Args...> parts{read_value<Fn>(input), read_value<Args>(input)...};
    input.check_end();
    const auto call = [](Fn& fn, Args&... args) -> R { return std::invoke(std::move(fn), std::move(args)...); };
    if constexpr (std::is_void_v<R>) {
      std::apply(call, parts);
      return 0;
    } else {
      const R value = std::apply(call, parts);
      return encode_into(sink, [&value](WireOutput& output) { write_value(output, value); });
    }
  }

  template <typename Call>
  static std::size_t encode(FutureState& call, EncodeSink& sink) {
    return encode_into(sink, [&call](WireOutput& output) {
      std::apply([&output](const auto&... parts) { (write_value(output, parts), ...); },
                 static_cast<Call&>(call).parts());
    });
  }

  static void store_result(FutureState& call, std::string_view encoded_value, WireBuffers& buffers) {
    if constexpr (std::is_void_v<R>) {
      WireInput(encoded_value, &buffers).check_end();
      static_cast<ResultState<R>&>(call).emplace_from([] { return std::monostate(); });
    } else {
      Decoded(encoded_value, buffers, nullptr).store(call);
    }
  }

  static std::unique_ptr<EarlyValue> decode_early(std::string_view encoded_value, WireBuffers& buffers,
                                                  Arrival& arrival) {
    if constexpr (std::is_void_v<R>) {
      return nullptr;
    } else {
      return std::make_unique<Decoded>(encoded_value, buffers, &arrival);
    }
  }

 private:
  // A value that was decoded, from bytes that were all there or that were still arriving.
  class Decoded final : public EarlyValue {
   public:
    Decoded(std::string_view encoded, WireBuffers& buffers, Arrival* arrival)
        : Decoded(WireInput(encoded, &buffers, arrival)) {}
    void store(FutureState& call) override {
      static_cast<ResultState<R>&>(call).emplace_from([this]() -> R { return std::move(value_); });
    }

   private:
    explicit Decoded(WireInput&& input) : value_(read_value<R>(input)) { input.check_end(); }
    R value_;
  };
};

// A call that its executor encodes before submit returns. It points to the callable and the arguments where the caller
// has them, so that no copy of them is made; afterwards only the future's state is left.
template <typename R, typename Fn, typename... Args>
class RemoteCall final : public ResultState<R> {
 public:
  using Parts = std::tuple<const Fn&, const Args&...>;

  // `parts` must live until the call is encoded, or has failed.
  explicit RemoteCall(const Parts& parts) : ResultState<R>(fork_generation()), parts_(&parts) {}

  const Parts& parts() const noexcept { return *parts_; }
  const CallVtable* call_vtable() const noexcept override {
    return CallEncoding<R, Fn, Args...>::template call_vtable<RemoteCall>();
  }

 private:
  void discard_call() noexcept override { parts_ = nullptr; }

  const Parts* parts_;
};

// Destroys the value of an argument that was given as an rvalue, as storing it in a call and ending the call would. If
// its move throws, it stays as the move left it: the call is accepted already.
template <typename T>
void consume_rvalue(T&& given) noexcept {
  if constexpr (!std::is_lvalue_reference_v<T> && !std::is_const_v<T> && !std::is_trivially_destructible_v<T>) {
    try {
      [[maybe_unused]] const T consumed = std::forward<T>(given);
    } catch (...) {
    }
  }
}

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_ENCODING_H_
