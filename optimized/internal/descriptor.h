// A file descriptor with an owner.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_
#define CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

#include "futures/internal/process_life.h"

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

// One that children made by fork() do not keep.
class PrivateDescriptor {
 public:
  PrivateDescriptor() = default;
  // `fd` was made since the NoForks.
  PrivateDescriptor(int fd, const NoForks&) : fd_(fd) { close_in_children(fd); }
  PrivateDescriptor(PrivateDescriptor&& other) noexcept = default;
  PrivateDescriptor& operator=(PrivateDescriptor&& other) noexcept = default;
  ~PrivateDescriptor() { reset(); }

  explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
  int get() const noexcept { return fd_.get(); }
  void reset() {
    if (!fd_) return;
    const NoForks no_forks;
    keep_in_children(fd_.get());
    const Descriptor closed = std::move(fd_);  // Before forks go on.
  }
  // From here on an ordinary descriptor.
  Descriptor release() {
    const NoForks no_forks;
    keep_in_children(fd_.get());
    return Descriptor(fd_.release());
  }

 private:
  Descriptor fd_;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_DESCRIPTOR_H_
