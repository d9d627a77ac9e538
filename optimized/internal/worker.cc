#include "optimized/internal/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <cxxabi.h>

#include "futures/internal/current_exception.h"
#include "futures/internal/exception_wire.h"
#include "futures/internal/wire_call.h"
#include "optimized/internal/call_board.h"
#include "optimized/internal/shared_memory.h"

namespace futures::internal {
namespace {

// From now on the kernel kills this process when the last writing end of the pipe is closed: when the program is gone,
// whatever ended it, and whatever this process is doing then. Opens the pipe anew: who is to be told belongs to what was
// opened, and that all workers have got from their fork server.
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
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (...) {
    std::fprintf(stderr, "a worker's initializer threw: %s\n", describe_current_exception().c_str());
    std::fflush(nullptr);
    _exit(kInitializerFailed);
  }
}

using RunFunction = void (*)(std::string_view, std::string&);

Outcome run_call(const CallBoard& board, std::uint32_t slot, const char* arena, std::string& encoded) {
  const Slot& s = board.slots[slot];
  const char* const bytes = s.call.offset == Place::kInline ? s.bytes.data() : arena + s.call.offset;
  try {
    const auto run = reinterpret_cast<RunFunction>(const_cast<void*>(address_of(s.run)));
    run({bytes, s.call.bytes}, encoded);
    return Outcome::kValue;
  } catch (abi::__forced_unwind&) {
    throw;  // pthread_exit in a call: the worker ends, and the call with it.
  } catch (...) {
    encoded.clear();
    encode_current_exception(encoded);
    return Outcome::kException;
  }
}

void store_result(CallBoard& board, const TakenCall& call, std::uint16_t worker, char* arena, int bell,
                  Outcome outcome, std::string_view encoded) {
  Slot& s = board.slots[call.slot];
  Place place{.offset = Place::kInline, .bytes = encoded.size()};
  s.outcome = outcome;
  if (encoded.size() > kInlineBytes) place = wait_for_room(board, call, worker, encoded.size(), bell);
  char* const to = place.offset == Place::kInline ? s.bytes.data() : arena + place.offset;
  // What there is no room for at all has been answered with no bytes, and an error in the parent.
  if (place.bytes >= encoded.size()) std::memcpy(to, encoded.data(), encoded.size());
  s.result = {.offset = place.offset, .bytes = encoded.size()};
  deliver(board, call, worker, bell);
}

}  // namespace

void run_worker(const WorkerOrder& order, Descriptor life, Descriptor board_file, Descriptor arena_file,
                Descriptor bell) {
  const std::string name = "worker_" + std::to_string(order.number);
  prctl(PR_SET_NAME, name.c_str());
  die_with_program(life);
  const SharedMemory board_memory = SharedMemory::map(std::move(board_file), sizeof(CallBoard));
  const SharedMemory arena = SharedMemory::map(std::move(arena_file), order.arena_bytes);
  auto& board = *reinterpret_cast<CallBoard*>(board_memory.data());
  limit(RLIMIT_AS, order.address_space_bytes_max);
  limit(RLIMIT_CPU, order.cpu_seconds_max);
  initialize(order);
  say_ready(board, order.number, bell.get());

  std::string encoded;
  for (std::uint64_t calls = 0; order.calls_max == 0 || calls < order.calls_max; ++calls) {
    const TakenCall call = take_call(board, order.number);
    if (call.slot == kSlots) break;
    encoded.clear();
    const Outcome outcome = run_call(board, call.slot, arena.data(), encoded);
    store_result(board, call, order.number, arena.data(), bell.get(), outcome, encoded);
    if (encoded.capacity() > (std::size_t{1} << 26)) encoded = std::string();  // One giant is not kept for ever.
  }
  std::fflush(nullptr);
  _exit(0);  // Not exit: what the program registered to happen at its end is not this process's to do.
}

}  // namespace futures::internal
