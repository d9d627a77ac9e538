#include "spec_tests/laws/shared_number.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace futures::spec_tests {
namespace {

struct Cell {
  std::atomic<std::uint32_t> generation;
  std::atomic<std::uint32_t> value;  // A futex.
};

// A place is used again when so many others have been. No check holds on to its numbers for nearly that long.
constexpr std::uint32_t kCells = 1 << 18;
constexpr std::size_t kBytes = kCells * sizeof(Cell);

// The memory of one process, mapped here. Never unmapped: bodies of a broken executor may look into it at any time.
struct Memory {
  pid_t process;
  int descriptor;
  Cell* cells;
  std::atomic<std::uint64_t> used{0};  // Counts for its process alone.
  Memory* next = nullptr;
};

// All that this process knows, its own among them. A list without a lock, since a fork may come at any time.
std::atomic<Memory*> known_memory{nullptr};

Memory* find(pid_t process, int descriptor) {
  Memory* memory = known_memory.load(std::memory_order_acquire);  // Pairs with the release in enter.
  while (memory != nullptr && (memory->process != process || (descriptor >= 0 && memory->descriptor != descriptor))) {
    memory = memory->next;
  }
  return memory;
}

// Two threads may both enter the same memory: then there are two ways to it.
Memory* enter(pid_t process, int descriptor, Cell* cells) {
  auto* const memory = new Memory{.process = process, .descriptor = descriptor, .cells = cells};
  memory->next = known_memory.load(std::memory_order_relaxed);
  while (
      !known_memory.compare_exchange_weak(memory->next, memory, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return memory;
}

Cell* map(int descriptor) {
  void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Cell*>(memory);
}

// In a forked child a new one: its parent goes on to make numbers in the old one.
Memory& own_memory() {
  if (Memory* const memory = find(::getpid(), -1)) return *memory;
  const int descriptor = ::memfd_create("numbers", MFD_CLOEXEC);
  Cell* const cells = descriptor >= 0 && ::ftruncate(descriptor, kBytes) == 0 ? map(descriptor) : nullptr;
  if (cells == nullptr) throw std::system_error(errno, std::generic_category(), "memory to share with calls");
  return *enter(::getpid(), descriptor, cells);
}

// Null if that process is no more.
Memory* memory_of(pid_t process, int descriptor) {
  if (Memory* const memory = find(process, descriptor)) return memory;
  const std::string path = absl::StrCat("/proc/", process, "/fd/", descriptor);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  Cell* const cells = map(file);
  ::close(file);
  return cells == nullptr ? nullptr : enter(process, descriptor, cells);
}

// Null if it is no more.
std::atomic<std::uint32_t>* find_value(pid_t process, int descriptor, std::uint32_t index, std::uint32_t generation) {
  if (process == 0) return nullptr;
  const Memory* const memory = memory_of(process, descriptor);
  if (memory == nullptr || memory->cells[index].generation.load() != generation) return nullptr;
  return &memory->cells[index].value;
}

// Between processes too.
void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* patience) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, patience, nullptr, 0);
}

}  // namespace

SharedNumber SharedNumber::create() {
  Memory& memory = own_memory();
  const std::uint64_t number = memory.used.fetch_add(1, std::memory_order_relaxed);
  SharedNumber created;
  created.process_ = memory.process;
  created.descriptor_ = memory.descriptor;
  created.index_ = static_cast<std::uint32_t>(number % kCells);
  created.generation_ = static_cast<std::uint32_t>(number / kCells) + 1;
  Cell& cell = memory.cells[created.index_];
  cell.value.store(0);
  cell.generation.store(created.generation_);
  return created;
}

int SharedNumber::add(int n) const {
  std::atomic<std::uint32_t>* const value = find_value(process_, descriptor_, index_, generation_);
  if (value == nullptr) return 0;
  const std::uint32_t added = value->fetch_add(static_cast<std::uint32_t>(n)) + static_cast<std::uint32_t>(n);
  futex(*value, FUTEX_WAKE, INT_MAX, nullptr);
  return static_cast<int>(added);
}

int SharedNumber::value() const {
  const std::atomic<std::uint32_t>* const value = find_value(process_, descriptor_, index_, generation_);
  return value == nullptr ? 0 : static_cast<int>(value->load());
}

bool SharedNumber::reaches(int n, std::chrono::nanoseconds patience) const {
  std::atomic<std::uint32_t>* const value = find_value(process_, descriptor_, index_, generation_);
  if (value == nullptr) return n <= 0;
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::uint32_t now = value->load();
    if (static_cast<int>(now) >= n) return true;
    const std::chrono::nanoseconds left = until - std::chrono::steady_clock::now();
    if (left.count() <= 0) return false;
    const timespec relative{.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
                            .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
    futex(*value, FUTEX_WAIT, now, &relative);
  }
}

bool SharedNumber::is_own() const { return process_ == ::getpid(); }

}  // namespace futures::spec_tests
