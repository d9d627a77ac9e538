#include "optimized/process_pool/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace futures::internal {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

char* map_shared(int file, std::size_t bytes) {
  void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (data == MAP_FAILED) throw_errno("cannot map shared memory");
  return static_cast<char*>(data);
}

}  // namespace

SharedMemory SharedMemory::create(const char* name, std::size_t bytes) {
  SharedMemory memory;
  memory.file_ = Descriptor(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.file_) throw_errno("cannot make shared memory");
  if (ftruncate(memory.file(), static_cast<off_t>(bytes)) != 0) throw_errno("cannot size shared memory");
  if (fcntl(memory.file(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    throw_errno("cannot seal shared memory");
  }
  memory.data_ = map_shared(memory.file(), bytes);
  memory.bytes_ = bytes;
  return memory;
}

SharedMemory SharedMemory::map(Descriptor file, std::size_t bytes) {
  struct stat status{};
  if (fstat(file.get(), &status) != 0) throw_errno("cannot look at shared memory");
  if (static_cast<std::size_t>(status.st_size) != bytes) throw std::invalid_argument("shared memory of a wrong size");
  SharedMemory memory;
  memory.data_ = map_shared(file.get(), bytes);
  memory.bytes_ = bytes;
  memory.file_ = std::move(file);
  return memory;
}

std::optional<std::uint64_t> SharedMemory::offset_of(const void* address) const noexcept {
  const auto* const byte = static_cast<const char*>(address);
  if (std::less<>()(byte, data_) || !std::less<>()(byte, data_ + bytes_)) return std::nullopt;
  return static_cast<std::uint64_t>(byte - data_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

bool SharedMemory::allocate(std::uint64_t offset, std::uint64_t bytes) {
  const sync::cancellation_block block;  // As in discard, which follows if this fails.
  int rc;
  do {
    rc = fallocate(file(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (rc != 0 && errno == EINTR);
  return rc == 0;
}

void SharedMemory::discard(std::uint64_t offset, std::uint64_t bytes) {
  const sync::cancellation_block block;  // Rooms are given back in destructors, which nothing may end.
  fallocate(file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(bytes));
}

void SharedMemory::expect_use(std::uint64_t offset, std::uint64_t bytes) const {
#if defined(MADV_POPULATE_WRITE)
  // Less costs more to ask for than it saves.
  constexpr std::uint64_t kExpectedBytesMin = 16 * kPageBytes;
  if (bytes >= kExpectedBytesMin) madvise(data_ + offset, bytes, MADV_POPULATE_WRITE);
#endif
}

Arena::Arena(SharedMemory& memory, std::uint64_t begin, std::uint64_t bytes, std::uint64_t kept_bytes)
    : memory_(memory),
      kept_end_(begin + kept_bytes),
      free_{{begin, bytes}},
      backed_end_(begin),
      gone_through_end_(begin) {}

Arena::Allocation Arena::allocate(std::uint64_t bytes) {
  const std::uint64_t length = (std::max<std::uint64_t>(bytes, 1) + kPageBytes - 1) / kPageBytes * kPageBytes;
  // Both under one lock: rooms are given back on any thread, and the last may be just after there was none.
  sync::mutex_lock lock(mutex_);
  const bool may_come = used_parts_ > 0;
  return {.room = take(length), .may_come = may_come};
}

Arena::Room Arena::take(std::uint64_t length) {
  // First fit: the lowest pages are used over and over, and so are there already.
  const auto part = std::find_if(free_.begin(), free_.end(), [length](const auto& p) { return p.second >= length; });
  if (part == free_.end()) return {};
  const auto [offset, available] = *part;
  const std::uint64_t end = offset + length;
  if (end > backed_end_) {
    const std::uint64_t from = std::max(offset, backed_end_);
    if (!memory_.allocate(from, end - from)) {
      memory_.discard(from, end - from);  // It may have got some of the pages.
      return {};
    }
    backed_end_ = end;
  }
  if (available > length) {
    try {
      free_.emplace(end, available - length);
    } catch (const std::bad_alloc&) {
      return {};
    }
  }
  Parts::node_type taken = free_.extract(part);
  taken.mapped() = length;
  ++used_parts_;
  return Room(*this, std::move(taken));
}

Place Arena::expected_use(const Place& place) {
  sync::mutex_lock lock(mutex_);
  const std::uint64_t from = std::max(place.offset, gone_through_end_);
  const std::uint64_t end = place.offset + place.bytes;
  if (from >= end) return {.offset = place.offset, .bytes = 0};
  gone_through_end_ = end;
  return {.offset = from, .bytes = end - from};
}

void Arena::release(Parts::node_type given_back) {
  if (generation_ != fork_generation()) return;
  sync::mutex_lock lock(mutex_);
  --used_parts_;
  auto part = free_.insert(std::move(given_back)).position;
  if (const auto next = std::next(part); next != free_.end() && part->first + part->second == next->first) {
    part->second += next->second;
    free_.erase(next);
  }
  if (part != free_.begin()) {
    if (const auto previous = std::prev(part); previous->first + previous->second == part->first) {
      previous->second += part->second;
      free_.erase(part);
      part = previous;
    }
  }
  // The free end of the backed pages goes back to the system as far as it is more than is to be kept.
  const std::uint64_t keep_until = std::max(part->first, kept_end_);
  if (part->first + part->second >= backed_end_ && keep_until < backed_end_) {
    memory_.discard(keep_until, backed_end_ - keep_until);
    backed_end_ = keep_until;
    gone_through_end_ = std::min(gone_through_end_, keep_until);
  }
}

}  // namespace futures::internal
