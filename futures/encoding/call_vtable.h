// The small part of encoding that every call carries. The rest is in futures/encoding/encoding.h, which a program
// that uses threads only never includes.
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

// The memory that the program shares with a worker, in which a buffer travels as its position.
class WireBuffers {
 public:
  virtual ~WireBuffers() = default;
  // Returns the position of `memory` in the shared memory, and keeps it alive for as long as the other side may read
  // it. Returns nothing if the bytes have to be copied.
  virtual std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) = 0;
  // Returns the memory of `bytes` bytes that the other side has put at `place`. Returns null if the other side may
  // not name it, whatever the numbers are.
  virtual std::shared_ptr<BufferMemory> at(std::uint64_t place, std::uint64_t bytes) = 0;
};

// Large values are written and read in pieces of this size, so that one side may read a piece while the other writes
// the next. A smaller piece costs more messages; with a larger one the reader starts later. It must be a multiple of
// the size of every arithmetic type.
inline constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

// The destination of an encoded call or value. A first pass writes into the inline bytes and counts. If they do not
// suffice, the size is known, and a second pass writes straight into a block of that size. So nothing is copied in
// between.
class EncodeSink : public WireBuffers {
 public:
  explicit EncodeSink(std::span<char> inline_bytes, bool is_read_early = false) : inline_bytes_(inline_bytes), is_read_early_(is_read_early) {}
  EncodeSink(const EncodeSink&) = delete;
  EncodeSink& operator=(const EncodeSink&) = delete;

  std::span<char> inline_bytes() const noexcept { return inline_bytes_; }
  // Returns a block of `bytes` bytes. Called if the inline bytes do not suffice. Returns a smaller block if there is
  // none of that size. Nothing is then written, and whoever made the sink must give the call another outcome.
  virtual std::span<char> block(std::size_t bytes) = 0;
  // Whether a reader may read the block while it is written. It then needs publish_written.
  bool is_read_early() const noexcept { return is_read_early_; }
  // Says how many bytes of the block have been written. Called about once for each kPieceBytes, and at the end.
  virtual void publish_written(std::size_t) {}

 private:
  const std::span<char> inline_bytes_;
  const bool is_read_early_;
};

// Appends to a string. It shares no memory with another process.
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
  // Returns once the first `bytes` bytes have been written. Throws SerializationError when it gives up. What was read
  // until then is not the value, even if the error is caught.
  virtual void await(std::size_t bytes) = 0;
};

// A value that was decoded before it was known to be its call's outcome.
class EarlyValue {
 public:
  virtual ~EarlyValue() = default;
  // Stores the value as the outcome of `call`, which has the type that it was decoded for. May be called once.
  virtual void store(FutureState& call) = 0;
};

// The functions of one type of call. Constant. What a worker writes is not trusted: whatever the bytes are,
// `store_result` and `decode_early` read only within them.
struct CallVtable {
  // Runs in the worker: decodes callable and arguments, runs the call, encodes the value. Returns the size of the
  // encoding. Throws what the call throws, and SerializationError. The address of this function names the type of
  // call to the worker, which runs the same program.
  std::size_t (*run)(std::string_view encoded_call, EncodeSink& room);
  // Encodes callable and arguments. Returns the size of the encoding. Throws what their serialisation throws, and
  // SerializationError. Null for a call that keeps neither, since it was encoded when it was submitted.
  std::size_t (*encode)(FutureState& call, EncodeSink& room);
  // Decodes the value into the future's state. Throws what its deserialisation throws; then there is no value.
  void (*store_result)(FutureState& call, std::string_view encoded_value, WireBuffers& buffers);
  // Decodes a value that is still arriving. Throws the same, and what `arrival` throws. Null for a call without a value.
  std::unique_ptr<EarlyValue> (*decode_early)(std::string_view encoded_value, WireBuffers& buffers, Arrival& arrival);
};

// The Encoding of calls that cannot travel.
struct NoEncoding {
  template <typename Call>
  static const CallVtable* call_vtable() noexcept {
    return nullptr;
  }
};

// The Encoding of calls whose callable, arguments and result can travel. Incomplete for all others, and for all calls
// unless futures/encoding/encoding.h is included.
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
