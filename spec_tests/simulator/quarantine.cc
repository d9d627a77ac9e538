// The allocator's side of "use after free": see Quarantine in machine.h.
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "absl/base/config.h"
#include "spec_tests/simulator/machine.h"

#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)

namespace {

constexpr int kOverwrittenBy = 0xDD;

// Freed memory is a list through its own first words: what is kept needs no memory of its own.
struct Freed {
  Freed* next;
};

// Of the thread that runs an exploration.
thread_local bool keeps = false;
thread_local Freed* first = nullptr;

}  // namespace

void* operator new(std::size_t bytes) {
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr || !keeps) return std::free(memory);
  std::memset(memory, kOverwrittenBy, malloc_usable_size(memory));
  first = ::new (memory) Freed{first};
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace futures::simulator {

Quarantine::Quarantine() { keeps = true; }
Quarantine::~Quarantine() {
  keeps = false;
  while (first != nullptr) {
    Freed* const next = first->next;
    std::free(first);
    first = next;
  }
}

}  // namespace futures::simulator

#else

namespace futures::simulator {

Quarantine::Quarantine() = default;
Quarantine::~Quarantine() = default;

}  // namespace futures::simulator

#endif
