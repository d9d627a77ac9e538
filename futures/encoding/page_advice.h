// Memory for large values that arrive from another process.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_

#include <cstddef>

namespace futures::internal {

// For memory that was just allocated and is about to be written from end to end: the system gives it large pages where it has
// them. Small ones, taken one by one as they are touched, cost several times the copy into them. Does nothing for less than a
// few megabytes, which allocators use again. Writes nothing. Any thread.
void prefer_large_pages(void* begin, std::size_t bytes) noexcept;

// The same, and takes all pages at once. That is faster than one by one if all is then copied at once. Who copies in parts
// does better without: the page that a part goes to has been cleared just then, and is still in the cache.
void take_pages(void* begin, std::size_t bytes) noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_
