// The board's accounts of room, with a worker that this thread plays.
#include "optimized/process_pool/board.h"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "futures/task.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/task_maker_testing.h"

namespace futures::internal {
namespace {

constexpr std::size_t kPayloadBytesMax = 16 * 4096;
constexpr std::uint16_t kWorker = 1;

class BoardTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (std::uint32_t slot = 0; slot < board_->slots(); ++slot) {
      if (board_->holds(slot)) release(slot);
    }
  }

  std::uint32_t put() {
    WaitingCall call;
    call.task = tasks_.make();
    std::uint32_t slot = 0;
    EXPECT_EQ(board_->put(call, slot), Board::Put::kDone);
    return slot;
  }
  void release(std::uint32_t slot) { board_->release(slot).fail(nullptr); }

  // The worker's.
  void say(std::uint32_t slot, SlotPhase phase) {
    board_->calls().slots[slot].word.store(SlotWord{board_->ticket(slot), kWorker, phase}.packed());
  }
  void want_room(std::uint32_t slot, std::uint64_t bytes) {
    board_->calls().slots[slot].place = {.offset = static_cast<std::uint64_t>(RoomFor::kResult), .bytes = bytes};
    say(slot, SlotPhase::kWantsRoom);
    board_->provide_room(slot);
  }
  bool has_room(std::uint32_t slot) { return board_->see(slot)->phase == SlotPhase::kRunning; }

  const std::shared_ptr<Board> board_ = std::make_shared<Board>(3, 0, kPayloadBytesMax, kPayloadBytesMax);
  TaskMaker tasks_;
};

TEST_F(BoardTest, RoomIsGivenOnceThereIsSome) {
  const std::uint32_t first = put();
  const std::uint32_t second = put();
  want_room(first, kPayloadBytesMax);
  want_room(second, kPayloadBytesMax);
  EXPECT_TRUE(has_room(first));
  EXPECT_FALSE(has_room(second));
  say(first, SlotPhase::kDone);
  board_->calls().slots[first].place.bytes = kPayloadBytesMax;
  Board::Result result = board_->take_result(first);
  release(first);
  EXPECT_FALSE(has_room(second)) << "the result is still there";
  result.room = nullptr;
  board_->provide_waiting_rooms();
  EXPECT_TRUE(has_room(second));
}

// The pool may find a call done before its worker has said so; when that comes the slot has another call.
TEST_F(BoardTest, WhatIsSaidOfTheCallBeforeIsNoNewsOfThisOne) {
  const std::uint32_t slot = put();
  const std::uint64_t bit = std::uint64_t{1} << slot;
  for (const SlotPhase phase : {SlotPhase::kPending, SlotPhase::kRunning}) {
    if (phase == SlotPhase::kRunning) say(slot, phase);
    board_->calls().done[0].fetch_or(bit);
    EXPECT_EQ(board_->take_done()[0], 0u);
  }
  for (const SlotPhase phase : {SlotPhase::kWantsRoom, SlotPhase::kDone}) {
    say(slot, phase);
    board_->calls().done[0].fetch_or(bit);
    EXPECT_EQ(board_->take_done()[0], bit);
  }
}

// A call that threw after it had begun to write its result, or whose worker died: nobody has the room any more.
TEST_F(BoardTest, ACallThatLeavesItsSlotLeavesItsRoomToThoseThatWait) {
  const std::uint32_t first = put();
  const std::uint32_t second = put();
  const std::uint32_t third = put();
  want_room(first, kPayloadBytesMax);
  want_room(second, kPayloadBytesMax);
  want_room(third, kPayloadBytesMax);
  release(first);
  EXPECT_TRUE(has_room(second));
  EXPECT_FALSE(has_room(third));
  release(second);
  EXPECT_TRUE(has_room(third));
}

TEST_F(BoardTest, WhoWantsMuchIsNotOvertaken) {
  const std::uint32_t first = put();
  const std::uint32_t second = put();
  const std::uint32_t third = put();
  want_room(first, kPayloadBytesMax / 2);
  want_room(second, kPayloadBytesMax);
  want_room(third, kPayloadBytesMax / 2);
  EXPECT_FALSE(has_room(second));
  EXPECT_FALSE(has_room(third));
  release(first);
  EXPECT_TRUE(has_room(second));
  release(second);
  EXPECT_TRUE(has_room(third));
}

// What others wait for is the room of the value that it does not return.
TEST_F(BoardTest, ACallThatWantsRoomForAnExceptionGivesBackThatForItsValue) {
  const std::uint32_t first = put();
  const std::uint32_t second = put();
  want_room(first, kPayloadBytesMax);
  want_room(second, kPayloadBytesMax);
  want_room(first, kPayloadBytesMax / 2);
  EXPECT_TRUE(has_room(second));
  EXPECT_FALSE(has_room(first));
  release(second);
  EXPECT_TRUE(has_room(first));
}

TEST_F(BoardTest, NobodyWaitsForRoomThatThereNeverWillBe) {
  const std::uint32_t slot = put();
  want_room(slot, kPayloadBytesMax + 1);
  EXPECT_TRUE(has_room(slot));
  EXPECT_EQ(board_->calls().slots[slot].place.bytes, 0u);
  say(slot, SlotPhase::kDone);
  EXPECT_NE(board_->take_result(slot).error, nullptr);
}

}  // namespace
}  // namespace futures::internal
