// Large results are read while they are written (docs/ARCHITECTURE.md, "A result is read early"): whatever becomes of
// the worker meanwhile, the outcome is what it would have been.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/encoding/buffer.h"
#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::GateFile;

constexpr std::size_t kPart = 512 << 10;

enum class Between { kNothing, kWaitForReader, kStall, kStallUntilOpened, kDie, kThrow, kThrowAtLength };

// A value in two parts. In the worker something happens after the first has been written.
struct Parts {
  static inline std::atomic<int> alive = 0;
  Between between = Between::kNothing;
  std::string gate;
  std::string first;
  std::string second;
  bool was_read_early = false;  // The program had read the first part before the second was written.
  mutable int times_written = 0;

  Parts() { ++alive; }
  Parts(const Parts& other) = delete;
  Parts(Parts&& other) noexcept
      : between(other.between),
        gate(std::move(other.gate)),
        first(std::move(other.first)),
        second(std::move(other.second)),
        was_read_early(other.was_read_early) {
    ++alive;
  }
  ~Parts() { --alive; }

  template <typename Archive>
  void save(Archive& archive) const {
    archive(between == Between::kWaitForReader ? gate : std::string(), first);
    archive(std::string(internal::kPieceBytes, ' '));  // So that all of the first part has been told of.
    const bool is_counted_only = times_written++ == 0;
    archive(!is_counted_only && happen());
    archive(second);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(gate, first);
    if (!gate.empty()) unlink(gate.c_str());
    std::string filler;
    archive(filler, was_read_early, second);
  }

 private:
  bool happen() const {
    switch (between) {
      case Between::kNothing:
        return false;
      case Between::kWaitForReader:
        for (int i = 0; i < 100; ++i) {
          if (access(gate.c_str(), F_OK) != 0) return true;
          usleep(10);
        }
        return false;
      case Between::kStall:
        usleep(30'000);
        return false;
      case Between::kStallUntilOpened:
        testing::pass(gate, 0);
        return false;
      case Between::kDie:
        raise(SIGKILL);
        return false;
      case Between::kThrow:
        throw std::runtime_error("half of it");
      case Between::kThrowAtLength:
        throw std::runtime_error("half of it" + std::string(kPart, '!'));
    }
    return false;
  }
};

Parts make_parts(Between between, const std::string& gate) {
  Parts parts;
  parts.between = between;
  parts.gate = gate;
  parts.first.assign(kPart, '1');
  parts.second.assign(kPart, '2');
  return parts;
}

void expect_whole(const Parts& parts) {
  EXPECT_EQ(parts.first, std::string(kPart, '1'));
  EXPECT_EQ(parts.second, std::string(kPart, '2'));
}

class ProcessPoolEarlyResult : public testing::ProcessPoolTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(Parts::alive, 0) << "values that were read early live on";
    ProcessPoolTest::TearDown();
  }
};

// Of workers with boards of their own no result is looked at before it was copied.
TEST_P(ProcessPoolEarlyResult, ItIsReadWhileItIsWritten) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  bool was_read_early = false;
  // A reader gives up on a worker that does not run, and this machine may be busy.
  const int times_max = GetParam() == Isolation::kShared ? 1000 : 3;
  for (int times = 0; times < times_max && !was_read_early; ++times) {
    GateFile gate;
    const Future<Parts> future = executor.submit(&make_parts, Between::kWaitForReader, gate.path());
    expect_whole(future.result());
    was_read_early = future.result().was_read_early;
  }
  EXPECT_EQ(was_read_early, GetParam() == Isolation::kShared);
}

TEST_P(ProcessPoolEarlyResult, F4_AWaitEndsInTimeInTheMiddleOfIt) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (int i = 0; i < 5; ++i) {
    GateFile gate;
    const Future<Parts> future = executor.submit(&make_parts, Between::kStallUntilOpened, gate.path());
    for (const auto timeout : {10ms, 300ms}) EXPECT_THROW(future.result(timeout), TimeoutError);
    gate.open();
    expect_whole(future.result(20s));
  }
}

// All has arrived, piece by piece, before the reader has made anything of it.
struct LongToLoad {
  static inline std::atomic<int> texts_read = 0;
  std::string gate;
  std::vector<std::string> texts;
  template <typename Archive>
  void save(Archive& archive) const {
    archive(texts);
    if (times_written++ == 1) testing::pass(gate, 0);
  }
  template <typename Archive>
  void load(Archive& archive) {
    std::size_t count = 0;
    archive(cereal::make_size_tag(count));
    texts.resize(count);
    for (std::string& text : texts) {
      archive(text);
      ++texts_read;
      usleep(10'000);
    }
  }
  mutable int times_written = 0;
};

TEST_P(ProcessPoolEarlyResult, F4_AWaitEndsInTimeHoweverLongTheDecodingTakes) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto make = [](const std::string& gate) {
    LongToLoad value;
    value.gate = gate;
    value.texts.assign(100, std::string(internal::kPieceBytes, 'l'));
    return value;
  };
  GateFile gate;
  LongToLoad::texts_read = 0;
  const Future<LongToLoad> future = executor.submit(make, gate.path());
  EXPECT_THROW(future.result(100ms), TimeoutError);
  EXPECT_LT(LongToLoad::texts_read, 100);
  gate.open();
  EXPECT_EQ(future.result(20s).texts.size(), 100u);
}

TEST_P(ProcessPoolEarlyResult, P5_AWorkerDiesInTheMiddleOfIt) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (int i = 0; i < 5; ++i) {
    EXPECT_THROW(executor.submit(&make_parts, Between::kDie, std::string()).result(20s), WorkerDiedError);
    expect_whole(executor.submit(&make_parts, Between::kNothing, std::string()).result(20s));
  }
}

TEST_P(ProcessPoolEarlyResult, P3_ItsSerialisationThrowsInTheMiddleOfIt) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (int i = 0; i < 5; ++i) {
    try {
      executor.submit(&make_parts, Between::kThrow, std::string()).result(20s);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_NE(std::string(e.what()).find("half of it"), std::string::npos) << e.what();
    }
    expect_whole(executor.submit(&make_parts, Between::kNothing, std::string()).result(20s));
  }
}

// The exception needs the room that the reader of the value shares.
TEST_P(ProcessPoolEarlyResult, P3_WhatItThrowsInTheMiddleFindsRoom) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 3 * kPart});
  for (int i = 0; i < 5; ++i) {
    try {
      executor.submit(&make_parts, Between::kThrowAtLength, std::string()).result(20s);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "half of it" + std::string(kPart, '!'));
    }
    expect_whole(executor.submit(&make_parts, Between::kNothing, std::string()).result(20s));
  }
}

// Several threads wait for one call: one of them reads, and all see the outcome.
TEST_P(ProcessPoolEarlyResult, F3_SeveralThreadsWaitForIt) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  for (int i = 0; i < 20; ++i) {
    const Between between = i % 4 == 0 ? Between::kStall : Between::kNothing;
    const Future<Parts> future = executor.submit(&make_parts, between, std::string());
    const Future<Parts> other = executor.submit(&make_parts, Between::kNothing, std::string());
    std::vector<std::thread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&future, &other, client] { expect_whole((client == 3 ? other : future).result(20s)); });
    }
    for (std::thread& client : clients) client.join();
  }
}

// Readers hold rooms that others wait for, and let go of them after their calls have been told.
TEST_P(ProcessPoolEarlyResult, P3_ReadersLeaveTheirRooms) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam(), .payload_bytes_max = 2 << 20});
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&executor, client] {
      for (int i = 0; i < 20; ++i) {
        const Between between = i % 5 == client ? Between::kStall : Between::kNothing;
        const Future<Parts> other = executor.submit(&make_parts, Between::kNothing, std::string());
        expect_whole(executor.submit(&make_parts, between, std::string()).result(20s));
        expect_whole(other.result(20s));
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

// Whose decoding is a cancellation point, in the program.
struct SlowToLoad {
  static inline std::atomic<bool> loads = false;
  static inline std::atomic<bool> may_go = false;
  std::string text;
  template <typename Archive>
  void save(Archive& archive) const {
    archive(text);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(text);
    loads = true;
    while (!may_go) usleep(1'000);
  }
};

// A thread that is cancelled while it decodes leaves the call to nobody.
TEST_P(ProcessPoolEarlyResult, AClientIsCancelledInTheMiddleOfIt) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  for (const std::size_t bytes : {std::size_t{10}, kPart}) {
    SlowToLoad::loads = false;
    SlowToLoad::may_go = false;
    const Future<SlowToLoad> future = executor.submit(
        [](std::size_t size) {
          SlowToLoad value;
          value.text.assign(size, 's');
          return value;
        },
        bytes);
    bool was_cancelled = true;
    std::thread client([&] {
      future.wait();
      pthread_testcancel();
      was_cancelled = false;
    });
    while (!SlowToLoad::loads) std::this_thread::sleep_for(1ms);
    pthread_cancel(client.native_handle());
    SlowToLoad::may_go = true;
    client.join();
    EXPECT_TRUE(was_cancelled);
    EXPECT_EQ(future.result(20s).text, std::string(bytes, 's'));
  }
}

// Only a call's outcome may name buffers.
TEST_P(ProcessPoolEarlyResult, P2_ItNamesABuffer) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto both = [](Buffer buffer, std::size_t bytes) {
    buffer.bytes()[0] = std::byte{7};
    return std::pair(std::string(bytes, 'b'), std::move(buffer));
  };
  for (int i = 0; i < 5; ++i) {
    Buffer buffer = executor.make_buffer(1 << 20);
    const auto result = executor.submit(both, std::move(buffer), kPart).take();
    EXPECT_EQ(result.first, std::string(kPart, 'b'));
    ASSERT_EQ(result.second.size(), std::size_t{1} << 20);
    EXPECT_EQ(result.second.bytes()[0], std::byte{7});
  }
}

// Makes the best of what it cannot read.
struct Lenient {
  std::string text;
  Buffer buffer;
  template <typename Archive>
  void save(Archive& archive) const {
    archive(text, buffer);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(text);
    try {
      archive(buffer);
    } catch (const SerializationError&) {
      buffer = Buffer();
    }
  }
};

TEST_P(ProcessPoolEarlyResult, P2_WhatALoadMakesOfAnErrorThatIsNoneIsDropped) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto both = [](std::size_t bytes) {
    Lenient lenient;
    lenient.text.assign(bytes, 'b');
    lenient.buffer = Buffer(1 << 20);
    return lenient;
  };
  for (int i = 0; i < 5; ++i) {
    const Lenient result = executor.submit(both, kPart).take();
    EXPECT_EQ(result.text, std::string(kPart, 'b'));
    EXPECT_EQ(result.buffer.size(), std::size_t{1} << 20);
  }
}

// Nothing but the outcome says whether what arrives is a value.
TEST_P(ProcessPoolEarlyResult, P4_ItIsAnException) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto fail = [](std::size_t bytes) -> std::string { throw std::out_of_range(std::string(bytes, 'e')); };
  for (int i = 0; i < 5; ++i) {
    try {
      executor.submit(fail, kPart).result(20s);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::out_of_range& e) {
      EXPECT_EQ(e.what(), std::string(kPart, 'e'));
    }
  }
}

FOR_BOTH_ISOLATIONS(ProcessPoolEarlyResult);

}  // namespace
}  // namespace futures
