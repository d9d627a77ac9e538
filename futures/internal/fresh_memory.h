// Memory for large values that arrive from another process.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_

#include <cstddef>

namespace futures::internal {

// For memory that was just allocated and is about to be written from end to end: the system gives it large pages where it has
// them. Small ones, taken one by one as they are touched, cost several times the copy into them. Does nothing for less than a
// few megabytes, which allocators use again. Writes nothing. Any thread.
void prefer_large_pages(void* begin, std::size_t bytes) noexcept;

// The same, and takes all pages at once. That is faster before one copy of everything; before copies of parts it is not: each
// finds its page in the cache if it was cleared just then.
void take_pages(void* begin, std::size_t bytes) noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_
