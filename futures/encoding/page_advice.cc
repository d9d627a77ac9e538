#include "futures/encoding/page_advice.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace futures::internal {
namespace {

// A lower limit costs system calls for memory that an allocator has kept, and that has its pages already. With a
// higher one more values are copied into small pages, taken one by one.
constexpr std::size_t kFreshBytesMin = std::size_t{4} << 20;

// This is only advice. If the kernel ignores it, the pages come as they always do.
void advise(void* begin, std::size_t bytes, int advice) noexcept {
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(begin) + bytes) / page * page;
  madvise(reinterpret_cast<void*>(first), end - first, advice);
}

}  // namespace

void prefer_large_pages(void* begin, std::size_t bytes) noexcept {
  if (bytes >= kFreshBytesMin) advise(begin, bytes, MADV_HUGEPAGE);
}

void take_pages(void* begin, std::size_t bytes) noexcept {
  prefer_large_pages(begin, bytes);
#if defined(MADV_POPULATE_WRITE)
  if (bytes >= kFreshBytesMin) advise(begin, bytes, MADV_POPULATE_WRITE);
#endif
}

}  // namespace futures::internal
