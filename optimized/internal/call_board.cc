#include "optimized/internal/call_board.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace futures::internal {
namespace {

// How often an idle worker looks for work before it sleeps. A look costs some nanoseconds; a sleep and a wake cost 50
// microseconds of latency. More keeps a core busy for longer after the last call.
constexpr int kLooksBeforeSleep = 2000;

// How long a worker sleeps before it rests, which costs the calls after it some memory to take anew.
constexpr std::chrono::milliseconds kBeforeRest{100};

void ring(int bell) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(bell, &one, sizeof(one));  // Full means that it has been rung.
}

void tell_parent(CallBoard& board, std::uint32_t slot, int bell) {
  // Seq_cst, here and where the parent goes to sleep: either it sees the bit, or this sees that it sleeps.
  board.done[slot / 64].fetch_or(std::uint64_t{1} << (slot % 64), std::memory_order_seq_cst);
  // A client that waits for the call does what the collector would.
  if (wake_clients(board.slots[slot])) return;
  if (board.parent_sleeps.load(std::memory_order_seq_cst) != 0) ring(bell);
}

// One attempt. Returns true if `call` was taken; false if there is nothing to take.
bool try_take(CallBoard& board, std::uint16_t worker, TakenCall& call) {
  for (;;) {
    std::uint64_t head = board.head.load(std::memory_order_acquire);
    if (head >= board.tail.load(std::memory_order_acquire)) return false;  // Pairs with list_call's release of tail.
    const std::uint64_t entry = board.ring[head % kRingEntries].load(std::memory_order_acquire);
    if (entry >> 16 != head) continue;  // Others have passed it meanwhile, and the entry is in use again.
    const std::uint32_t slot = static_cast<std::uint32_t>(entry & 0xffff) % kSlots;
    std::uint64_t expected = SlotWord{head, 0, SlotPhase::kPending}.packed();
    const bool taken = board.slots[slot].word.compare_exchange_strong(
        expected, SlotWord{head, worker, SlotPhase::kRunning}.packed(), std::memory_order_acq_rel);
    board.head.compare_exchange_strong(head, head + 1, std::memory_order_acq_rel);  // If it fails, another did it.
    if (taken) {
      call = {.slot = slot, .ticket = entry >> 16};
      return true;
    }
  }
}

void say(CallBoard& board, std::uint16_t worker, WorkerState state) {
  board.workers[worker].store(static_cast<std::uint8_t>(state), std::memory_order_seq_cst);
}

// A submit rings nobody while this worker looks. If it listed more than the one call, another worker is needed.
TakenCall busy_with(CallBoard& board, std::uint16_t worker, const TakenCall& call) {
  say(board, worker, WorkerState::kBusy);
  if (board.head.load(std::memory_order_seq_cst) < board.tail.load(std::memory_order_seq_cst)) ring_for_work(board);
  return call;
}

}  // namespace

bool wake_clients(Slot& slot) {
  // Seq_cst, here and where a client goes to sleep: either it sees the slot's word, or this sees that it sleeps.
  if (slot.sleeping_clients.load(std::memory_order_seq_cst) == 0) return false;
  slot.client_bell.fetch_add(1, std::memory_order_seq_cst);
  sync::shared_futex_wake_all(slot.client_bell);
  return true;
}

bool list_call(CallBoard& board, std::uint32_t slot, std::uint64_t ticket) {
  if (ticket - board.head.load(std::memory_order_acquire) >= kRingEntries) return false;
  // Release: the slot's fields happen before the owner's reads, which follow its acquire of the word.
  board.slots[slot].word.store(SlotWord{ticket, 0, SlotPhase::kPending}.packed(), std::memory_order_release);
  board.ring[ticket % kRingEntries].store(ticket << 16 | slot, std::memory_order_release);
  board.tail.store(ticket + 1, std::memory_order_seq_cst);
  ring_for_work(board);
  return true;
}

void ring_for_work(CallBoard& board) {
  // Seq_cst, here and where workers go to sleep: either this sees that a worker sleeps, or that worker's last look comes
  // after the call was listed.
  board.work_bell.fetch_add(1, std::memory_order_seq_cst);
  bool anyone_sleeps = false;
  const std::uint32_t end = std::min<std::uint32_t>(board.workers_end.load(std::memory_order_relaxed), kWorkersMax + 1);
  for (std::uint32_t worker = 1; worker < end; ++worker) {
    const auto state = static_cast<WorkerState>(board.workers[worker].load(std::memory_order_seq_cst));
    if (state == WorkerState::kLooking) return;
    anyone_sleeps = anyone_sleeps || state == WorkerState::kSleeping;
  }
  if (anyone_sleeps) sync::shared_futex_wake_one(board.work_bell);
}

void forget_worker(CallBoard& board, std::uint16_t worker) {
  board.workers[worker].store(static_cast<std::uint8_t>(WorkerState::kAbsent), std::memory_order_seq_cst);
}

bool is_ready(const CallBoard& board, std::uint16_t worker) {
  return board.workers[worker].load(std::memory_order_seq_cst) != static_cast<std::uint8_t>(WorkerState::kAbsent);
}

bool cancel_call(CallBoard& board, std::uint32_t slot, std::uint64_t ticket) {
  std::uint64_t expected = SlotWord{ticket, 0, SlotPhase::kPending}.packed();
  return board.slots[slot].word.compare_exchange_strong(expected, SlotWord{ticket, 0, SlotPhase::kFree}.packed(),
                                                        std::memory_order_acq_rel);
}

bool grant_room(CallBoard& board, std::uint32_t slot, SlotWord wants_room, Place room) {
  Slot& s = board.slots[slot];
  s.result = room;
  std::uint64_t expected = wants_room.packed();
  const bool granted = s.word.compare_exchange_strong(
      expected, SlotWord{wants_room.ticket, wants_room.owner, SlotPhase::kRunning}.packed(), std::memory_order_acq_rel);
  s.room_bell.fetch_add(1, std::memory_order_release);
  sync::shared_futex_wake_all(s.room_bell);
  return granted;
}

void free_slot(CallBoard& board, std::uint32_t slot) {
  board.slots[slot].word.store(SlotWord{}.packed(), std::memory_order_release);
  wake_clients(board.slots[slot]);
}

void close_board(CallBoard& board) {
  board.closing.store(1, std::memory_order_seq_cst);
  board.work_bell.fetch_add(1, std::memory_order_seq_cst);
  sync::shared_futex_wake_all(board.work_bell);
}

void say_ready(CallBoard& board, std::uint16_t worker, int bell) {
  say(board, worker, WorkerState::kBusy);
  ring(bell);
}

TakenCall take_call(CallBoard& board, std::uint16_t worker, void (*rest)()) {
  TakenCall call;
  bool has_rested = false;
  for (;;) {
    say(board, worker, WorkerState::kLooking);
    for (int look = 0; look < kLooksBeforeSleep; ++look) {
      if (try_take(board, worker, call)) return busy_with(board, worker, call);
      if (board.closing.load(std::memory_order_acquire) != 0) return TakenCall();
      sync::pause();
    }
    // No wake is missed: the bell is read before the last look, and rung after a call is listed.
    say(board, worker, WorkerState::kSleeping);
    const std::uint32_t bell = board.work_bell.load(std::memory_order_seq_cst);
    if (try_take(board, worker, call)) return busy_with(board, worker, call);
    if (board.closing.load(std::memory_order_seq_cst) != 0) continue;
    const sync::deadline until = has_rested ? std::nullopt : sync::deadline(sync::clock::now() + kBeforeRest);
    if (sync::shared_futex_wait(board.work_bell, bell, until)) continue;
    rest();
    has_rested = true;
  }
}

Place wait_for_room(CallBoard& board, const TakenCall& call, std::uint16_t worker, RoomFor what, std::uint64_t bytes,
                    int bell) {
  Slot& s = board.slots[call.slot];
  s.result = {.offset = static_cast<std::uint64_t>(what), .bytes = bytes};
  const std::uint32_t before = s.room_bell.load(std::memory_order_acquire);
  s.word.store(SlotWord{call.ticket, worker, SlotPhase::kWantsRoom}.packed(), std::memory_order_seq_cst);
  tell_parent(board, call.slot, bell);
  while (s.room_bell.load(std::memory_order_acquire) == before) sync::shared_futex_wait(s.room_bell, before);
  return s.result;
}

void deliver(CallBoard& board, const TakenCall& call, std::uint16_t worker, int bell) {
  // Release at least: the result's bytes happen before the parent's reads, which follow its acquire of the word. Seq_cst as
  // wake_clients says.
  board.slots[call.slot].word.store(SlotWord{call.ticket, worker, SlotPhase::kDone}.packed(), std::memory_order_seq_cst);
  tell_parent(board, call.slot, bell);
}

}  // namespace futures::internal
