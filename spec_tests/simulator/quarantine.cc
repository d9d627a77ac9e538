#include "spec_tests/simulator/quarantine.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "absl/base/config.h"
#include "spec_tests/simulator/machine.h"

#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)

namespace futures::simulator {
namespace {

constexpr int kOverwrittenBy = 0xDD;
// Of all runs together. Reserved only; what a run has freed the next one uses. When it is full, memory comes from
// malloc, and the simulator sees no accesses to it.
constexpr std::size_t kArenaBytes = std::size_t{1} << 28;
constexpr std::size_t kUnit = 16;  // What `new` aligns to.

enum class Mark : std::uint8_t { kNone, kFreed };

// Before each block.
struct alignas(kUnit) Header {
  std::size_t bytes;  // Of the block, with this, in whole units.
  bool lives;
};

std::byte* arena = nullptr;
Mark* marks = nullptr;  // Of each unit of the arena.
std::size_t first = 0;  // Where this run's blocks begin.
std::size_t top = 0;  // Where they end.
std::size_t live_blocks = 0;  // Of this run.

// Freed memory that is not of the arena is a list through its own first words: what is kept needs no memory of its own.
struct Freed {
  Freed* next;
};
thread_local bool keeps = false;  // Of the thread that runs an exploration.
thread_local Freed* first_freed = nullptr;

void* reserve(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

// Returns null if there is no room left.
void* allocate_block(std::size_t bytes) {
  if (bytes > kArenaBytes) return nullptr;
  const std::size_t whole = sizeof(Header) + (bytes + kUnit - 1) / kUnit * kUnit;
  if (kArenaBytes - top < whole) return nullptr;
  auto* const header = ::new (arena + top) Header{.bytes = whole, .lives = true};
  std::memset(marks + top / kUnit, 0, whole / kUnit);
  top += whole;
  ++live_blocks;
  return header + 1;
}

void free_block(void* memory) {
  auto* const header = static_cast<Header*>(memory) - 1;
  header->lives = false;
  std::memset(memory, kOverwrittenBy, header->bytes - sizeof(Header));
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(memory) - arena);
  if (offset < first) return;  // Of an earlier run.
  --live_blocks;
  std::memset(marks + offset / kUnit, static_cast<int>(Mark::kFreed), header->bytes / kUnit - 1);
}

// What still lives stays: the next run begins behind it.
void end_run() {
  std::size_t next = first;
  for (std::size_t at = first; live_blocks > 0 && at < top;) {
    const auto* const header = reinterpret_cast<const Header*>(arena + at);
    at += header->bytes;
    if (!header->lives) continue;
    next = at;
    --live_blocks;
  }
  first = next;
  top = next;
}

}  // namespace

Quarantine::Quarantine() {
  if (bytes_ == 0) {
    arena = static_cast<std::byte*>(reserve(kArenaBytes));
    marks = static_cast<Mark*>(reserve(kArenaBytes / kUnit));
    begin_ = reinterpret_cast<std::uintptr_t>(arena);
    bytes_ = kArenaBytes;
  }
  keeps = true;
}

Quarantine::~Quarantine() {
  keeps = false;
  end_run();
  while (first_freed != nullptr) {
    Freed* const next = first_freed->next;
    std::free(first_freed);
    first_freed = next;
  }
}

bool Quarantine::is_freed(std::uintptr_t address) noexcept { return marks[(address - begin_) / kUnit] == Mark::kFreed; }

}  // namespace futures::simulator

void* operator new(std::size_t bytes) {
  using namespace futures::simulator;
  if (keeps && Machine::observes()) {
    if (Machine::instance().allocation_fails()) throw std::bad_alloc();
    if (void* const memory = allocate_block(bytes)) return memory;
  }
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  using namespace futures::simulator;
  if (memory == nullptr) return;
  if (Quarantine::contains(reinterpret_cast<std::uintptr_t>(memory))) return free_block(memory);
  if (!keeps || !Machine::observes()) return std::free(memory);
  std::memset(memory, kOverwrittenBy, malloc_usable_size(memory));
  first_freed = ::new (memory) Freed{first_freed};
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#else

namespace futures::simulator {

Quarantine::Quarantine() = default;
Quarantine::~Quarantine() = default;
bool Quarantine::is_freed(std::uintptr_t) noexcept { return false; }

}  // namespace futures::simulator

#endif
