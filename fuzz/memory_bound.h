// MemoryBound: a bound on the memory that a piece of code may hold. It counts in this program's operator new.
#ifndef CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_
#define CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_

#include <cstddef>

namespace futures::fuzz {

// Bounds the memory that this thread allocates while the object lives. A thread has at most one at a time.
class MemoryBound {
 public:
  // If more than `bytes_max` bytes would be held at once, the request ends the program with a message.
  explicit MemoryBound(std::size_t bytes_max);
  ~MemoryBound();
  MemoryBound(const MemoryBound&) = delete;
  MemoryBound& operator=(const MemoryBound&) = delete;
};

}  // namespace futures::fuzz

#endif  // CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_
