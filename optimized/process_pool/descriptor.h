// A file descriptor with an owner.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_DESCRIPTOR_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_DESCRIPTOR_H_

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "optimized/process_pool/closed_in_children.h"

namespace futures::internal {

// Where the program has closed its standard descriptors, new ones get their numbers, and then what is printed goes
// there: none of ours keeps such a number. -1, as for what could not be opened, if there is no other.
inline int beyond_standard(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int beyond = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int why = errno;
  close(fd);
  errno = why;
  return beyond;
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(beyond_standard(fd)) {}
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
  PrivateDescriptor(int fd, const NoForks&) : fd_(fd) {
    if (fd_) close_in_children(fd_.get());
  }
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

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_DESCRIPTOR_H_
