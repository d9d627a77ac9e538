// The arena: who gets room, who may wait for it, and which pages it keeps.
#include "optimized/process_pool/shared_memory.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace futures::internal {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPages = 16;
constexpr std::uint64_t kKeptPages = 4;

class ArenaTest : public ::testing::Test {
 protected:
  std::uint64_t pages_taken() const {
    struct stat status{};
    EXPECT_EQ(fstat(memory_.file(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512 / kPage;
  }

  SharedMemory memory_ = SharedMemory::create("arena of a test", kPages* kPage);
  Arena arena_{memory_, 0, kPages* kPage, kKeptPages* kPage};
};

TEST_F(ArenaTest, PartsDoNotOverlapAndFillIt) {
  std::vector<Arena::Room> rooms;
  std::array<int, kPages> users{};
  for (std::uint64_t pages : {1, 5, 2, 3, 4, 1}) {
    Arena::Room room = arena_.allocate(pages * kPage - 1).room;
    ASSERT_TRUE(room);
    EXPECT_EQ(room.place().bytes, pages * kPage);
    for (std::uint64_t page = 0; page < pages; ++page) ++users[room.place().offset / kPage + page];
    rooms.push_back(std::move(room));
  }
  for (const int count : users) EXPECT_EQ(count, 1);
  EXPECT_FALSE(arena_.allocate(1).room);
}

TEST_F(ArenaTest, PartsThatAreGivenBackJoinInAnyOrder) {
  for (const auto& order :
       {std::array{0, 1, 2, 3}, std::array{3, 2, 1, 0}, std::array{1, 3, 0, 2}, std::array{2, 0, 3, 1}}) {
    std::array<std::optional<Arena::Room>, 4> rooms;
    for (auto& room : rooms) room = arena_.allocate(kPages / 4 * kPage).room;
    for (const int index : order) rooms[static_cast<std::size_t>(index)].reset();
    EXPECT_TRUE(arena_.allocate(kPages * kPage).room);
  }
}

TEST_F(ArenaTest, FreePagesAreKeptUpToALimit) {
  EXPECT_EQ(pages_taken(), 0u);
  std::optional<Arena::Room> room = arena_.allocate(kPages * kPage).room;
  EXPECT_EQ(pages_taken(), kPages);
  room.reset();
  EXPECT_EQ(pages_taken(), kKeptPages);
  room = arena_.allocate((kKeptPages - 1) * kPage).room;
  EXPECT_EQ(pages_taken(), kKeptPages);
}

TEST_F(ArenaTest, WhatDoesNotFitMayComeWhileThereArePartsToComeBack) {
  EXPECT_FALSE(arena_.allocate(kPages * kPage + 1).may_come);
  std::optional<Arena::Room> room = arena_.allocate(1).room;
  EXPECT_TRUE(arena_.allocate(kPages * kPage).may_come);
  room.reset();
  EXPECT_TRUE(arena_.allocate(kPages * kPage).room);
}

// The part in the way may be given back at any moment: then there was none for the one who asked, and may be soon.
TEST_F(ArenaTest, NobodyIsToldThatThereNeverWillBeRoomWhileItIsGivenBack) {
  constexpr int kTimes = 200'000;
  std::atomic<bool> has_ended = false;
  std::thread other([&] {
    while (!has_ended) arena_.allocate(kPages * kPage);
  });
  int missed = 0;
  for (int i = 0; i < kTimes || missed == 0; ++i) {
    const Arena::Allocation allocation = arena_.allocate(kPages * kPage);
    if (!allocation.room) {
      ++missed;
      EXPECT_TRUE(allocation.may_come) << i;
    }
  }
  has_ended = true;
  other.join();
}

}  // namespace
}  // namespace futures::internal
