// The program's side of a board of calls: the memory that it shares with workers, and what it knows of each slot,
// whatever a worker may write there. With Isolation::kShared a pool has one board for all its workers, with kPerWorker
// one of a single slot for each (process_pool.h).
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_BOARD_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_BOARD_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "futures/encoding/buffer_memory.h"
#include "futures/encoding/module_address.h"
#include "futures/internal/sync.h"
#include "futures/task.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/shared_memory.h"

namespace futures::internal {

// Bytes of an encoded call that need no memory of their own. More: every waiting call takes more; fewer: more calls
// take memory in one thread and give it back in another, which costs both more than the call does.
inline constexpr std::size_t kFewBytes = 64;

// A call that is accepted, encoded, and not on a board. Where it has room in an arena already, that is where it was
// encoded to, and it must not outlive the board.
struct WaitingCall {
  Task task;
  ModuleAddress run;
  absl::InlinedVector<char, kFewBytes> encoded;  // Unless it has room.
  Arena::Room room;
  std::size_t bytes = 0;      // Encoded.
  std::vector<std::shared_ptr<BufferMemory>> buffers;  // That it hands over by their places.
  std::uint64_t sequence = 0;  // Grows with each submit.
  int times_left = 0;
  int untaken_deaths = 0;
};

class Board;

// A buffer in a board's arena, which it keeps.
class ArenaBuffer final : public BufferMemory {
 public:
  ArenaBuffer(std::shared_ptr<const Board> board, Arena::Room room, std::size_t bytes);

 private:
  const std::shared_ptr<const Board> board_;
  const Arena::Room room_;  // Given back before the board may go.
};

// Thread-safety: what it knows of its slots belongs to the pool's lock; `calls` and `any_done` are for any thread.
//
// Trust (law P11): every number that a worker can write is read once, and used as an index, a length or a place only
// after it has been checked against what this object knows. What a worker can cost in memory is bounded: the three
// arenas, `payload_bytes_max` each, one result of at most that for the collector, and two for each thread that waits in
// `result()`: one that it has read early, and one that it decodes because the other was none.
class Board : public std::enable_shared_from_this<Board> {
 public:
  // `slots` of at most kSlots; `kept_bytes` of freed payload pages stay ready in each direction. A board of a `worker`
  // of its own (from 1; 0: of all workers) keeps the calls that it is given, in case the worker dies before it takes
  // them. Throws std::system_error.
  Board(std::uint32_t slots, std::uint16_t worker, std::size_t payload_bytes_max, std::uint64_t kept_bytes);
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  CallBoard& calls() const { return *reinterpret_cast<CallBoard*>(memory_.data()); }
  const SharedMemory& memory() const { return memory_; }
  const SharedMemory& arena() const { return arena_; }
  std::uint32_t slots() const { return static_cast<std::uint32_t>(held_.size()); }
  std::uint16_t worker() const { return worker_; }
  bool has_free_slot() const { return !free_slots_.empty(); }

  // A worker of this number has been ordered.
  void expect_worker(std::uint16_t number) {
    workers_end_ = std::max<std::uint32_t>(workers_end_, number + 1u);
    calls().workers_end.store(workers_end_, std::memory_order_relaxed);
  }
  void wake_workers() {
    calls().workers_end.store(workers_end_, std::memory_order_relaxed);  // Whatever became of it.
    internal::wake_workers(calls(), workers_end_);
  }
  void close() { close_board(calls(), workers_end_); }

  // Whether the worker whose board this is takes calls, and has passed all that it was given.
  bool is_worker_ready() const {
    return is_ready(calls(), worker_) && calls().head.load(std::memory_order_acquire) == next_ticket_;
  }
  // Whether a worker has something to say.
  bool any_done() const;
  // The slots whose workers have something to say, each once, as bits.
  using SlotBits = std::array<std::uint64_t, kSlots / 64>;
  // With a slot, those in which its worker has delivered before.
  SlotBits take_done();
  // The slots of `bits` that hold calls, in the order in which those were listed: a worker's are in the order in which
  // it ran them.
  using Slots = absl::InlinedVector<std::uint32_t, 64>;
  Slots in_order(const SlotBits& bits) const;
  Slots held_in_order() const;
  // The same of those in which `owner` has delivered calls that are older than the slot's.
  Slots done_before(std::uint32_t slot, std::uint16_t owner) const;

  // Has it said again that the slot's worker has something to say, and wakes the clients that wait for its call.
  void say_done_again(std::uint32_t slot) {
    calls().done[slot / 64].fetch_or(std::uint64_t{1} << (slot % 64), std::memory_order_acq_rel);
    wake_clients(calls().slots[slot]);
  }
  void forget_done(std::uint32_t slot) {
    calls().done[slot / 64].fetch_and(~(std::uint64_t{1} << (slot % 64)), std::memory_order_acq_rel);
  }

  // What the slot says of the call that it was given. Nothing if it holds none, or says what no honest worker would.
  struct Seen {
    SlotPhase phase = SlotPhase::kPending;
    std::uint16_t owner = 0;  // Not for kPending.
  };
  std::optional<Seen> see(std::uint32_t slot) const;
  // Whether a worker has written what none may: in a slot's word, or in the list of pending calls.
  bool is_damaged() const;
  bool holds(std::uint32_t slot) const { return static_cast<bool>(held_[slot].task); }
  const Task& task(std::uint32_t slot) const { return held_[slot].task; }
  std::uint64_t ticket(std::uint32_t slot) const { return tickets_[slot]; }
  // Whether the call has been seen to run: it was taken, whatever the slot says now.
  bool has_started(std::uint32_t slot) const {
    return held_[slot].seen_running.has_value() || held_[slot].task.state().has_left_pending();
  }
  // How often the call was given to a worker that did not take it; how often such a worker died. The pool's to count;
  // of a worker's own board.
  int& times_left(std::uint32_t slot) { return held_[slot].given->times_left; }
  int& untaken_deaths(std::uint32_t slot) { return held_[slot].given->untaken_deaths; }
  // What second looks found: that the call had not been taken, or when it was first seen to run. The pool's to set.
  bool& seen_pending(std::uint32_t slot) { return held_[slot].seen_pending; }
  std::optional<sync::clock::time_point>& seen_running(std::uint32_t slot) { return held_[slot].seen_running; }

  // Room for a call of so many bytes, more than a slot holds, to be encoded to before it is put. Any thread.
  Arena::Allocation room_for_call(std::size_t bytes) {
    return bytes <= payload_bytes_max_ ? call_arena_.allocate(bytes) : Arena::Allocation();
  }
  // The program is about to go through the room from end to end. Any thread; without a lock, since it may take a while.
  std::span<char> use(const Arena::Room& room) {
    Arena& arena = room.place().offset < payload_bytes_max_ ? call_arena_ : result_arena_;
    const Place unmapped = arena.expected_use(room.place());
    arena_.expect_use(unmapped.offset, unmapped.bytes);
    return bytes_of(room);
  }
  std::span<char> bytes_of(const Arena::Room& room) const {
    return {arena_.data() + room.place().offset, room.place().bytes};
  }

  // A buffer in the arena; null if there is no room now. Any thread.
  std::shared_ptr<ArenaBuffer> make_buffer(std::size_t bytes);
  // Where the memory is in the arena; nothing if it is elsewhere.
  std::optional<std::uint64_t> place_of(const BufferMemory& memory) const;

  enum class Put { kDone, kLater, kRoomLater, kNoRoom };
  // P1 and P2. kDone: `call` has been moved from, and is in `slot`. kLater: a slot or the ring is lacking now.
  // kRoomLater: room for its payload is. kNoRoom: that never fits. Throws std::bad_alloc, and then nothing has
  // happened.
  Put put(WaitingCall& call, std::uint32_t& slot);

  // P5. Returns whether the call was still pending; then it is to be released.
  bool cancel(std::uint32_t slot) { return cancel_call(calls(), slot, tickets_[slot]); }

  // P6. Returns whether the call was still running: it delivers nothing any more, and its worker is to be killed.
  bool condemn(std::uint32_t slot);

  // P3, for a call that wants room: in turn, so that one which wants much is not overtaken for ever. Also as soon as
  // there is some for those that wait.
  void provide_room(std::uint32_t slot);
  void provide_waiting_rooms();

  // Where a large value is being written that the slot's call returns.
  struct Arriving {
    std::shared_ptr<const Arena::Room> room;  // Whoever lets go of it last provides waiting rooms. Null: there is none.
    std::size_t bytes = 0;
  };
  // What is read there is not the call's outcome before take_result gives the same room. Of the board of all workers:
  // with one of its own a worker's results are copied before anybody looks at them.
  Arriving arriving(std::uint32_t slot) const;

  struct Result {
    Outcome outcome = Outcome::kValue;
    std::string encoded;  // Unless it has room.
    std::shared_ptr<const Arena::Room>
        room;  // Where it is. No worker's any more, but a hostile one can still write there.
    std::size_t bytes = 0;
    std::vector<std::shared_ptr<BufferMemory>> buffers;  // That it may name by their places.
    const char* error = nullptr;  // Set: there is no result, and why.
  };
  // What the worker delivered; a copy if it is small, or of a worker with a board of its own. For a slot that is seen
  // as kDone.
  Result take_result(std::uint32_t slot);

  // Clients that sleep until the call leaves the slot, or wants something of the program, are counted here.
  void add_sleeping_client(std::uint32_t slot) { set_sleeping_clients(slot, sleeping_clients_[slot] + 1); }
  void remove_sleeping_client(std::uint32_t slot) { set_sleeping_clients(slot, sleeping_clients_[slot] - 1); }

  // P4: the call leaves the slot.
  Task release(std::uint32_t slot);
  // The same, for a call whose worker died before it took it: as it was given. Of a worker's own board.
  WaitingCall take_back(std::uint32_t slot);

 private:
  // What the pool knows of a slot.
  struct HeldCall {
    Task task;
    std::unique_ptr<WaitingCall> given;  // Without its task.
    Arena::Room call_room;
    std::shared_ptr<const Arena::Room> result_room;
    std::uint64_t result_bytes = 0;  // That it is for.
    std::vector<std::shared_ptr<BufferMemory>> buffers;  // Given with the call, and asked for by it.
    bool result_too_large = false;
    bool seen_pending = false;
    std::optional<sync::clock::time_point> seen_running;
  };

  SlotWord word(std::uint32_t slot) const {
    return SlotWord::of(calls().slots[slot].word.load(std::memory_order_acquire));
  }

  Slots slots_in(const SlotBits& bits) const;
  Slots in_order(Slots slots) const;
  SlotBits done_bits() const;
  bool provide_result_room(std::uint32_t slot);
  void provide_buffer(std::uint32_t slot, const SlotWord& wants_room, std::uint64_t bytes);
  void set_sleeping_clients(std::uint32_t slot, std::uint32_t count) {
    sleeping_clients_[slot] = count;
    calls().slots[slot].sleeping_clients.store(count, std::memory_order_seq_cst);  // As wake_clients says.
  }

  const std::uint16_t worker_;
  const std::size_t payload_bytes_max_;
  SharedMemory memory_;  // Constant; what is in it has its own rules (call_board.h).
  SharedMemory arena_;
  Arena call_arena_;  // Apart, so that results never wait for room that calls hold, nor either for buffers.
  Arena result_arena_;
  Arena buffer_arena_;
  std::vector<HeldCall> held_;
  std::vector<std::uint64_t> tickets_;  // Of the held calls, by slot: apart, since many are looked at together.
  std::vector<std::uint32_t> sleeping_clients_;  // By slot. They may still be counted when its next call is there.
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> wanting_room_;  // Slots whose owner waits for room for a result, once each, in this order.
  std::uint64_t next_ticket_ = 0;
  std::uint32_t workers_end_ = 1;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_BOARD_H_
