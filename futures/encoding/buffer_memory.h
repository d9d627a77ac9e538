// The memory of a Buffer.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_MEMORY_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_MEMORY_H_

#include <cstddef>
#include <memory>
#include <span>

namespace futures::internal {

// A block of memory. The destructor returns it to where it came from, on any thread.
class BufferMemory {
 public:
  explicit BufferMemory(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  virtual ~BufferMemory() = default;
  BufferMemory(const BufferMemory&) = delete;
  BufferMemory& operator=(const BufferMemory&) = delete;

  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  const std::span<std::byte> bytes_;
};

// Makes the buffers of one thread in memory that other processes share. Used by that thread alone.
class BufferSource {
 public:
  // Returns null if there is no space. The buffer is then made of ordinary memory.
  virtual std::shared_ptr<BufferMemory> make_memory(std::size_t bytes) = 0;

 protected:
  ~BufferSource() = default;
};

// The source of this thread. Null if it has none.
BufferSource*& buffer_source() noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_BUFFER_MEMORY_H_
