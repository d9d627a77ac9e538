// Memory that the program shares with its workers: a board of calls, and an arena for payloads too large for it.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_SHARED_MEMORY_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_SHARED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/descriptor.h"

namespace futures::internal {

// A memory file of fixed size, mapped. Nobody can grow or shrink it, so no access within it ever faults for its size.
class SharedMemory {
 public:
  SharedMemory() = default;
  // Makes one, all zero, without pages. Throws std::system_error.
  static SharedMemory create(const char* name, std::size_t bytes);
  // Maps one that another process made. Throws std::system_error; std::invalid_argument if its size is not `bytes`.
  static SharedMemory map(Descriptor file, std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  char* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  int file() const noexcept { return file_.get(); }
  // Where an address is in it; nothing if it is elsewhere.
  std::optional<std::uint64_t> offset_of(const void* address) const noexcept;

  // Takes pages for a part now. Returns false if the system has none: without this the shortage would come as a signal
  // at the first access.
  bool allocate(std::uint64_t offset, std::uint64_t bytes);
  // Gives the part's pages back; they read as zero afterwards.
  void discard(std::uint64_t offset, std::uint64_t bytes);
  // This process is about to go through the part from end to end: maps its pages at once, of which there are all
  // already, and not one by one. Advice; any thread.
  void expect_use(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  Descriptor file_;
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Hands out parts of a range of a shared memory. What it knows is in the program's own memory: no worker can touch it,
// and none can die in the middle of it. Thread-safe.
class Arena {
  using Parts = std::map<std::uint64_t, std::uint64_t>;  // Offset to length.

 public:
  // Of `memory`, from `begin` on. Keeps up to `kept_bytes` of free pages for later use: fresh pages cost four times as
  // much as the copy into them.
  Arena(SharedMemory& memory, std::uint64_t begin, std::uint64_t bytes, std::uint64_t kept_bytes);

  // A part of the arena. Given back when it dies, on any thread; it must not outlive the arena. In a child made by
  // fork() nothing is: the memory is the program's (law T9).
  class Room {
   public:
    Room() = default;
    Room(Room&& other) noexcept
        : arena_(std::exchange(other.arena_, nullptr)), place_(other.place_), part_(std::move(other.part_)) {}
    Room& operator=(Room&& other) noexcept {
      std::swap(arena_, other.arena_);
      std::swap(place_, other.place_);
      std::swap(part_, other.part_);
      return *this;
    }
    ~Room() {
      if (arena_ != nullptr) arena_->release(std::move(part_));
    }

    explicit operator bool() const noexcept { return arena_ != nullptr; }
    const Place& place() const noexcept { return place_; }

   private:
    friend class Arena;
    Room(Arena& arena, Parts::node_type part)
        : arena_(&arena), place_{.offset = part.key(), .bytes = part.mapped()}, part_(std::move(part)) {}
    Arena* arena_ = nullptr;
    Place place_;
    Parts::node_type part_;  // Kept, so that it can be given back where there is no memory.
  };

  struct Allocation {
    Room room;  // A part of at least so many bytes, its pages taken. Empty if there is none now, or no memory.
    bool may_come = false;  // If it is empty: parts were handed out at that moment, and there may be one once they are
                            // back. Otherwise what did not fit never will.
  };
  Allocation allocate(std::uint64_t bytes);
  // The part of `place` that this process has not gone through since its pages were taken; it is about to.
  Place expected_use(const Place& place);

 private:
  Room take(std::uint64_t length) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void release(Parts::node_type part);

  SharedMemory& memory_;
  const std::uint32_t generation_ = fork_generation();
  const std::uint64_t kept_end_;
  sync::mutex mutex_;
  Parts free_ ABSL_GUARDED_BY(mutex_);  // Never two that touch.
  // Every page of the range before this offset has been taken, none after it.
  std::uint64_t backed_end_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t gone_through_end_ ABSL_GUARDED_BY(mutex_);  // No page after this one is mapped.
  std::size_t used_parts_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_SHARED_MEMORY_H_
