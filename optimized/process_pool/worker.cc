#include "optimized/process_pool/worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <cxxabi.h>

#include "futures/encoding/buffer_memory.h"
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/exception_wire.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/sync.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/shared_memory.h"

namespace futures::internal {
namespace {

// From now on the kernel kills this process when the last writing end of the pipe is closed: when the program is gone,
// whatever ended it, and whatever this process is doing then. Opens the pipe anew: who is to be told belongs to what
// was opened, and that all workers have got from their fork server.
void die_with_program(Descriptor& inherited) {
  const std::string path = "/proc/self/fd/" + std::to_string(inherited.get());
  const int life = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (life < 0) _exit(1);
  dup2(life, inherited.get());
  close(life);
  fcntl(inherited.get(), F_SETOWN, getpid());
  fcntl(inherited.get(), F_SETSIG, SIGKILL);
  fcntl(inherited.get(), F_SETFL, O_ASYNC | O_NONBLOCK);
  char byte;
  if (read(inherited.get(), &byte, 1) == 0) _exit(0);  // It was gone before.
}

void limit(__rlimit_resource resource, std::uint64_t most) {
  if (most == 0) return;
  const rlimit limits = {most, most};
  setrlimit(resource, &limits);
}

void initialize(const WorkerOrder& order) {
  if (!order.has_initializer) return;
  try {
    reinterpret_cast<void (*)()>(const_cast<void*>(address_of(order.initializer)))();
    sync::end_if_cancelled();
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (...) {
    std::fprintf(stderr, "a worker's initializer threw: %s\n", describe_current_exception().c_str());
    std::fflush(nullptr);
    _exit(kInitializerFailed);
  }
}

using RunFunction = std::size_t (*)(std::string_view, EncodeSink&);

// Memory of the arena as far as this process has gone through it: what it has is mapped, one time for all calls.
class UsedArena {
 public:
  UsedArena(const SharedMemory& memory, std::uint64_t begin) : memory_(memory), used_end_(begin) {}

  char* use(std::uint64_t offset, std::uint64_t bytes) {
    const std::uint64_t from = std::max(offset, used_end_);
    if (offset + bytes > from) {
      memory_.expect_use(from, offset + bytes - from);
      used_end_ = offset + bytes;
    }
    return memory_.data() + offset;
  }

 private:
  const SharedMemory& memory_;
  std::uint64_t used_end_;
};

// What is where in the arena, as Board divides it.
struct Arenas {
  explicit Arenas(const SharedMemory& arena)
      : memory(arena), calls(arena, 0), results(arena, arena.size() / 3), buffers(arena, arena.size() / 3 * 2) {}
  const SharedMemory& memory;
  UsedArena calls;
  UsedArena results;
  UsedArena buffers;
};

// Where the value of one call goes. At hand is memory of this process: the slot may still hold the call.
class ResultSink final : public EncodeSink, public BufferSource {
 public:
  ResultSink(CallBoard& board, const TakenCall& call, std::uint16_t worker, Arenas& arenas, int bell)
      : EncodeSink(inline_bytes_, /*is_read_early=*/true),
        board_(board),
        call_(call),
        worker_(worker),
        arenas_(arenas),
        bell_(bell) {
    buffer_source() = this;
  }
  ~ResultSink() override { buffer_source() = nullptr; }

  std::span<char> block(std::size_t bytes) override {
    place_ = wait_for_room(board_, call_, worker_, RoomFor::kResult, bytes, bell_);
    if (place_.bytes < bytes) return {};  // There is none at all, and that is the call's outcome.
    return {arenas_.results.use(place_.offset, bytes), bytes};
  }
  void publish_written(std::size_t bytes) override { internal::publish_written(board_, call_, bytes); }

  // WireBuffers.
  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) override {
    return arenas_.memory.offset_of(memory->bytes().data());
  }
  std::shared_ptr<BufferMemory> at(std::uint64_t place, std::uint64_t bytes) override {
    if (place > arenas_.memory.size() || bytes > arenas_.memory.size() - place) return nullptr;
    return std::make_shared<BufferMemory>(std::as_writable_bytes(std::span(arenas_.buffers.use(place, bytes), bytes)));
  }

  // BufferSource.
  std::shared_ptr<BufferMemory> make_memory(std::size_t bytes) override {
    if (bytes <= kInlineBytes) return nullptr;  // A copy costs less than asking.
    const Place place = wait_for_room(board_, call_, worker_, RoomFor::kBuffer, bytes, bell_);
    return place.bytes < bytes ? nullptr : at(place.offset, bytes);
  }

  // Instead of a value, of which something may have been written.
  std::size_t put_exception(std::string_view encoded) {
    place_ = Place();
    const std::span<char> place = encoded.size() <= inline_bytes_.size() ? inline_bytes_ : block(encoded.size());
    if (place.size() >= encoded.size()) std::memcpy(place.data(), encoded.data(), encoded.size());
    return encoded.size();
  }

  void deliver(Outcome outcome, std::size_t bytes) {
    Slot& slot = board_.slots[call_.slot];
    if (bytes <= inline_bytes_.size()) std::memcpy(slot.bytes.data(), inline_bytes_.data(), bytes);
    slot.outcome = outcome;
    slot.place = {.offset = place_.offset, .bytes = bytes};
    internal::deliver(board_, call_, worker_, bell_);
  }

 private:
  CallBoard& board_;
  const TakenCall call_;
  const std::uint16_t worker_;
  Arenas& arenas_;
  const int bell_;
  Place place_;
  std::array<char, kInlineBytes> inline_bytes_;
};

// pthread_exit in a call, or pthread_cancel: the worker ends; also if there are other threads, which would go on.
[[noreturn]] void end_with_thread() {
  std::fflush(nullptr);
  _exit(0);
}

// `shortage` is what a call has thrown if there is no memory to say it.
void run_call(const Slot& slot, UsedArena& calls, ResultSink& room, const std::string& shortage) {
  const Place place = slot.place;
  const char* const bytes = place.offset == Place::kInline ? slot.bytes.data() : calls.use(place.offset, place.bytes);
  Outcome outcome = Outcome::kValue;
  std::size_t result_bytes = 0;
  try {
    const auto run = reinterpret_cast<RunFunction>(const_cast<void*>(address_of(slot.run)));
    const sync::cancellation_permit permit;
    result_bytes = run({bytes, place.bytes}, room);
  } catch (abi::__forced_unwind&) {
    end_with_thread();  // And the call with it.
  } catch (...) {
    outcome = Outcome::kException;
    std::string encoded;
    try {
      encode_current_exception(encoded);
    } catch (const std::bad_alloc&) {
      encoded.clear();
    }
    result_bytes = room.put_exception(encoded.empty() ? shortage : encoded);
  }
  room.deliver(outcome, result_bytes);
}

// What calls free is used by the next ones, large payloads above all: the pages of a new one cost several times what is
// done with them. It goes back to the system when the worker rests.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}
void rest() { malloc_trim(0); }

}  // namespace

void run_worker(const WorkerOrder& order, Descriptor life, Descriptor board_file, Descriptor arena_file,
                Descriptor bell) {
  const std::string name = "worker_" + std::to_string(order.number);
  prctl(PR_SET_NAME, name.c_str());
  die_with_program(life);
  const SharedMemory board_memory = SharedMemory::map(std::move(board_file), sizeof(CallBoard));
  const SharedMemory arena = SharedMemory::map(std::move(arena_file), order.arena_bytes);
  auto& board = *reinterpret_cast<CallBoard*>(board_memory.data());
  if (order.address_space_bytes_max > 0) {
    const std::uint64_t shared_bytes = sizeof(CallBoard) + order.arena_bytes;
    const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() - shared_bytes;
    limit(RLIMIT_AS, std::min(order.address_space_bytes_max, most) + shared_bytes);
  }
  limit(RLIMIT_CPU, order.cpu_seconds_max);
  keep_freed_memory();
  initialize(order);
  const sync::cancellation_block block;  // A step of the protocol is done, or the worker is dead.
  begin(board, order.number, bell.get());

  const std::string shortage = encoded_bad_alloc();  // While there is memory for it.
  Arenas arenas(arena);
  for (std::uint64_t count = 0; order.calls_max == 0 || count < order.calls_max; ++count) {
    const TakenCall call = take_call(board, order.number, &rest);
    if (call.slot == kSlots) break;
    ResultSink room(board, call, order.number, arenas, bell.get());
    run_call(board.slots[call.slot], arenas.calls, room, shortage);
    try {
      const sync::cancellation_permit permit;
      sync::end_if_cancelled();  // By the call: the next one is not to end with it.
    } catch (abi::__forced_unwind&) {
      end_with_thread();
    }
  }
  std::fflush(nullptr);
  _exit(0);  // Not exit: what the program registered to happen at its end is not this process's to do.
}

}  // namespace futures::internal
