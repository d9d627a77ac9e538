// Memory for large values that arrive from another process.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_

#include <cstddef>

namespace futures::internal {

// Takes the pages of memory that was just allocated and is about to be written from end to end: all at once, and large ones
// where the system has them. Taken one by one, as they are touched, they cost several times the copy into them. Does
// nothing for less than a few megabytes, which allocators use again. Writes nothing. Any thread.
void take_pages(void* begin, std::size_t bytes) noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_FRESH_MEMORY_H_
