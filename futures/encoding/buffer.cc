#include "futures/encoding/buffer.h"

#include <new>

namespace futures {
namespace internal {
namespace {

class OwnMemory final : public BufferMemory {
 public:
  explicit OwnMemory(std::size_t bytes) : BufferMemory({static_cast<std::byte*>(::operator new(bytes)), bytes}) {}
  ~OwnMemory() override { ::operator delete(bytes().data()); }
};

}  // namespace

BufferSource*& buffer_source() noexcept {
  thread_local BufferSource* source = nullptr;
  return source;
}

}  // namespace internal

Buffer::Buffer(std::size_t size) {
  if (internal::BufferSource* const source = internal::buffer_source()) memory_ = source->make_memory(size);
  if (memory_ == nullptr) memory_ = std::make_shared<internal::OwnMemory>(size);
}

}  // namespace futures
