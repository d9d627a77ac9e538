// Buffer: bytes that travel to another process and back without being copied.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_H_

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "futures/encoding/buffer_memory.h"

namespace futures {

// Bytes with one owner. A Buffer may be the argument or the result of a call, or a part of one.
//
// Between threads it is moved like any object. Between processes it is not copied if it lies in the memory that they
// share: only its position travels. A Buffer lies there if it was made by ProcessPoolExecutor::make_buffer in the
// program, or by Buffer's constructor in a call that runs in a worker. It is copied in every other case, always with
// Isolation::kPerWorker, and when the shared memory for buffers is full.
//
// Move-only. Not thread-safe. In a worker it is valid until its call ends. In the program it may outlive the executor.
//
//   futures::Buffer image = executor.make_buffer(bytes);
//   read_into(image.bytes());
//   futures::Future<futures::Buffer> scaled = executor.submit(scale, std::move(image));
class Buffer {
 public:
  // An empty buffer.
  Buffer() = default;
  // A buffer of `size` bytes, which are not initialised. Throws std::bad_alloc.
  explicit Buffer(std::size_t size);
  // For executors.
  explicit Buffer(std::shared_ptr<internal::BufferMemory> memory) noexcept : memory_(std::move(memory)) {}
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;

  std::size_t size() const noexcept { return memory_ == nullptr ? 0 : memory_->bytes().size(); }
  bool empty() const noexcept { return size() == 0; }
  std::span<std::byte> bytes() noexcept { return memory_ == nullptr ? std::span<std::byte>() : memory_->bytes(); }
  std::span<const std::byte> bytes() const noexcept { return const_cast<Buffer*>(this)->bytes(); }

  // The bytes as objects of T, as many as fit. The bytes are aligned to 16.
  template <typename T>
  std::span<T> as() noexcept {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 16);
    return {reinterpret_cast<T*>(bytes().data()), size() / sizeof(T)};
  }
  template <typename T>
  std::span<const T> as() const noexcept {
    return const_cast<Buffer*>(this)->as<T>();
  }

  // For executors.
  const std::shared_ptr<internal::BufferMemory>& memory() const noexcept { return memory_; }

 private:
  std::shared_ptr<internal::BufferMemory> memory_;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_H_
