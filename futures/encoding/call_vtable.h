// How a call travels to another process: the little that every call knows of it. The rest is in futures/encoding/encoding.h, which
// a program that uses threads only never includes.
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
  // Where the other side finds the memory, which stays as long as it may look; nothing if the bytes have to be copied.
  virtual std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) = 0;
  // What the other side has placed there, of so many bytes. Null if it had no right to; whatever the numbers are.
  virtual std::shared_ptr<BufferMemory> at(std::uint64_t place, std::uint64_t bytes) = 0;
};

// Large values are written and read in pieces of this size, so that one side may read a piece while the other writes the next.
// Smaller: more to tell; larger: the reader starts later. A multiple of the size of every arithmetic type.
inline constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

// Where an encoded call or value goes. What it is encoded from is gone through once if it fits at hand, and a second time
// if not, since only then its size is known: so that it is written where it travels from, and nowhere before.
class EncodeSink : public WireBuffers {
 public:
  explicit EncodeSink(std::span<char> inline_bytes, bool is_read_early = false) : inline_bytes_(inline_bytes), is_read_early_(is_read_early) {}
  EncodeSink(const EncodeSink&) = delete;
  EncodeSink& operator=(const EncodeSink&) = delete;

  std::span<char> inline_bytes() const noexcept { return inline_bytes_; }
  // Room for so many bytes, more than there are at hand. Smaller if there is none, and whoever provides it sees to that.
  virtual std::span<char> block(std::size_t bytes) = 0;
  // Whether somebody may read what is in that room while the rest is written, and wants to be told.
  bool is_read_early() const noexcept { return is_read_early_; }
  // So many bytes of it have been written. Told about once for kPieceBytes, and at the end.
  virtual void publish_written(std::size_t) {}

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
  // Returns once the first so many have been written. Throws SerializationError when it gives up; what was read until then is
  // not the value, whatever becomes of that error.
  virtual void await(std::size_t bytes) = 0;
};

// A value that was decoded before it was known to be its call's outcome.
class EarlyValue {
 public:
  virtual ~EarlyValue() = default;
  // It is the outcome of this call, of the type that it was decoded for. Once.
  virtual void store(FutureState& call) = 0;
};

// One type of call; constant. What a worker writes is not trusted: `store_result` and `decode_early` read within their bytes
// whatever those are.
struct CallVtable {
  // Runs in the worker: decodes callable and arguments, calls, encodes the value. Returns its size. Throws what the call
  // throws, and SerializationError. Its address is the call's name: worker and parent run the same program.
  std::size_t (*run)(std::string_view encoded_call, EncodeSink& room);
  // Encodes callable and arguments. Returns their size. Throws what their serialisation throws, and SerializationError. Null
  // for a call that keeps neither.
  std::size_t (*encode)(FutureState& call, EncodeSink& room);
  // Decodes the value into the future's state. Throws what its deserialisation throws; then there is no value.
  void (*store_result)(FutureState& call, std::string_view encoded_value, WireBuffers& buffers);
  // Decodes a value that is still arriving. Throws the same, and what `arrival` throws. Null for a call without a value.
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
