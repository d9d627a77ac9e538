// How much memory a piece of code may take: this program's operator new, counted.
#ifndef CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_
#define CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_

#include <cstddef>

namespace futures::fuzz {

// A bound on what this thread takes while the object lives. One at a time.
class MemoryBound {
 public:
  // A request with which more than `bytes_max` would be held at once ends the program with a message.
  explicit MemoryBound(std::size_t bytes_max);
  ~MemoryBound();
  MemoryBound(const MemoryBound&) = delete;
  MemoryBound& operator=(const MemoryBound&) = delete;
};

}  // namespace futures::fuzz

#endif  // CONCURRENT_FUTURES_FUZZ_MEMORY_BOUND_H_
