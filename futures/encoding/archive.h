// How values are written as bytes and read back: the two archives that cereal is given. What cereal asks of an archive
// for each kind of value is in cereal_hooks.h. Part of futures/encoding/encoding.h.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_ARCHIVE_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_ARCHIVE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cereal/cereal.hpp"
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/page_advice.h"
#include "futures/errors.h"

namespace futures::internal {

// Writes what cereal gives it to memory of fixed size, and counts all bytes, also those that do not fit there.
class WireOutput : public cereal::OutputArchive<WireOutput, cereal::AllowEmptyClassElision> {
 public:
  // Writes to `block`, which belongs to `sink`. If `publishes`, the sink is told how far it has been written.
  WireOutput(std::span<char> block, EncodeSink& sink, bool publishes)
      : OutputArchive(this), block_(block), sink_(sink), publishes_(publishes) {}

  void write(const void* data, std::size_t bytes) {
    if (publishes_) return write_in_pieces(static_cast<const char*>(data), bytes);
    write_piece(data, bytes);
  }
  // How many bytes were given to write. If they are more than the block has, what is in the block is of no use.
  std::size_t bytes() const { return bytes_; }
  WireBuffers& buffers() const { return sink_; }

  // Cereal calls this for what a std::shared_ptr points to. An object is written once, and nothing refers to it: see
  // WireInput::getSharedPointer.
  std::uint32_t registerSharedPointer(const std::shared_ptr<const void>& object) {
    const std::uint32_t id = OutputArchive::registerSharedPointer(object);
    if (id != 0 && (id & cereal::detail::msb_32bit) == 0) {
      throw SerializationError("an object that two pointers share cannot travel");
    }
    return id;
  }

 private:
  void write_piece(const void* data, std::size_t bytes) {
    if (bytes <= block_.size() - std::min(bytes_, block_.size()) && bytes > 0) {
      std::memcpy(block_.data() + bytes_, data, bytes);
    }
    bytes_ += bytes;
  }
  void write_in_pieces(const char* data, std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t piece = std::min(bytes, kPieceBytes);
      write_piece(data, piece);
      data += piece;
      bytes -= piece;
      if (bytes_ - bytes_published_ < kPieceBytes) continue;
      sink_.publish_written(bytes_);
      bytes_published_ = bytes_;
    }
  }

  const std::span<char> block_;
  EncodeSink& sink_;
  const bool publishes_;
  std::size_t bytes_ = 0;
  std::size_t bytes_published_ = 0;
};

// Encodes what `write` gives to a WireOutput: into the sink's inline bytes, or into a block of the sink if they are too
// few. Returns the size in bytes. Throws what `write` throws, and SerializationError if `write` writes another number
// of bytes the second time.
template <typename Write>
std::size_t encode_into(EncodeSink& sink, const Write& write) {
  WireOutput first(sink.inline_bytes(), sink, /*publishes=*/false);
  write(first);
  const std::size_t bytes = first.bytes();
  if (bytes <= sink.inline_bytes().size()) return bytes;
  const std::span<char> block = sink.block(bytes);
  if (block.size() < bytes) return bytes;
  WireOutput second(block.first(bytes), sink, sink.is_read_early());
  write(second);
  sink.publish_written(std::min(second.bytes(), bytes));
  if (second.bytes() != bytes) throw SerializationError("a `serialize` does not write the same each time");
  return bytes;
}

// The same, to the end of a string.
template <typename Write>
void append_encoded(std::string& encoded, const Write& write) {
  StringSink sink(encoded);
  encode_into(sink, write);
}

// Reads what a WireOutput wrote. The bytes may be anything (law P11). It throws SerializationError where it would read
// past their end, nest deeper than a stack allows, or allocate for a length that they cannot hold. Elements of
// containers are made one by one as they are read, and all containers together have no more elements than there are
// bytes. So the memory that a value takes while it is read is at most the number of bytes times the size of the largest
// element.
class WireInput : public cereal::InputArchive<WireInput, cereal::AllowEmptyClassElision> {
 public:
  // `arrival` is null if all bytes are there.
  explicit WireInput(std::string_view encoded, WireBuffers* buffers = nullptr, Arrival* arrival = nullptr)
      : InputArchive(this),
        left_(encoded),
        bytes_(encoded.size()),
        buffers_(buffers),
        arrival_(arrival),
        elements_left_(encoded.size()),
        frame_(__builtin_frame_address(0)) {}

  void read(void* data, std::size_t bytes) {
    if (bytes == 0) return;  // An empty vector's data may be null.
    std::memcpy(data, take(bytes).data(), bytes);
    // A hostile writer may still change the bytes: they are read once, here, and what is checked is this copy.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // The next bytes, where they lie: valid as long as the encoded bytes are. Copy them before you check them.
  std::string_view take(std::uint64_t bytes) {
    const std::string_view taken = left_.substr(0, size_of(bytes));
    left_.remove_prefix(taken.size());
    if (arrival_ != nullptr) arrival_->await(bytes_ - left_.size());
    return taken;
  }
  // Gives the next bytes to `copy`, which writes them to fresh memory at `to`: all at once or, while they still arrive,
  // in pieces of kPieceBytes.
  template <typename Copy>
  void take_large(void* to, std::size_t bytes, const Copy& copy) {
    const bool arrives = arrival_ != nullptr;
    if (arrives) {
      prefer_large_pages(to, bytes);
    } else {
      take_pages(to, bytes);
    }
    const std::size_t piece = arrives ? kPieceBytes : bytes;
    for (std::size_t left = bytes; left > 0; left -= std::min(left, piece)) copy(take(std::min(left, piece)));
  }
  // The size of `elements` elements, in bytes. Throws if fewer bytes than that are left.
  std::size_t size_of(std::uint64_t elements, std::size_t bytes_each = 1) const {
    if (elements > left_.size() / bytes_each) throw SerializationError("the encoded data ends too early");
    return static_cast<std::size_t>(elements * bytes_each);
  }
  WireBuffers* buffers() const { return buffers_; }
  // Counts the elements of a container. Throws if all containers together have more elements than there are bytes: each
  // element takes a byte at least that no other takes.
  void check_length(std::uint64_t elements) {
    if (elements > left_.size() || elements > elements_left_) {
      throw SerializationError("the encoded data holds an impossible length");
    }
    elements_left_ -= elements;
  }
  void check_depth() const {
    const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
    if (static_cast<const char*>(frame_) - here > kStackBytesMax) {
      throw SerializationError("the encoded data is nested too deeply");
    }
  }
  void check_end() const {
    if (!left_.empty()) throw SerializationError("the encoded data is longer than its type");
  }
  // For how many of `elements` to reserve memory at once: for all, unless they look too large for the bytes left.
  std::size_t elements_to_reserve(std::uint64_t elements, std::size_t element_bytes) const {
    constexpr std::uint64_t kReservedPerByte = 8;  // A std::string takes 4 times the bytes of its length.
    return static_cast<std::size_t>(std::min(elements, kReservedPerByte * left_.size() / element_bytes));
  }

  // Cereal calls these for std::shared_ptr. The bytes do not say of which type an object is that was read before. So
  // bytes that refer to one are refused: to follow them would be to trust them.
  void registerSharedPointer(std::uint32_t, const std::shared_ptr<void>&) {}
  std::shared_ptr<void> getSharedPointer(std::uint32_t id) const {
    if (id != 0) throw SerializationError("the encoded data refers to an object that pointers share");
    return nullptr;
  }

 private:
  // How much stack a thread may use for one value. Larger: deeper nesting is read, and every thread that reads needs
  // the stack.
  static constexpr std::ptrdiff_t kStackBytesMax = 256 << 10;

  std::string_view left_;
  const std::size_t bytes_;
  WireBuffers* const buffers_;
  Arrival* const arrival_;
  std::uint64_t elements_left_;
  const void* const frame_;  // About where the reading thread's stack was when it began.
};

}  // namespace futures::internal

CEREAL_SETUP_ARCHIVE_TRAITS(futures::internal::WireInput, futures::internal::WireOutput)

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_ARCHIVE_H_
