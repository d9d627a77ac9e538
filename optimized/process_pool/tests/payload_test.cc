// How calls and results travel: laws P2, P3 and P4 for payloads of every size, and who waits for them where.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <latch>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/encoding/buffer.h"
#include "futures/encoding/encoding.h"
#include "futures/internal/time.h"
#include "futures/wait.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::GateFile;
using testing::pass;
using testing::pass_text;
using testing::soon;

class ProcessPoolPayload : public testing::ProcessPoolTest {};

std::size_t length_of(const std::string& text) { return text.size(); }
std::string text_of(std::size_t bytes) { return std::string(bytes, 'r'); }

// Around what a slot holds, a page, and what is taken in whole pages.
TEST_P(ProcessPoolPayload, P3_EverySizeTravelsBothWays) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  for (const std::size_t near : {0u, 15u, 3960u, 4096u, 8192u, 65536u, 5u << 20}) {
    for (std::size_t bytes = near < 12 ? 0 : near - 12; bytes <= near + 12; bytes += near > 65536 ? 12 : 1) {
      EXPECT_EQ(executor.submit(&length_of, std::string(bytes, 'a')).result(), bytes);
      EXPECT_EQ(executor.submit(&text_of, bytes).result(), text_of(bytes));
    }
  }
}

TEST_P(ProcessPoolPayload, P3_NumbersTravelFromAnyAddress) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto both = [](char first, std::vector<double> numbers, std::string text, std::vector<std::uint16_t> more) {
    numbers.push_back(first);
    return std::pair(std::move(numbers), std::pair(std::move(text), std::move(more)));
  };
  for (const std::size_t count : {0u, 1u, 3u, 2000u}) {
    std::vector<double> numbers(count, 0.5);
    const std::vector<std::uint16_t> more(count, 7);
    const auto result = executor.submit(both, 'a', numbers, std::string("odd"), more).result();
    numbers.push_back('a');
    EXPECT_EQ(result.first, numbers);
    EXPECT_EQ(result.second.first, "odd");
    EXPECT_EQ(result.second.second, more);
  }
}

// Calls get room before they get in line. One that has none and waits at the head must not wait for those behind it.
TEST_P(ProcessPoolPayload, P3_WhoIsFirstInLineGetsTheRoomOfThoseBehind) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 64 << 10});
  GateFile gate;
  std::vector<std::pair<Future<std::size_t>, std::size_t>> calls;
  for (const std::size_t bytes : {40'000u, 60'000u, 10'000u, 5'000u, 60'000u, 100u, 20'000u}) {
    calls.emplace_back(executor.submit(&pass_text, gate.path(), std::string(bytes, 'a')), bytes);
  }
  gate.open();
  for (const auto& [call, bytes] : calls) EXPECT_EQ(call.result(20s), bytes);
}

// Nor does a call that could start at once overtake one that waits for room.
TEST_P(ProcessPoolPayload, E5_ACallThatWaitsForRoomIsNotOvertaken) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 64 << 10});
  const auto start_of = [](const std::string&) { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  GateFile gate;
  const Future<std::size_t> has_room = executor.submit(&pass_text, gate.path(), std::string(40'000, 'a'));
  const auto waits_for_room = executor.submit(start_of, std::string(60'000, 'a'));
  const auto tiny = executor.submit(start_of, std::string());
  gate.open();
  EXPECT_EQ(has_room.result(20s), 40'000u);
  EXPECT_LT(waits_for_room.result(20s), tiny.result(20s));
}

// A call refused after it was encoded leaves its room to those who wait for it.
TEST_P(ProcessPoolPayload, P3_ARefusedCallLeavesItsRoom) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 64 << 10});
  for (int i = 0; i < 20; ++i) {
    Executor& any = executor;
    EXPECT_THROW(any.submit([i](std::string) { return i; }, std::string(50'000, 'a')).result(), SerializationError);
    EXPECT_EQ(executor.submit(&length_of, std::string(50'000, 'a')).result(20s), 50'000u);
  }
  executor.shutdown({.wait = false});
  EXPECT_THROW(executor.submit(&length_of, std::string(50'000, 'a')), ShutdownError);
}

struct EndsItsThread {
  template <typename Archive>
  void save(Archive&) const {
    pthread_exit(nullptr);
  }
  template <typename Archive>
  void load(Archive&) {}
};

// Nor is there a call.
TEST_P(ProcessPoolPayload, P3_AnEncodingMayEndItsThread) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::thread([&executor] { executor.submit([](const EndsItsThread&) {}, EndsItsThread()); }).join();
  EXPECT_EQ(executor.submit(&length_of, std::string(50'000, 'a')).result(20s), 50'000u);
}

// Says something else each time.
struct Moody {
  mutable int times = 0;
  template <typename Archive>
  void save(Archive& archive) const {
    archive(std::string(10'000u + static_cast<std::size_t>(++times) * 4, 'm'));
  }
  template <typename Archive>
  void load(Archive& archive) {
    std::string text;
    archive(text);
  }
};

TEST_P(ProcessPoolPayload, P3_WhatIsNotWrittenTheSameTwiceFailsAlone) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 64 << 10});
  for (int i = 0; i < 20; ++i) {
    EXPECT_THROW(executor.submit([](const Moody&) {}, Moody()).result(20s), SerializationError);
    EXPECT_THROW(executor.submit([] { return Moody(); }).result(20s), SerializationError);
  }
  EXPECT_EQ(executor.submit(&length_of, std::string(60'000, 'a')).result(20s), 60'000u);
  EXPECT_EQ(executor.submit(&text_of, 60'000u).result(20s), text_of(60'000));
}

TEST_P(ProcessPoolPayload, P4_ExceptionsOfEverySizeArrive) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 256 << 10});
  const auto fail = [](std::size_t bytes) -> std::string { throw std::out_of_range(text_of(bytes)); };
  for (const std::size_t bytes : {0u, 1000u, 2000u, 4000u, 50'000u}) {
    try {
      executor.submit(fail, bytes).result(20s);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::out_of_range& e) {
      EXPECT_EQ(e.what(), text_of(bytes));
    }
  }
  EXPECT_THROW(executor.submit(fail, std::size_t{1} << 20).result(20s), SerializationError);
  EXPECT_EQ(executor.submit(&length_of, std::string("alive")).result(20s), 5u);
}

// Counts its copies in this process; those in the worker are not its.
struct Counted {
  static inline int copies = 0;
  static inline int alive = 0;
  std::string text;
  Counted() { ++alive; }
  Counted(const Counted& other) : text(other.text) { ++alive, ++copies; }
  Counted(Counted&& other) noexcept : text(std::move(other.text)) { ++alive; }
  ~Counted() { --alive; }
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
};

TEST_P(ProcessPoolPayload, E1_ArgumentsAreWrittenFromWhereTheyAre) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  Counted given;
  given.text = "given";
  Counted::copies = 0;
  EXPECT_EQ(executor.submit([](const Counted& c) { return c.text; }, given).result(), "given");
  EXPECT_EQ(given.text, "given") << "an lvalue stays as it is";
  EXPECT_EQ(executor.submit([](const Counted& c) { return c.text; }, std::move(given)).result(), "given");
  EXPECT_EQ(given.text, "") << "what was given to be moved is gone";
  EXPECT_EQ(Counted::copies, 0);
  EXPECT_EQ(Counted::alive, 1);
}

// More clients than one sleep until the same call is done, each in its own way, and none sleeps on.
TEST_P(ProcessPoolPayload, F5_EveryClientOfACallIsWoken) {
  for (const bool cancel : {false, true}) {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    GateFile running;
    GateFile waiting;
    const Future<int> first = executor.submit(&pass, running.path(), 1);
    const Future<int> call = executor.submit(&pass, waiting.path(), 7);
    std::latch started(5);
    std::vector<std::jthread> clients;
    const auto add_client = [&](auto wait) {
      clients.emplace_back([&started, wait] {
        started.count_down();
        wait();
      });
    };
    const auto expect_outcome = [call, cancel] {
      if (cancel) {
        EXPECT_THROW(call.result(), CancelledError);
      } else {
        EXPECT_EQ(call.result(), 7);
      }
    };
    add_client(expect_outcome);
    add_client(expect_outcome);
    add_client([call] { EXPECT_TRUE(call.wait(20s)); });
    add_client([call] { EXPECT_FALSE(call.wait(10ms)) << "its time was up before"; });
    add_client([call] { EXPECT_EQ(futures::wait(std::vector{call}).done.size(), 1u); });
    started.wait();
    clients[3].join();
    EXPECT_EQ(cancel && call.cancel(), cancel);
    waiting.open();
    running.open();
    EXPECT_EQ(first.result(), 1);
  }
}

// With one worker calls get done one after the other, whoever takes their results: a client its own, the collector the
// others.
TEST_P(ProcessPoolPayload, W5_WhatOneWorkerRanGetsDoneInThatOrder) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (int i = 0; i < 2000; ++i) {
    std::vector<Future<int>> calls;
    for (int k = 0; k < 4; ++k) calls.push_back(executor.submit([](int x) { return x; }, k));
    EXPECT_EQ(calls[3].result(), 3);
    for (int k = 0; k < 3; ++k)
      ASSERT_TRUE(calls[static_cast<std::size_t>(k)].done()) << "call " << k << " of round " << i;
  }
}

TEST_P(ProcessPoolPayload, P5_AClientThatSleepsHearsOfTheDeath) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  GateFile gate;
  const Future<int> call = executor.submit(&pass, gate.path(), 7);
  // Running may be seen before the fork server has told of the worker.
  ASSERT_TRUE(soon([&] { return call.running() && !executor.worker_pids().empty(); }));
  std::jthread client([call] { EXPECT_THROW(call.result(), WorkerDiedError); });
  kill(executor.worker_pids().at(0), SIGKILL);
  client.join();
  gate.open();
  EXPECT_EQ(executor.submit(&length_of, std::string("next")).result(20s), 4u);
}

// A client times out just as its call gets done: somebody else must hear of that.
TEST_P(ProcessPoolPayload, F3_AnOutcomeThatComesAsTimeIsUpIsNotLost) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (int i = 0; i < 300; ++i) {
    const auto pause = std::chrono::microseconds(i % 30 * 20);
    const Future<int> call =
        executor.submit([](int us) { return usleep(static_cast<useconds_t>(us)), us; }, i % 20 * 30);
    call.wait(pause);
    std::atomic<bool> told = false;
    call.add_done_callback([&told](const Future<int>&) { told = true; });
    ASSERT_TRUE(soon([&told] { return told.load(); })) << i;
  }
}

// --- Buffers.

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Whether the bytes lie in memory that this process shares with workers.
bool is_shared(const Buffer& buffer) {
  const auto at = reinterpret_cast<std::uintptr_t>(buffer.bytes().data());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &begin, &end) != 2 || at < begin || at >= end) continue;
    return line.find("memfd:concurrent_futures arena") != std::string::npos;
  }
  return false;
}

Buffer filled(std::size_t size, char with) {
  Buffer buffer(size);
  std::memset(buffer.bytes().data(), with, size);
  return buffer;
}

bool is_filled(const Buffer& buffer, std::size_t size, char with) {
  const std::span<const char> all = buffer.as<char>();
  return all.size() == size && std::all_of(all.begin(), all.end(), [with](char c) { return c == with; });
}

Buffer incremented(Buffer buffer) {
  for (char& c : buffer.as<char>()) ++c;
  return buffer;
}

TEST_P(ProcessPoolPayload, P12_BuffersTravelWithoutACopy) {
  const bool shares = GetParam() == Isolation::kShared;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  Buffer buffer = executor.make_buffer(3 * kMiB + 5);
  EXPECT_EQ(is_shared(buffer), shares);
  std::memset(buffer.bytes().data(), 'a', buffer.size());
  const std::byte* const at = buffer.bytes().data();
  // There and back, changed on the way.
  Buffer back = executor.submit(&incremented, std::move(buffer)).take();
  EXPECT_TRUE(is_filled(back, 3 * kMiB + 5, 'b'));
  EXPECT_EQ(is_shared(back), shares);
  if (shares) EXPECT_EQ(back.bytes().data(), at);  // Else by chance only.
  EXPECT_TRUE(buffer.empty());
  // Made in the worker.
  const Buffer made = executor.submit(&filled, 2 * kMiB, 'c').take();
  EXPECT_TRUE(is_filled(made, 2 * kMiB, 'c'));
  EXPECT_EQ(is_shared(made), shares);
}

TEST_P(ProcessPoolPayload, P12_BuffersOfEverySizeAndInsideOthers) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{5000}, kMiB}) {
    EXPECT_TRUE(is_filled(executor.submit(&incremented, filled(size, 'a')).take(), size, 'b')) << size;
    Buffer shared = executor.make_buffer(size);
    std::memset(shared.bytes().data(), 'x', size);
    EXPECT_TRUE(is_filled(executor.submit(&incremented, std::move(shared)).take(), size, 'y')) << size;
  }
  const auto split = [](std::pair<std::string, Buffer> named) {
    std::vector<Buffer> parts;
    parts.push_back(filled(named.second.size() / 2, 'l'));
    parts.push_back(std::move(named.second));
    return std::pair(named.first + "!", std::move(parts));
  };
  auto parts = executor.submit(split, std::pair(std::string("n"), filled(kMiB, 'r'))).take();
  EXPECT_EQ(parts.first, "n!");
  ASSERT_EQ(parts.second.size(), 2u);
  EXPECT_TRUE(is_filled(parts.second[0], kMiB / 2, 'l'));
  EXPECT_TRUE(is_filled(parts.second[1], kMiB, 'r'));
}

TEST_P(ProcessPoolPayload, P12_ABufferOutlivesItsPool) {
  std::optional<Buffer> made;
  Buffer unused;
  {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    made = executor.submit(&filled, kMiB, 'c').take();
    unused = executor.make_buffer(kMiB);
    std::memset(unused.bytes().data(), 'u', unused.size());
  }
  EXPECT_TRUE(is_filled(*made, kMiB, 'c'));
  EXPECT_TRUE(is_filled(unused, kMiB, 'u'));
}

// However calls end, the room of their buffers is there for the next ones, and where there is none a buffer is copied.
TEST_P(ProcessPoolPayload, P12_TheRoomOfBuffersIsGivenBack) {
  const bool shares = GetParam() == Isolation::kShared;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 4 * kMiB});
  for (int i = 0; i < 12; ++i) {
    Buffer buffer = executor.make_buffer(3 * kMiB);
    EXPECT_EQ(is_shared(buffer), shares) << i;
    EXPECT_FALSE(is_shared(executor.make_buffer(3 * kMiB)));
    std::memset(buffer.bytes().data(), 'a', buffer.size());
    if (i % 4 == 0) {
      EXPECT_THROW(executor.submit([](Buffer) { raise(SIGKILL); }, std::move(buffer)).result(), WorkerDiedError);
    } else if (i % 4 == 1) {
      EXPECT_THROW(executor.submit([](Buffer) -> Buffer { throw std::out_of_range("no"); }, std::move(buffer)).result(),
                   std::out_of_range);
    } else if (i % 4 == 2) {
      GateFile gate;
      const Future<int> before = executor.submit(&pass, gate.path(), 1);
      const Future<Buffer> call = executor.submit(&incremented, std::move(buffer));
      EXPECT_TRUE(call.cancel());
      gate.open();
      EXPECT_EQ(before.result(), 1);
    } else {
      EXPECT_TRUE(is_filled(executor.submit(&incremented, std::move(buffer)).take(), 3 * kMiB, 'b'));
      EXPECT_TRUE(is_filled(executor.submit(&filled, 3 * kMiB, 'f').take(), 3 * kMiB, 'f'));
    }
  }
}

// Whoever sees an outcome, by whatever thread it was told, finds the room of the call's buffers free.
TEST_P(ProcessPoolPayload, P12_TheRoomOfBuffersIsGivenBackBeforeTheOutcomeIsSeen) {
  const bool shares = GetParam() == Isolation::kShared;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 4 * kMiB});
  for (int i = 0; i < 300; ++i) {
    Buffer buffer = executor.make_buffer(3 * kMiB);
    ASSERT_EQ(is_shared(buffer), shares) << i;
    const auto drop = [](Buffer) {};
    const Future<void> call = executor.submit(drop, std::move(buffer));
    while (!call.done()) {
    }
  }
}

// A result names only what its own call was given or made. Where nothing is shared there is nothing to name.
TEST_P(ProcessPoolPayload, P11_ABufferOfAnEarlierCallCannotBeHandedOut) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  static Buffer kept;
  executor.submit([] { kept = filled(kMiB, 'k'); }).result();
  const Future<Buffer> late = executor.submit([] { return std::move(kept); });
  if (GetParam() == Isolation::kShared) {
    EXPECT_THROW(late.result(), SerializationError);
  } else {
    EXPECT_TRUE(is_filled(late.take(), kMiB, 'k'));
  }
  EXPECT_EQ(executor.submit(&length_of, std::string("alive")).result(), 5u);
}

FOR_BOTH_ISOLATIONS(ProcessPoolPayload);

}  // namespace
}  // namespace futures
