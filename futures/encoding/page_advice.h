// Memory for large values that arrive from another process.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_

#include <cstddef>

namespace futures::internal {

// Asks the system for large pages, for memory that was just allocated and is about to be written from end to end.
// Small pages, each taken when it is first touched, cost several times as much as the copy into them. Does nothing
// for less than a few megabytes, because allocators reuse such memory. Writes nothing. Any thread.
void prefer_large_pages(void* begin, std::size_t bytes) noexcept;

// The same, and takes all pages at once. That is faster if one copy then fills them all. It is slower for a copy in
// pieces: without it the page that a piece goes to was cleared just before, and is still in the cache.
void take_pages(void* begin, std::size_t bytes) noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_PAGE_ADVICE_H_
