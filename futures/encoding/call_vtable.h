// How a call travels to another process: the little that every call knows of it. The rest is in
// futures/encoding/encoding.h, which a program that only uses threads never includes.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_VTABLE_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_VTABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace futures::internal {

class BufferMemory;
class FutureState;

// Memory that both sides of a call share, so that a buffer travels as its place there.
class WireBuffers {
 public:
  virtual ~WireBuffers() = default;
  // Where the other side finds the memory, which lives as long as the other side may read it. Nothing if the bytes have
  // to be copied.
  virtual std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) = 0;
  // The memory of `bytes` bytes that the other side has put at `place`. Null if it had no right to. Both numbers may be
  // anything.
  virtual std::shared_ptr<BufferMemory> at(std::uint64_t place, std::uint64_t bytes) = 0;
};

// Large values are written and read in pieces of this size, so that one side may read a piece while the other writes
// the next. Smaller: the writer publishes more often. Larger: the reader starts later. A multiple of the size of every
// arithmetic type.
inline constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

// Where an encoded call or value goes: to inline bytes of fixed size, or to a block of the size that it needs. It is
// encoded to the inline bytes first. If they are too few, its size is known then, and it is encoded a second time, to
// the block. So it is written to where it travels from, and is never copied.
class EncodeSink : public WireBuffers {
 public:
  explicit EncodeSink(std::span<char> inline_bytes, bool is_read_early = false)
      : inline_bytes_(inline_bytes), is_read_early_(is_read_early) {}
  EncodeSink(const EncodeSink&) = delete;
  EncodeSink& operator=(const EncodeSink&) = delete;

  std::span<char> inline_bytes() const noexcept { return inline_bytes_; }
  // Returns a block of `bytes` bytes, which are more than the inline bytes. A smaller one if there is no memory for it:
  // then the sink itself takes care of what becomes of the call or value.
  virtual std::span<char> block(std::size_t bytes) = 0;
  // Whether the other side may read the beginning of the block while the rest is being written.
  bool is_read_early() const noexcept { return is_read_early_; }
  // The first `bytes` of the block have been written. Called about once for each kPieceBytes, and at the end.
  virtual void publish_written([[maybe_unused]] std::size_t bytes) {}

 private:
  const std::span<char> inline_bytes_;
  const bool is_read_early_;
};

// The end of a string, and no memory that others share.
class StringSink final : public EncodeSink {
 public:
  explicit StringSink(std::string& text) : EncodeSink({}), text_(text) {}

  std::span<char> block(std::size_t bytes) override {
    const std::size_t before = text_.size();
    text_.resize(before + bytes);
    return std::span(text_).subspan(before);
  }
  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>&) override { return std::nullopt; }
  std::shared_ptr<BufferMemory> at(std::uint64_t, std::uint64_t) override { return nullptr; }

 private:
  std::string& text_;
};

// Encoded bytes that are read while they are still being written.
class Arrival {
 public:
  virtual ~Arrival() = default;
  // Returns once the first `bytes` have been written. Throws SerializationError when it gives up. What was read until
  // then is not the value, whatever the reader does with that error.
  virtual void await(std::size_t bytes) = 0;
};

// A value that was decoded before it was certain that it is the outcome of its call.
class EarlyValue {
 public:
  virtual ~EarlyValue() = default;
  // Stores it as the outcome of `call`, which is of the type that it was decoded for. Called once at most.
  virtual void store(FutureState& call) = 0;
};

// The functions of one type of call; constant. What a worker writes is not trusted: `store_result` and `decode_early`
// stay within their bytes, whatever those are.
struct CallVtable {
  // Runs in the worker: decodes callable and arguments, calls, encodes the value. Returns its size. Throws what the
  // call throws, and SerializationError. Its address is the call's name: worker and parent run the same program.
  std::size_t (*run)(std::string_view encoded_call, EncodeSink& sink);
  // Encodes callable and arguments. Returns their size. Throws what their serialisation throws, and SerializationError.
  std::size_t (*encode)(FutureState& call, EncodeSink& sink);
  // Decodes the value into the future's state. Throws what its deserialisation throws; then there is no value.
  void (*store_result)(FutureState& call, std::string_view encoded_value, WireBuffers& buffers);
  // Decodes a value that is still arriving. Throws the same, and what `arrival` throws. Null for a call without a
  // value.
  std::unique_ptr<EarlyValue> (*decode_early)(std::string_view encoded_value, WireBuffers& buffers, Arrival& arrival);
};

// An Encoding for calls that cannot travel.
struct NoEncoding {
  template <typename Call>
  static const CallVtable* call_vtable() noexcept {
    return nullptr;
  }
};

// Complete, once futures/encoding/encoding.h is included, for calls whose callable, arguments and result can travel.
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

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_CALL_VTABLE_H_
