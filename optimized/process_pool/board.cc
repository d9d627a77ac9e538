#include "optimized/process_pool/board.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "futures/encoding/call_vtable.h"

namespace futures::internal {
namespace {

// The pages that the parent touches of a board with so many slots. The others stay holes.
std::uint64_t used_bytes(std::uint32_t slots) { return offsetof(CallBoard, slots) + slots * sizeof(Slot); }

// More than a call that means it well has use for.
constexpr std::size_t kBuffersOfCallMax = 1024;

// Null if there is no memory for that.
std::shared_ptr<const Arena::Room> to_share(Arena::Room room) {
  try {
    return std::make_shared<const Arena::Room>(std::move(room));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

ArenaBuffer::ArenaBuffer(std::shared_ptr<const Board> board, Arena::Room room, std::size_t bytes)
    : BufferMemory(std::as_writable_bytes(board->bytes_of(room).first(bytes))),
      board_(std::move(board)),
      room_(std::move(room)) {}

Board::Board(std::uint32_t slots, std::uint16_t worker, std::size_t payload_bytes_max, std::uint64_t kept_bytes)
    : worker_(worker),
      payload_bytes_max_(payload_bytes_max),
      memory_(SharedMemory::create("concurrent_futures board", sizeof(CallBoard))),
      arena_(SharedMemory::create("concurrent_futures arena", 3 * payload_bytes_max)),
      call_arena_(arena_, 0, payload_bytes_max, kept_bytes),
      result_arena_(arena_, payload_bytes_max, payload_bytes_max, kept_bytes),
      buffer_arena_(arena_, 2 * payload_bytes_max, payload_bytes_max, kept_bytes),
      held_(slots),
      tickets_(slots),
      sleeping_clients_(slots) {
  if (!memory_.allocate(0, used_bytes(slots))) {
    throw std::system_error(errno, std::generic_category(), "cannot set up a board of calls");
  }
  for (std::uint32_t slot = slots; slot-- > 0;) free_slots_.push_back(slot);
}

bool Board::any_done() const {
  const auto& done = calls().done;
  return std::any_of(done.begin(), done.begin() + (slots() + 63) / 64,
                     [](const auto& bits) { return bits.load(std::memory_order_seq_cst) != 0; });
}

Board::SlotBits Board::take_done() {
  SlotBits taken{};
  for (std::uint32_t first = 0; first < slots(); first += 64) {
    sync::atomic<std::uint64_t>& bits = calls().done[first / 64];
    // Seldom is there any, and a look costs less than an exchange.
    if (bits.load(std::memory_order_relaxed) == 0) continue;
    const std::uint32_t count = std::min(slots() - first, 64u);
    taken[first / 64] = bits.exchange(0, std::memory_order_acq_rel) & (~std::uint64_t{0} >> (64 - count));
  }
  // A bit may be of the slot's call before, which was seen to be done before its worker had said so. Of the one that is
  // there now it says nothing, and that may be done by the time it is looked at, with others before it that are done
  // since.
  for (const std::uint32_t slot : slots_in(taken)) {
    const std::optional<Seen> seen = see(slot);
    const bool is_news = seen && (seen->phase == SlotPhase::kDone || seen->phase == SlotPhase::kWantsRoom);
    if (!is_news) taken[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  }
  if (slots() <= 64) return taken;
  // One after the other is not all at once: a worker may have delivered one of a word that had been read, and then one
  // of a word that had not. When the latter is seen, so is the former.
  const SlotBits late = done_bits();  // After what was seen above.
  if (late == SlotBits{}) return taken;
  absl::InlinedVector<std::uint64_t, 64> ends(workers_end_,
                                              0);  // By worker: the ticket after its last one that is taken.
  const auto end_of = [&ends](const std::optional<Seen>& seen) {
    return seen && seen->owner < ends.size() ? &ends[seen->owner] : nullptr;
  };
  for (const std::uint32_t slot : slots_in(taken)) {
    if (std::uint64_t* const end = end_of(see(slot))) *end = std::max(*end, ticket(slot) + 1);
  }
  for (const std::uint32_t slot : slots_in(late)) {
    const std::uint64_t* const end = end_of(see(slot));
    if (end == nullptr || ticket(slot) >= *end) continue;
    forget_done(slot);
    taken[slot / 64] |= std::uint64_t{1} << (slot % 64);
  }
  return taken;
}

Board::SlotBits Board::done_bits() const {
  SlotBits done{};
  for (std::uint32_t group = 0; group * 64 < slots(); ++group)
    done[group] = calls().done[group].load(std::memory_order_acquire);
  return done;
}

Board::Slots Board::slots_in(const SlotBits& bits) const {
  Slots slots_there;
  for (std::uint32_t group = 0; group * 64 < slots(); ++group) {
    for (std::uint64_t left = bits[group]; left != 0; left &= left - 1) {
      const std::uint32_t slot = group * 64 + static_cast<std::uint32_t>(std::countr_zero(left));
      if (slot < slots() && holds(slot)) slots_there.push_back(slot);
    }
  }
  return slots_there;
}

Board::Slots Board::in_order(Slots slots) const {
  std::sort(slots.begin(), slots.end(), [this](std::uint32_t a, std::uint32_t b) { return ticket(a) < ticket(b); });
  return slots;
}

Board::Slots Board::in_order(const SlotBits& bits) const { return in_order(slots_in(bits)); }

Board::Slots Board::held_in_order() const {
  SlotBits all;
  all.fill(~std::uint64_t{0});
  return in_order(all);
}

Board::Slots Board::done_before(std::uint32_t slot, std::uint16_t owner) const {
  Slots before = slots_in(done_bits());
  const auto is_other = [&](std::uint32_t other) {
    if (ticket(other) >= ticket(slot)) return true;
    const std::optional<Seen> seen = see(other);
    return !seen || seen->phase != SlotPhase::kDone || seen->owner != owner;
  };
  before.erase(std::remove_if(before.begin(), before.end(), is_other), before.end());
  return in_order(std::move(before));
}

std::optional<Board::Seen> Board::see(std::uint32_t slot) const {
  if (!holds(slot)) return std::nullopt;
  const SlotWord seen = word(slot);
  if (seen.ticket != tickets_[slot] || seen.phase == SlotPhase::kFree) return std::nullopt;
  if (seen.phase > SlotPhase::kCondemned) return std::nullopt;
  if (seen.phase == SlotPhase::kPending && seen.owner != 0) return std::nullopt;
  return Seen{.phase = seen.phase, .owner = worker_ != 0 ? worker_ : seen.owner};
}

bool Board::is_damaged() const {
  const CallBoard& board = calls();
  if (board.tail.load(std::memory_order_acquire) != next_ticket_) return true;
  // Beyond the end of the list, or further behind it than the list is long; or workers do not find the way from there.
  const std::uint64_t first = board.head.load(std::memory_order_acquire);
  if (next_ticket_ - first > kRingEntries) return true;
  for (std::uint64_t ticket = first; ticket < next_ticket_; ++ticket) {
    if (board.ring[ticket % kRingEntries].load(std::memory_order_relaxed) >> 16 != ticket) return true;
  }
  for (std::uint32_t slot = 0; slot < slots(); ++slot) {
    if (!holds(slot)) continue;
    const std::uint64_t ticket = tickets_[slot];
    // Before the slot: an honest worker passes a call only once it is not pending.
    const std::uint64_t head = board.head.load(std::memory_order_acquire);
    const std::optional<Seen> seen = see(slot);
    if (!seen) return true;
    if (seen->phase != SlotPhase::kPending) continue;
    if (has_started(slot)) return true;  // No call goes back.
    const std::uint64_t entry = board.ring[ticket % kRingEntries].load(std::memory_order_relaxed);
    if (head > ticket || entry != (ticket << 16 | slot)) return true;
  }
  return false;
}

Board::Put Board::put(WaitingCall& call, std::uint32_t& slot) {
  if (free_slots_.empty()) return Put::kLater;
  slot = free_slots_.back();
  HeldCall& held = held_[slot];
  Slot& shared = calls().slots[slot];
  std::unique_ptr<WaitingCall> given = worker_ != 0 ? std::make_unique<WaitingCall>() : nullptr;
  if (!call.room && call.bytes > kInlineBytes) {
    Arena::Allocation allocation = room_for_call(call.bytes);
    if (!allocation.room) return allocation.may_come ? Put::kRoomLater : Put::kNoRoom;
    call.room = std::move(allocation.room);
    std::memcpy(bytes_of(call.room).data(), call.encoded.data(), call.bytes);
    if (worker_ == 0) call.encoded = {};
  }
  if (!call.room) std::memcpy(shared.bytes.data(), call.encoded.data(), call.bytes);
  shared.run = call.run;
  shared.place = {.offset = call.room ? call.room.place().offset : Place::kInline, .bytes = call.bytes};
  if (!list_call(calls(), slot, next_ticket_)) {
    if (worker_ != 0) call.room = Arena::Room();  // It may go to another worker, and this board away.
    return Put::kLater;
  }
  free_slots_.pop_back();
  tickets_[slot] = next_ticket_++;
  held = HeldCall{.task = std::move(call.task), .call_room = std::move(call.room), .buffers = std::move(call.buffers)};
  if (given != nullptr) *given = std::move(call);
  held.given = std::move(given);
  return Put::kDone;
}

std::shared_ptr<ArenaBuffer> Board::make_buffer(std::size_t bytes) {
  Arena::Room room = bytes <= payload_bytes_max_ ? buffer_arena_.allocate(bytes).room : Arena::Room();
  if (!room) return nullptr;
  const Place unmapped = buffer_arena_.expected_use(room.place());
  arena_.expect_use(unmapped.offset, unmapped.bytes);
  return std::make_shared<ArenaBuffer>(shared_from_this(), std::move(room), bytes);
}

std::optional<std::uint64_t> Board::place_of(const BufferMemory& memory) const {
  return arena_.offset_of(memory.bytes().data());
}

// At once: there is room now, or the worker does without. One that is not trusted always does: it could go on writing
// to what the program reads.
void Board::provide_buffer(std::uint32_t slot, const SlotWord& wants_room, std::uint64_t bytes) {
  std::vector<std::shared_ptr<BufferMemory>>& buffers = held_[slot].buffers;
  Place place{.offset = 0, .bytes = 0};
  if (worker_ == 0 && buffers.size() < kBuffersOfCallMax && bytes <= payload_bytes_max_) {
    try {
      if (Arena::Room room = buffer_arena_.allocate(bytes).room) {
        const std::uint64_t offset = room.place().offset;
        buffers.push_back(std::make_shared<ArenaBuffer>(shared_from_this(), std::move(room), bytes));
        place = {.offset = offset, .bytes = bytes};
      }
    } catch (const std::bad_alloc&) {  // Then it does without.
    }
  }
  grant_room(calls(), slot, wants_room, place);
}

bool Board::condemn(std::uint32_t slot) {
  const SlotWord running = word(slot);
  const bool runs = running.phase == SlotPhase::kRunning || running.phase == SlotPhase::kWantsRoom;
  return runs && running.ticket == tickets_[slot] && condemn_call(calls(), slot, running);
}

void Board::provide_room(std::uint32_t slot) {
  const SlotWord wants_room = word(slot);
  if (!holds(slot) || wants_room.ticket != tickets_[slot] || wants_room.phase != SlotPhase::kWantsRoom) return;
  const Slot& shared = calls().slots[slot];
  const std::uint64_t what = read_once(shared.place.offset);
  if (what == static_cast<std::uint64_t>(RoomFor::kBuffer)) {
    return provide_buffer(slot, wants_room, read_once(shared.place.bytes));
  }
  // What could not be encoded there after all; an exception is next. Others may wait for just that.
  held_[slot].result_room = nullptr;
  if (std::find(wanting_room_.begin(), wanting_room_.end(), slot) == wanting_room_.end()) wanting_room_.push_back(slot);
  provide_waiting_rooms();
}

void Board::provide_waiting_rooms() {
  while (!wanting_room_.empty() && provide_result_room(wanting_room_.front()))
    wanting_room_.erase(wanting_room_.begin());
}

// Returns false if the call has to wait.
bool Board::provide_result_room(std::uint32_t slot) {
  HeldCall& held = held_[slot];
  const SlotWord wants_room = word(slot);
  if (wants_room.ticket != tickets_[slot] || wants_room.phase != SlotPhase::kWantsRoom) return true;
  const std::uint64_t bytes = read_once(calls().slots[slot].place.bytes);  // Nothing but a size to look for.
  Arena::Allocation allocation = bytes <= payload_bytes_max_ ? result_arena_.allocate(bytes) : Arena::Allocation();
  if (!allocation.room && allocation.may_come) return false;
  held.result_room = allocation.room ? to_share(std::move(allocation.room)) : nullptr;
  held.result_bytes = bytes;
  held.result_too_large = held.result_room == nullptr;
  grant_room(calls(), slot, wants_room,
             held.result_too_large ? Place{.offset = Place::kInline, .bytes = 0} : held.result_room->place());
  return true;
}

Board::Arriving Board::arriving(std::uint32_t slot) const {
  const HeldCall& held = held_[slot];
  if (worker_ != 0 || held.result_bytes <= kPieceBytes) return {};  // One piece cannot be read while it is written.
  return {.room = held.result_room, .bytes = held.result_bytes};
}

Board::Result Board::take_result(std::uint32_t slot) {
  HeldCall& held = held_[slot];
  const Slot& shared = calls().slots[slot];
  const std::uint64_t offset = read_once(shared.place.offset);
  const std::uint64_t bytes = read_once(shared.place.bytes);
  Result result;
  if (held.result_too_large) {
    result.error = "there is no room for the encoded result: it has more than payload_bytes_max, or memory is short";
  } else if (offset == Place::kInline && bytes <= kInlineBytes) {
    result.encoded.assign(shared.bytes.data(), bytes);
  } else if (held.result_room != nullptr && offset == held.result_room->place().offset &&
             bytes <= held.result_room->place().bytes) {
    if (worker_ == 0) {
      result.room = std::move(held.result_room);
    } else {
      // The worker's next call must not reach it any more.
      result.encoded.assign(bytes_of(*held.result_room).data(), bytes);
    }
  } else {
    result.error = "the worker delivered a result that is nowhere";
  }
  result.bytes = result.error == nullptr ? bytes : 0;
  result.buffers = std::move(held.buffers);
  result.outcome = read_once(shared.outcome) == Outcome::kValue ? Outcome::kValue : Outcome::kException;
  return result;
}

Task Board::release(std::uint32_t slot) {
  HeldCall& held = held_[slot];
  if (sleeping_clients_[slot] > 0)
    set_sleeping_clients(slot, sleeping_clients_[slot]);  // Whatever a worker wrote there.
  free_slot(calls(), slot);
  std::erase(wanting_room_, slot);
  Task task = std::move(held.task);
  const bool gives_room = held.result_room != nullptr;
  held = HeldCall();
  free_slots_.push_back(slot);
  if (gives_room) provide_waiting_rooms();
  return task;
}

WaitingCall Board::take_back(std::uint32_t slot) {
  WaitingCall call = std::move(*held_[slot].given);
  call.task = release(slot);
  return call;
}

}  // namespace futures::internal
