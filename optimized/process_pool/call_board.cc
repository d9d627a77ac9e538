#include "optimized/process_pool/call_board.h"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "futures/internal/time.h"

namespace futures::internal {
namespace {

// How often an idle worker looks for work before it sleeps. A look costs some nanoseconds; a sleep and a wake cost 50
// microseconds of latency. More keeps a core busy for longer after the last call.
constexpr int kLooksBeforeSleep = 2000;

// How often a worker that wants room looks before it sleeps. Fewer: large results wait for a wake; more: where the
// program is busy elsewhere, a core is kept from it.
constexpr int kLooksForRoom = 1000;

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

constexpr std::uint32_t number_of(WorkerState state) { return static_cast<std::uint32_t>(state); }

void say(CallBoard& board, std::uint16_t worker, WorkerState state) {
  board.workers[worker].store(number_of(state), std::memory_order_seq_cst);
}

// Seq_cst, here, where workers say what they do, and where calls are listed: either who lists a call sees what the
// worker has said, or the worker sees the call.
bool has_calls(const CallBoard& board) {
  return board.head.load(std::memory_order_seq_cst) < board.tail.load(std::memory_order_seq_cst);
}

// The slot of the worker's call says something new, unless the worker is condemned: then it waits to be killed.
void advance(Slot& slot, const TakenCall& call, std::uint16_t worker, SlotPhase phase) {
  const std::uint64_t condemned = SlotWord{call.ticket, worker, SlotPhase::kCondemned}.packed();
  const std::uint64_t next = SlotWord{call.ticket, worker, phase}.packed();
  std::uint64_t seen = slot.word.load(std::memory_order_relaxed);
  do {
    while (seen == condemned) pause();
  } while (!slot.word.compare_exchange_weak(seen, next, std::memory_order_seq_cst));
}

// A submit rings nobody while a worker looks, this one perhaps. If more than the one call is listed, another worker is
// needed.
TakenCall busy_with(CallBoard& board, const TakenCall& call) {
  if (has_calls(board)) ring_for_work(board);
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
  std::uint32_t sleeping = 0;
  const std::uint32_t end = std::min<std::uint32_t>(board.workers_end.load(std::memory_order_relaxed), kWorkersMax + 1);
  for (std::uint32_t worker = 1; worker < end; ++worker) {
    const std::uint32_t state = board.workers[worker].load(std::memory_order_seq_cst);
    if (state == number_of(WorkerState::kLooking)) return;
    if (state == number_of(WorkerState::kSleeping) && sleeping == 0) sleeping = worker;
  }
  if (sleeping == 0) return;
  // If that fails the worker is awake, and what it said since comes before its next look for calls.
  std::uint32_t expected = number_of(WorkerState::kSleeping);
  sync::atomic<std::uint32_t>& state = board.workers[sleeping];
  if (!state.compare_exchange_strong(expected, number_of(WorkerState::kLooking), std::memory_order_seq_cst)) return;
  sync::shared_futex_wake_one(state);
}

void wake_workers(CallBoard& board, std::uint32_t workers_end) {
  for (std::uint32_t worker = 1; worker < workers_end; ++worker) {
    sync::atomic<std::uint32_t>& state = board.workers[worker];
    std::uint32_t said = state.load(std::memory_order_seq_cst);
    // Where that fails the worker has just said something else, and looks for calls after that.
    if (said != number_of(WorkerState::kAbsent) && said != number_of(WorkerState::kAdmitted)) {
      state.compare_exchange_strong(said, number_of(WorkerState::kBusy), std::memory_order_seq_cst);
    }
    sync::shared_futex_wake_all(state);
  }
}

void admit_worker(CallBoard& board, std::uint16_t worker) {
  say(board, worker, WorkerState::kAdmitted);
  sync::shared_futex_wake_all(board.workers[worker]);
}

void forget_worker(CallBoard& board, std::uint16_t worker) {
  board.workers[worker].store(number_of(WorkerState::kAbsent), std::memory_order_seq_cst);
}

bool is_ready(const CallBoard& board, std::uint16_t worker) {
  const std::uint32_t state = board.workers[worker].load(std::memory_order_seq_cst);
  return state != number_of(WorkerState::kAbsent) && state != number_of(WorkerState::kAdmitted);
}

bool cancel_call(CallBoard& board, std::uint32_t slot, std::uint64_t ticket) {
  std::uint64_t expected = SlotWord{ticket, 0, SlotPhase::kPending}.packed();
  return board.slots[slot].word.compare_exchange_strong(expected, SlotWord{ticket, 0, SlotPhase::kFree}.packed(),
                                                        std::memory_order_acq_rel);
}

bool grant_room(CallBoard& board, std::uint32_t slot, SlotWord wants_room, Place room) {
  Slot& s = board.slots[slot];
  s.place = room;
  s.written.store(0, std::memory_order_relaxed);
  std::uint64_t expected = wants_room.packed();
  const bool granted = s.word.compare_exchange_strong(
      expected, SlotWord{wants_room.ticket, wants_room.owner, SlotPhase::kRunning}.packed(), std::memory_order_acq_rel);
  s.room_bell.fetch_add(1, std::memory_order_release);
  sync::shared_futex_wake_all(s.room_bell);
  return granted;
}

std::uint64_t bytes_written(const CallBoard& board, std::uint32_t slot) {
  return board.slots[slot].written.load(std::memory_order_acquire);
}

bool condemn_call(CallBoard& board, std::uint32_t slot, SlotWord running) {
  std::uint64_t expected = running.packed();
  return board.slots[slot].word.compare_exchange_strong(
      expected, SlotWord{running.ticket, running.owner, SlotPhase::kCondemned}.packed(), std::memory_order_acq_rel);
}

void free_slot(CallBoard& board, std::uint32_t slot) {
  board.slots[slot].word.store(SlotWord{}.packed(), std::memory_order_release);
  wake_clients(board.slots[slot]);
}

void close_board(CallBoard& board, std::uint32_t workers_end) {
  board.closing.store(1, std::memory_order_seq_cst);
  wake_workers(board, workers_end);
}

void begin(CallBoard& board, std::uint16_t worker, int bell) {
  const sync::atomic<std::uint32_t>& state = board.workers[worker];
  while (state.load(std::memory_order_seq_cst) == number_of(WorkerState::kAbsent)) {
    sync::shared_futex_wait(state, number_of(WorkerState::kAbsent));
  }
  say(board, worker, WorkerState::kBusy);
  ring(bell);
}

TakenCall take_call(CallBoard& board, std::uint16_t worker, void (*rest)()) {
  TakenCall call;
  // While there are calls it does not say that it looks for them: every submit reads what it says, and would wait for
  // the line.
  if (try_take(board, worker, call)) return busy_with(board, call);
  bool has_rested = false;
  for (;;) {
    say(board, worker, WorkerState::kLooking);
    for (int look = 0; look < kLooksBeforeSleep; ++look) {
      if (try_take(board, worker, call)) {
        say(board, worker, WorkerState::kBusy);
        return busy_with(board, call);
      }
      if (board.closing.load(std::memory_order_acquire) != 0) return TakenCall();
      sync::pause();
    }
    // No wake is missed: from here on whoever lists a call sees it asleep, or it sees the call.
    say(board, worker, WorkerState::kSleeping);
    if (has_calls(board) || board.closing.load(std::memory_order_seq_cst) != 0) continue;
    const sync::deadline until = has_rested ? std::nullopt : sync::deadline(sync::clock::now() + kBeforeRest);
    if (sync::shared_futex_wait(board.workers[worker], number_of(WorkerState::kSleeping), until)) continue;
    say(board, worker, WorkerState::kBusy);  // Calls that are listed now are for others, if there are any.
    if (has_calls(board)) continue;
    rest();
    has_rested = true;
  }
}

Place wait_for_room(CallBoard& board, const TakenCall& call, std::uint16_t worker, RoomFor what, std::uint64_t bytes,
                    int bell) {
  Slot& s = board.slots[call.slot];
  s.place = {.offset = static_cast<std::uint64_t>(what), .bytes = bytes};
  const std::uint32_t before = s.room_bell.load(std::memory_order_acquire);
  advance(s, call, worker, SlotPhase::kWantsRoom);
  tell_parent(board, call.slot, bell);
  // A client that waits for the call gives room at once.
  const auto has_rung = [&] { return s.room_bell.load(std::memory_order_acquire) != before; };
  for (int look = 0; look < kLooksForRoom && !has_rung(); ++look) sync::pause();
  while (!has_rung()) sync::shared_futex_wait(s.room_bell, before);
  return s.place;
}

// Release, and acquire where it is read: the bytes are there before the number.
void publish_written(CallBoard& board, const TakenCall& call, std::uint64_t bytes) {
  board.slots[call.slot].written.store(bytes, std::memory_order_release);
}

void deliver(CallBoard& board, const TakenCall& call, std::uint16_t worker, int bell) {
  // Release at least: the result's bytes happen before the parent's reads, which follow its acquire of the word.
  // Seq_cst as wake_clients says.
  advance(board.slots[call.slot], call, worker, SlotPhase::kDone);
  tell_parent(board, call.slot, bell);
}

}  // namespace futures::internal
