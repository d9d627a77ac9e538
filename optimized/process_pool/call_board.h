// The memory that a pool of processes shares with its workers, and every step that either side takes on it.
//
// A board has slots, one per call that is pending, running or delivered, and a ring that lists the pending ones in the
// order of their submits. Only the parent allocates; workers pull. Each step is one atomic operation on one word, so a
// worker may die between any two of them, and the parent sees from the slots what became of the calls:
//
//   the call's slot word                         step                     by        if the worker dies after it
//   ------------------------------------------   ----------------------   ------- ------------------------------------
//   kFree                                   ->   P1 fill, then kPending   parent
//   (ring[tail] = ticket and slot; ++tail)       P2 list                  parent
//   kPending, ticket, owner 0               ->   W1 kRunning, owner       worker    the call has failed:
//   WorkerDiedError (head -> head + 1)                           W2 pass (anyone may)     worker    the next worker
//   does it kRunning                                ->   W3 kWantsRoom            worker    the call has failed
//   kWantsRoom                              ->   P3 kRunning, with room   parent
//   (bytes of the result; written)               W4 write                 worker    the call has failed
//   kRunning                                ->   W5 kDone                 worker    delivered: what was said counts
//   (bit in done, bells)                         W6 tell                  worker    the parent finds it with the death
//   kRunning, kWantsRoom                    ->   P6 kCondemned            parent    the call has failed: it overran
//   kDone                                   ->   P4 kFree                 parent
//   kPending                                ->   P5 kFree (cancel)        parent
//
// W1 and P5 are both one compare-and-swap from the same value: a call is run or cancelled, never both, and exactly so.
// So are W5 and P6: a call is delivered or its worker condemned, and one that is condemned takes no other call before
// it is killed. The ticket, which grows by one per call, is in the word: a stale look at a slot can never succeed on
// its next call. Between W4 and W5 the program may read what is written, and makes nothing of it but a guess
// (process_pool_clients.cc).
//
// Trust. Workers can write everywhere here. The parent keeps its own record of each slot (ticket, room), reads every
// word once, and uses no number from here as an index or a length before it has been checked against that record.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CALL_BOARD_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CALL_BOARD_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "futures/encoding/module_address.h"
#include "futures/internal/sync.h"

namespace futures::internal {

inline constexpr std::uint16_t kWorkersMax = 1000;     // Workers are numbered from 1 to this.
// A board of all workers has one slot for the call that each runs, and so many for calls that wait where workers find
// them. More: the parent may be slower than they are; fewer: less memory, which is there from the start.
inline constexpr std::uint32_t kSlotsAhead = 240;
inline constexpr std::uint32_t kSlots = 1280;          // At most.
static_assert(kSlots >= kSlotsAhead + kWorkersMax && kSlots % 64 == 0);
inline constexpr std::uint32_t kRingEntries = 2048;    // Cancelled calls leave their entries behind for a while.
static_assert(kRingEntries > kSlots);
inline constexpr std::size_t kInlineBytes = 4096 - 64;     // A payload up to this needs no room in the arena.

enum class SlotPhase : std::uint8_t { kFree, kPending, kRunning, kWantsRoom, kDone, kCondemned };

// What a worker says of itself, so that a wake goes where it is needed: to nobody while a worker looks for calls, and
// to one that sleeps otherwise. Whoever wakes it says before that it looks: it will, and nobody else needs to be woken.
// kAdmitted is the parent's: it knows of the worker, and would see it die, so the worker may begin.
enum class WorkerState : std::uint32_t { kAbsent, kBusy, kLooking, kSleeping, kAdmitted };

// A slot's word, taken apart.
struct SlotWord {
  std::uint64_t ticket =
      0;  // 48 bits, here and in the ring: a million calls per second for nine years. Then the pool breaks.
  std::uint16_t owner = 0;  // 12 bits. The worker that took the call, from 1; 0: none.
  SlotPhase phase = SlotPhase::kFree;

  constexpr std::uint64_t packed() const {
    return ticket << 16 | std::uint64_t{owner} << 4 | static_cast<std::uint64_t>(phase);
  }
  static constexpr SlotWord of(std::uint64_t word) {
    return {word >> 16, static_cast<std::uint16_t>(word >> 4 & 0xfff), static_cast<SlotPhase>(word & 0xf)};
  }
  friend bool operator==(const SlotWord&, const SlotWord&) = default;
};

enum class Outcome : std::uint32_t { kValue, kException };

// Where bytes are: in the slot (offset kInline) or at an offset of the arena.
struct Place {
  static constexpr std::uint64_t kInline = ~std::uint64_t{0};
  std::uint64_t offset = kInline;
  std::uint64_t bytes = 0;
};

// What a worker may change at any moment: read this once, then look at the copy.
template <typename T>
T read_once(const T& shared) {
  return *static_cast<const volatile T*>(&shared);
}

struct alignas(64) Slot {
  sync::atomic<std::uint64_t> word{SlotWord{}.packed()};
  sync::atomic<std::uint32_t> room_bell{0};  // Counts P3; the owner waits here for room.
  // Counts W3, W5, P4 and P5: a client that waits for this call alone sleeps here, and is woken without a detour.
  sync::atomic<std::uint32_t> client_bell{0};
  sync::atomic<std::uint32_t> sleeping_clients{0};  // The parent's.
  Outcome outcome = Outcome::kValue;  // Written by the owner before W5.
  // Written by the parent before P1, read by the owner after W1.
  ModuleAddress run;
  // The call's, written with `run`. Then what the owner wants room for, written before W3 (the offset says what it is),
  // and the room, by the parent before P3. At last the result's, written by the owner before W5.
  Place place;
  // How many bytes of the result are in the room, so far: set to none by the parent before P3, then the owner's.
  sync::atomic<std::uint64_t> written{0};
  // All above is in one line of the cache: a tiny call costs two.
  alignas(64) std::array<char, kInlineBytes> bytes;  // The call's, then the result's.
};
static_assert(offsetof(Slot, bytes) == 64);
static_assert(sizeof(Slot) == 4096, "a slot is a page, so that what one worker writes shares no page with another's");

// Lives at the start of the shared memory. No constructor runs there: memory that is all zero is a board with free
// slots, and every initial value below is zero.
struct CallBoard {
  alignas(64) sync::atomic<std::uint64_t> head{0};  // The ticket of the first entry not yet passed.
  alignas(64) sync::atomic<std::uint64_t> tail{0};  // The ticket that the next call will get.
  sync::atomic<std::uint32_t> closing{0};  // No call will come any more.
  sync::atomic<std::uint32_t> workers_end{0};  // Workers' numbers are below this; 0 before the first. The parent's.
  // By number: a WorkerState. Its worker's, which sleeps on it; the parent clears it when the worker has died.
  alignas(64) std::array<sync::atomic<std::uint32_t>, kWorkersMax + 1> workers{};
  alignas(64) sync::atomic<std::uint32_t> parent_sleeps{0};  // The bell's descriptor must be rung.
  std::array<sync::atomic<std::uint64_t>, kSlots / 64> done{};  // Bit per slot: look here (W6).
  alignas(64) std::array<sync::atomic<std::uint64_t>, kRingEntries> ring{};  // ticket << 16 | slot
  std::array<Slot, kSlots> slots{};
};

// --- The parent's steps. One thread at a time (the pool's lock).

// P1 and P2: the slot's fields have been filled. Returns false, and does nothing, if the ring is full.
// Wakes one idle worker if there is any.
bool list_call(CallBoard& board, std::uint32_t slot, std::uint64_t ticket);

// P5. Returns whether the call was still pending; then the slot is free.
bool cancel_call(CallBoard& board, std::uint32_t slot, std::uint64_t ticket);

// P3. Returns whether the owner was waiting for room; it continues with `room`.
bool grant_room(CallBoard& board, std::uint32_t slot, SlotWord wants_room, Place room);

// P6. Returns whether the slot still said `running`, which is kRunning or kWantsRoom: then its owner, which is to be
// killed, delivers nothing any more and takes no other call.
bool condemn_call(CallBoard& board, std::uint32_t slot, SlotWord running);

// How many bytes of the result its owner says are in the room; they may be read. Any thread.
std::uint64_t bytes_written(const CallBoard& board, std::uint32_t slot);

// P4, and after a death: the slot is free. Wakes the clients that wait for its call.
void free_slot(CallBoard& board, std::uint32_t slot);

// Wakes the clients that sleep until the slot's worker, or the pool, has something to say of its call. Returns whether
// there was anybody. Workers and parent.
bool wake_clients(Slot& slot);

// No call will come any more: idle workers end. Of workers with numbers below `workers_end`, which the parent knows for
// itself.
void close_board(CallBoard& board, std::uint32_t workers_end);

// There is work: wakes a sleeping worker unless one is looking. Law E6 holds because whoever takes a call while there
// are more rings again.
void ring_for_work(CallBoard& board);

// Wakes all who sleep, and takes nobody's word for it that it looks or is not there: a worker that has died may have
// been about to wake another, one that was stopped does not look, and one that is hostile may hide others.
void wake_workers(CallBoard& board, std::uint32_t workers_end);

// The worker may begin. Until then it takes no call, so one that has to be killed because nobody could watch it costs
// none.
void admit_worker(CallBoard& board, std::uint16_t worker);

// The worker has died.
void forget_worker(CallBoard& board, std::uint16_t worker);

// Whether the worker has said that it takes calls.
bool is_ready(const CallBoard& board, std::uint16_t worker);

// --- A worker's steps.

struct TakenCall {
  std::uint32_t slot = kSlots;  // kSlots: none.
  std::uint64_t ticket = 0;
};

// Once, before the first call. Waits until the parent has admitted the worker, and says that it takes calls from now
// on. `bell` is the descriptor that wakes the parent.
void begin(CallBoard& board, std::uint16_t worker, int bell);

// W1, W2: takes the first pending call. Waits for one; none when the board is closed and empty. Calls `rest` once in a
// wait that lasts.
TakenCall take_call(CallBoard& board, std::uint16_t worker, void (*rest)());

// What a worker wants room for: the encoded result, for which it waits until there is some, or a buffer, for which it
// is told at once if there is none (no bytes): so that no two calls wait for what the other holds.
enum class RoomFor : std::uint64_t { kResult, kBuffer };

// W3, then waits for P3. Returns where the room is.
Place wait_for_room(CallBoard& board, const TakenCall& call, std::uint16_t worker, RoomFor what, std::uint64_t bytes,
                    int bell);

// W4, as far as it has come: the first `bytes` of the result are in the room.
void publish_written(CallBoard& board, const TakenCall& call, std::uint64_t bytes);

// W5, W6: the result is in its place. `bell` is the descriptor that wakes the parent.
void deliver(CallBoard& board, const TakenCall& call, std::uint16_t worker, int bell);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CALL_BOARD_H_
