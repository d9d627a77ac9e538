#include "fuzz/memory_bound.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace futures::fuzz {
namespace {

struct Count {
  bool on = false;
  std::size_t bytes_max = 0;
  std::size_t held_bytes = 0;
};
thread_local Count count;

void* take(std::size_t bytes) noexcept {
  if (count.on && (bytes > count.bytes_max || count.held_bytes > count.bytes_max - bytes)) {
    count.on = false;
    std::fprintf(stderr, "%zu bytes are asked for, and %zu are held: the bound is %zu\n", bytes, count.held_bytes,
                 count.bytes_max);
    std::abort();
  }
  void* const memory = std::malloc(bytes);
  if (count.on && memory != nullptr) count.held_bytes += malloc_usable_size(memory);
  return memory;
}

void give_back(void* memory) noexcept {
  // Memory that was allocated before the count began may be freed during it.
  if (count.on && memory != nullptr) count.held_bytes -= std::min(count.held_bytes, malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

MemoryBound::MemoryBound(std::size_t bytes_max) { count = {.on = true, .bytes_max = bytes_max}; }
MemoryBound::~MemoryBound() { count.on = false; }

}  // namespace futures::fuzz

void* operator new(std::size_t bytes) {
  if (void* const memory = futures::fuzz::take(bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return futures::fuzz::take(bytes); }
void operator delete(void* memory) noexcept { futures::fuzz::give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { futures::fuzz::give_back(memory); }
