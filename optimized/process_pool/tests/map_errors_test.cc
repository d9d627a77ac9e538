// Errors in the chunks of a map on processes: each is its item's, or its chunk's, and costs no other.
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/map.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/map_testing.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace futures::testing;

using ProcessPoolMapErrors = ProcessPoolTest;

// --- Errors in a chunk

TEST_P(ProcessPoolMapErrors, M6_AnExceptionInAChunkCostsNoOtherItem) {
  const GateFile log;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Step> input = steps(9, log);
  input[4].throws = true;
  const Ints expected = {0, 1, 2, 3, -1, 5, 6, 7, 8};
  EXPECT_EQ(values_past<std::out_of_range>(executor.map(take_step, input, {.chunksize = 3})), expected);
  EXPECT_EQ(values_past<std::out_of_range>(executor.map_unordered(take_step, input, {.chunksize = 9})), expected);
  executor.shutdown();
  EXPECT_EQ(logged(log), (Ints{0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8})) << "each was called, in order";
}

TEST_P(ProcessPoolMapErrors, M3_AnErrorCancelsNoOtherChunk) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Step> input = steps(6, log);
  input[1].throws = true;
  input[2].gate = gate.path();
  auto results = executor.map(take_step, input, {.chunksize = 2});
  auto it = results.begin();
  EXPECT_EQ(*it, 0);
  ++it;
  EXPECT_TRUE(it != results.end()) << "an error is not the end";
  for (int read = 0; read < 2; ++read) EXPECT_THROW(static_cast<void>(*it), std::out_of_range);
  gate.open();  // Until now nothing behind the second chunk has started.
  ++it;
  EXPECT_EQ(outcome_of(results), Outcome(Ints{2, 3, 4, 5}, ""));
}

TEST_P(ProcessPoolMapErrors, M4_LeavingTheRangeBehindAnErrorCancels) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Step> input = steps(6, log);
  input[1].throws = true;
  input[2].gate = gate.path();
  EXPECT_EQ(outcome_of(executor.map(take_step, input, {.chunksize = 2})), Outcome(Ints{0}, "step 1"));
  gate.open();
  executor.shutdown();
  const Ints ran = logged(log);
  EXPECT_TRUE(ran == (Ints{0, 1}) || ran == (Ints{0, 1, 2, 3})) << "the third chunk was cancelled";
}

TEST_P(ProcessPoolMapErrors, M9_SettledHasAnOutcomeForEachItemOfAChunk) {
  const GateFile log;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  std::vector<Step> input = steps(8, log);
  for (const int i : {0, 3, 4, 7}) input[static_cast<std::size_t>(i)].throws = true;
  for (const int chunksize : {2, 4, 5, 8}) {
    EXPECT_EQ(settled_as<std::out_of_range>(executor.map_settled(take_step, input, {.chunksize = chunksize})),
              (Ints{-1, 1, 2, -1, -1, 5, 6, -1}));
  }
}

class OwnError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
const ExceptionRegistration<OwnError> own_error_travels;

int throw_by_number(int number) {
  if (number == 0) throw OwnError("own");
  if (number == 1) throw 5;
  return number;
}

TEST_P(ProcessPoolMapErrors, P4_ExceptionsInAChunkCrossAsTheirType) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const pid_t worker = executor.submit(getpid).result();
  std::vector<Settled<int>> all;
  for (const auto& settled : executor.map_settled(throw_by_number, Ints{0, 1, 2}, {.chunksize = 3}))
    all.push_back(settled);
  EXPECT_TRUE(has_error<OwnError>(all[0]));
  try {
    all[1].value();
    ADD_FAILURE() << "the call has thrown";
  } catch (const RemoteError& e) {
    EXPECT_EQ(e.type_name(), "int");
    EXPECT_EQ(e.worker_pid(), worker);
  }
  EXPECT_EQ(all[2].value(), 2);
}

// Can be told to fail on its way.
struct Brittle {
  enum When { kNever, kWhenWritten, kWhenRead };
  int when = kNever;

  template <typename Archive>
  void save(Archive& archive) const {
    if (when == kWhenWritten) throw std::runtime_error("broken");
    archive(when);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(when);
    if (when == kWhenRead) throw std::runtime_error("broken");
  }
};

TEST_P(ProcessPoolMapErrors, P3_WhatCannotBeEncodedOrDecodedIsAnErrorOfItsItem) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto number_of = [](const Brittle& b) { return b.when; };
  const auto brittle = [](int when) { return Brittle{when}; };
  for (const int when : {Brittle::kWhenWritten, Brittle::kWhenRead}) {
    const std::vector<Brittle> input = {{}, {when}, {}, {when}, {}};
    const Ints numbers = {0, when, 0, when, 0};
    auto settled_numbers = executor.map_settled(number_of, input, {.chunksize = 3});
    EXPECT_EQ(settled_as<SerializationError>(settled_numbers), (Ints{0, -1, 0, -1, 0}));
    EXPECT_EQ(values_past<SerializationError>(executor.map(number_of, input, {.chunksize = 5})),
              (Ints{0, -1, 0, -1, 0}));
    EXPECT_EQ(errors_of<SerializationError>(executor.map_settled(brittle, numbers, {.chunksize = 3})),
              (std::vector<bool>{false, true, false, true, false}));
    int before = 0;
    EXPECT_THROW(for ([[maybe_unused]] const auto& b : executor.map(brittle, numbers, {.chunksize = 5}))++ before,
                 SerializationError);
    EXPECT_EQ(before, 1);
  }
}

// --- Chunks that fail as a whole

TEST_P(ProcessPoolMapErrors, P5_ADeathCostsTheItemsOfItsChunk) {
  const GateFile log;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  std::vector<Step> input = steps(8, log);
  input[4].signal = SIGKILL;
  EXPECT_EQ(settled_as<WorkerDiedError>(executor.map_settled(take_step, input, {.chunksize = 3})),
            (Ints{0, 1, 2, -1, -1, -1, 6, 7}));
  EXPECT_EQ(values_past<WorkerDiedError>(executor.map(take_step, input, {.chunksize = 3})),
            (Ints{0, 1, 2, -1, -1, -1, 6, 7}));
}

TEST_P(ProcessPoolMapErrors, P3_AChunkThatIsTooLargeFailsAlone) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = 1u << 16});
  const auto size_of = [](const std::string& text) { return text.size(); };
  std::vector<std::string> texts(6, "x");
  texts[2] = std::string(1u << 16, 'x');
  EXPECT_EQ(settled_as<SerializationError>(executor.map_settled(size_of, texts, {.chunksize = 2})),
            (Ints{1, 1, -1, -1, 1, 1}));
  const auto text_of = [](int bytes) { return std::string(static_cast<std::size_t>(bytes), 'x'); };
  EXPECT_EQ(errors_of<SerializationError>(executor.map_settled(text_of, Ints{1, 1 << 16, 1}, {.chunksize = 2})),
            (std::vector<bool>{true, true, false}));
}

TEST_P(ProcessPoolMapErrors, S3_CancelledChunks) {
  const GateFile log;
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Step> input = steps(5, log);
  input[0].gate = gate.path();
  auto settled = executor.map_settled(take_step, input, {.chunksize = 2});
  auto results = executor.map(take_step, input, {.chunksize = 2});
  EXPECT_TRUE(soon([&] { return logged(log).size() == 1; }));
  EXPECT_EQ(executor.shutdown_now(), 2u + 3u);
  gate.open();
  EXPECT_EQ(settled_as<CancelledError>(settled), (Ints{0, 1, -1, -1, -1}));
  EXPECT_EQ(values_past<CancelledError>(results), Ints(5, -1));
  executor.shutdown();
  EXPECT_EQ(logged(log), (Ints{0, 1}));
}

FOR_BOTH_ISOLATIONS(ProcessPoolMapErrors);

}  // namespace
}  // namespace futures
