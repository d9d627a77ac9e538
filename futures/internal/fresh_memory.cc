#include "futures/internal/fresh_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace futures::internal {
namespace {

// Lower, and advice is given for memory that an allocator keeps and that has its pages already; higher, and more of what a
// call brings is taken page by page.
constexpr std::size_t kFreshBytesMin = std::size_t{4} << 20;

}  // namespace

void take_pages(void* begin, std::size_t bytes) noexcept {
  if (bytes < kFreshBytesMin) return;
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(begin) + bytes) / page * page;
  void* const whole = reinterpret_cast<void*>(first);
  // Advice only: where the kernel does not take it, the pages come as they always do.
  madvise(whole, end - first, MADV_HUGEPAGE);
#if defined(MADV_POPULATE_WRITE)
  madvise(whole, end - first, MADV_POPULATE_WRITE);
#endif
}

}  // namespace futures::internal
