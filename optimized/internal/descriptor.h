// A file descriptor with an owner.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_
#define CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace futures::internal {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_
