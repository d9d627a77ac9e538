// Fuzz target for the board. A hostile worker overwrites the shared memory, byte by byte and word by word, between
// the steps of the pool. Nothing is read or written outside of the board, no step blocks, and the program's own
// record of the slots stays true. Law P11.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/future.h"
#include "futures/task.h"
#include "fuzz/input.h"
#include "optimized/process_pool/board.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/task_maker_testing.h"

namespace futures::fuzz {
namespace {

using internal::Board;
using internal::CallBoard;
using internal::Place;
using internal::Slot;
using internal::SlotPhase;
using internal::SlotWord;
using internal::TaskMaker;
using internal::WaitingCall;

constexpr std::size_t kPayloadBytesMax = 17 * 4096;  // More than is written in one piece.
constexpr std::uint64_t kKeptBytes = 4096;

void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "\n" << what << std::endl;
  std::abort();
}

// The pool's side of the board, and what a hostile worker does to it.
class Play {
 public:
  Play(Input input, std::uint32_t slots, std::uint16_t worker)
      : input_(input), board_(std::make_shared<Board>(slots, worker, kPayloadBytesMax, kKeptBytes)), held_(slots) {}

  void run() {
    constexpr void (Play::* kSteps[])() = {
        &Play::put,        &Play::put_large,    &Play::put_in_room, &Play::look,       &Play::look_again,
        &Play::cancel,     &Play::provide_room, &Play::take_back,   &Play::ask,        &Play::write_word,
        &Play::write_word, &Play::write_result, &Play::write_list,  &Play::write_bytes};
    while (!input_.empty()) {
      (this->*kSteps[input_.below(std::size(kSteps))])();
      check_accounts();
    }
    end();
  }

 private:
  // --- The pool's steps.

  void put_payload(std::size_t bytes, bool has_room = false) {
    WaitingCall call;
    call.task = tasks_.make();
    call.bytes = bytes;
    if (has_room) call.room = board_->room_for_call(bytes).room;
    if (call.room) {
      std::memset(board_->bytes_of(call.room).data(), 'x', bytes);
    } else {
      call.encoded.assign(bytes, 'x');
    }
    std::uint32_t slot = 0;
    const bool had_slot = board_->has_free_slot();
    switch (board_->put(call, slot)) {
      case Board::Put::kDone:
        require(had_slot && slot < board_->slots() && !held_[slot], "a call was put in no free slot");
        held_[slot] = true;
        require(board_->ticket(slot) == puts_, "a ticket is not the next");
        ++puts_;
        return;
      case Board::Put::kNoRoom:
        require(bytes > kPayloadBytesMax, "a payload that fits was refused");
        break;
      case Board::Put::kLater:
      case Board::Put::kRoomLater:
        break;
    }
    require(static_cast<bool>(call.task), "a call that was not put is gone");
    call.task.fail(nullptr);
  }
  void put() { put_payload(input_.number<std::uint8_t>()); }
  void put_large() { put_payload(std::size_t{1024} * input_.below(80)); }
  // As on the board of all workers: the call was encoded into its block before it got into the queue.
  void put_in_room() {
    const std::size_t bytes = internal::kInlineBytes + std::size_t{1024} * (1 + input_.below(80));
    put_payload(bytes, board_->worker() == 0);
  }

  // What the collector does when slots are reported.
  void look() {
    const Board::SlotBits done = board_->take_done();
    for (std::uint32_t slot = 0; slot < internal::kSlots; ++slot) {
      if ((done[slot / 64] >> (slot % 64) & 1) == 0) continue;
      require(slot < board_->slots(), "told of a slot that is not there");
      look_at(slot);
    }
    board_->provide_waiting_rooms();
  }
  // What it does ten times a second.
  void look_again() {
    for (std::uint32_t slot = 0; slot < board_->slots(); ++slot) look_at(slot);
    board_->is_damaged();
  }
  void look_at(std::uint32_t slot) {
    const std::optional<Board::Seen> seen = board_->see(slot);
    require(!seen || held_[slot], "something is seen of a slot that holds no call");
    if (seen && seen->phase == SlotPhase::kWantsRoom) board_->provide_room(slot);
    if (const Board::Arriving arriving = board_->arriving(slot); seen && arriving.room != nullptr) {
      require(arriving.bytes <= arriving.room->place().bytes, "a result arrives beyond its room");
    }
    if (!seen || seen->phase != SlotPhase::kDone) return;
    const Board::Result result = board_->take_result(slot);
    std::string_view bytes = result.encoded;
    if (result.room != nullptr) {
      require(result.bytes <= result.room->place().bytes, "a result is larger than its room");
      bytes = {board_->bytes_of(*result.room).data(), result.bytes};
    }
    require(bytes.size() <= std::max(kPayloadBytesMax, internal::kInlineBytes), "a result without bound");
    sum_ += bytes.empty() ? 0 : bytes.front() + bytes.back();
    for (const auto& buffer : result.buffers) {
      require(board_->place_of(*buffer).has_value(), "a buffer is not the board's");
      for (const std::byte byte : buffer->bytes()) sum_ += std::to_integer<int>(byte);
    }
    release(slot);
  }
  void cancel() {
    const std::uint32_t slot = input_.below(board_->slots());
    if (held_[slot] && board_->cancel(slot)) release(slot);
  }
  void provide_room() {
    board_->provide_room(input_.below(board_->slots()));
    board_->provide_waiting_rooms();
  }
  // What the collector does with the call of a worker that has died.
  void take_back() {
    const std::uint32_t slot = input_.below(board_->slots());
    if (!held_[slot]) return;
    const std::optional<Board::Seen> seen = board_->see(slot);
    if (board_->worker() == 0 || !seen || seen->phase != SlotPhase::kPending) return release(slot);
    WaitingCall call = board_->take_back(slot);
    held_[slot] = false;
    require(static_cast<bool>(call.task), "a call that was taken back is gone");
    const bool is_as_given = std::all_of(call.encoded.begin(), call.encoded.end(), [](char c) { return c == 'x'; });
    require(is_as_given, "a call that was taken back is not what was given");
    call.task.fail(nullptr);
  }
  void ask() {
    board_->is_worker_ready();
    board_->any_done();
    board_->is_damaged();
    internal::ring_for_work(board_->calls());
    internal::forget_worker(board_->calls(), board_->worker());
  }
  void release(std::uint32_t slot) {
    Task task = board_->release(slot);
    held_[slot] = false;
    require(static_cast<bool>(task), "a call that was released is gone");
    task.fail(nullptr);
  }

  // --- The worker's steps.

  Slot& shared_slot() { return board_->calls().slots[input_.below(board_->slots())]; }

  // A word that is nearly right: the program's own, with another phase, owner or ticket.
  void write_word() {
    const std::uint32_t slot = input_.below(board_->slots());
    const std::uint8_t what = input_.number<std::uint8_t>();
    SlotWord word{.ticket = board_->ticket(slot), .owner = 1, .phase = static_cast<SlotPhase>(what % 6)};
    if ((what & 0x40) != 0) word.owner = input_.number<std::uint16_t>();
    if ((what & 0x80) != 0) word.ticket += static_cast<std::uint64_t>(input_.number<std::int8_t>());
    board_->calls().slots[slot].word.store(word.packed());
    board_->calls().done[slot / 64].fetch_or(std::uint64_t{1} << (slot % 64));
  }
  void write_result() {
    Slot& slot = shared_slot();
    const std::uint8_t what = input_.number<std::uint8_t>();
    if ((what & 1) != 0) slot.place.offset = Place::kInline;
    if ((what & 2) != 0) slot.place.offset = kPayloadBytesMax + std::uint64_t{4096} * input_.below(18);
    if ((what & 4) != 0) slot.place.offset = input_.number<std::uint64_t>();
    if ((what & 8) != 0) slot.place.bytes = std::uint64_t{1024} * input_.below(80);
    if ((what & 16) != 0) slot.place.bytes = input_.number<std::uint64_t>();
    if ((what & 64) != 0) slot.place.offset = static_cast<std::uint64_t>(internal::RoomFor::kBuffer);
    if ((what & 32) != 0) slot.outcome = static_cast<internal::Outcome>(input_.number<std::uint32_t>());
  }
  void write_list() {
    CallBoard& board = board_->calls();
    const std::uint64_t near = puts_ + static_cast<std::uint64_t>(input_.number<std::int8_t>());
    switch (input_.below(4)) {
      case 0:
        board.head.store(near);
        break;
      case 1:
        board.tail.store(near);
        break;
      case 2:
        board.ring[near % internal::kRingEntries].store(input_.number<std::uint64_t>());
        break;
      case 3:
        board.workers_end.store(input_.number<std::uint32_t>());
        break;
    }
  }
  void write_bytes() {
    const std::size_t used = offsetof(CallBoard, slots) + board_->slots() * sizeof(Slot);
    const std::size_t offset = input_.number<std::uint32_t>() % used;
    const std::string_view bytes = input_.bytes(input_.below(16));
    std::memcpy(board_->memory().data() + offset, bytes.data(), std::min(bytes.size(), used - offset));
  }

  // --- The judge.

  void check_accounts() const {
    bool any_free = false;
    for (std::uint32_t slot = 0; slot < board_->slots(); ++slot) {
      require(board_->holds(slot) == held_[slot], "the board holds another call than it was given");
      any_free = any_free || !held_[slot];
    }
    require(board_->has_free_slot() == any_free, "the board counts its free slots wrongly");
  }

  // Whatever was written elsewhere: if the ring is as the program left it, every slot and all of the arena can be
  // used again.
  void end() {
    for (std::uint32_t slot = 0; slot < board_->slots(); ++slot) {
      if (held_[slot]) release(slot);
    }
    for (const Future<void>& future : tasks_.futures()) require(future.done(), "a call was lost");
    board_->calls().head.store(puts_);
    put_payload(kPayloadBytesMax);
    const auto slot = static_cast<std::uint32_t>(std::find(held_.begin(), held_.end(), true) - held_.begin());
    require(slot < board_->slots(), "room for calls was lost");
    Slot& shared = board_->calls().slots[slot];
    shared.place = {.offset = 0, .bytes = kPayloadBytesMax};
    shared.word.store(SlotWord{board_->ticket(slot), 1, SlotPhase::kWantsRoom}.packed());
    board_->provide_room(slot);
    require(shared.place.bytes == kPayloadBytesMax, "room for results was lost");
    shared.word.store(SlotWord{board_->ticket(slot), 1, SlotPhase::kDone}.packed());
    require(board_->take_result(slot).bytes == kPayloadBytesMax, "a result was lost");
    release(slot);
    require(board_->make_buffer(kPayloadBytesMax) != nullptr, "room for buffers was lost");
  }

  Input input_;
  const std::shared_ptr<Board> board_;
  TaskMaker tasks_;
  std::vector<bool> held_;
  std::uint64_t puts_ = 0;
  int sum_ = 0;
};

}  // namespace
}  // namespace futures::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  futures::fuzz::Input input(data, size);
  const bool own = input.below(2) != 0;
  futures::fuzz::Play(input, own ? 1 : 1 + input.below(70), own ? 7 : 0).run();
  return 0;
}
