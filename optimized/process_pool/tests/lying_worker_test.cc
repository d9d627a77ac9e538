// Law P11: workers that say something untrue, in a place of the memory they share with the program where it matters, or
// that do not do what the program waits for. It bears them as it bears those that overwrite everything, which
// process_pool_hostile_test is about.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/tests/hostile_testing.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using internal::CallBoard;
using internal::Slot;
using internal::SlotPhase;
using internal::SlotWord;
using testing::board;
using testing::expect_pool_works;
using testing::from_now_on;
using testing::gives;
using testing::kBound;
using testing::kPayloadBytesMax;
using testing::options;
using testing::own_slot;
using testing::right_results;
using testing::soon;
using testing::submit_calls;
using testing::twice;

using ProcessPoolLyingWorker = testing::HostileTest;

TEST_P(ProcessPoolLyingWorker, P11_AnIdleWorkerThatIsStoppedDoesNotHoldUpTheEnd) {
  ProcessPoolExecutor executor(options(GetParam(), 1));
  EXPECT_EQ(executor.submit(twice, 21).result(kBound), 42);
  const pid_t worker = executor.worker_pids()[0];
  kill(worker, SIGSTOP);
  EXPECT_TRUE(soon([worker] { return testing::state_of(worker) == 'T'; }));
}

// Idle workers know from the board that they are to leave.
TEST_P(ProcessPoolLyingWorker, P11_AWorkerThatDoesNotLeaveIsKilled) {
  ProcessPoolExecutor executor(options(GetParam(), 1));
  const auto keep_open = [] {
    from_now_on([&board = board()] { board.closing.store(0); });
    return 7;
  };
  EXPECT_EQ(executor.submit(keep_open).result(kBound), 7);
}

TEST_P(ProcessPoolLyingWorker, P11_TheListOfCallsIsMovedWhileItIsEmpty) {
  for (const std::int64_t by : {std::int64_t{1}, std::int64_t{1} << 40, std::int64_t{-1}, std::int64_t{-2000}}) {
    ProcessPoolExecutor executor(options(GetParam(), 1));
    const auto move_head = [](std::int64_t distance) {
      board().head.fetch_add(static_cast<std::uint64_t>(distance));
      return 7;
    };
    EXPECT_EQ(executor.submit(move_head, by).result(kBound), 7);
    const std::vector<Future<int>> calls = submit_calls(executor, 20);
    const int right = right_results(calls);
    if (is_isolated()) {
      EXPECT_EQ(right, 20);
    }
  }
}

// The list of calls seems to be full, and no call is on its way that would make place there.
TEST_P(ProcessPoolLyingWorker, P11_TheListOfCallsSeemsFull) {
  ProcessPoolExecutor executor(options(GetParam(), 1));
  const auto move_head = [] {
    board().head.fetch_add(1);
    return 7;
  };
  const auto size_of = [](const std::string& text) { return static_cast<int>(text.size()); };
  EXPECT_EQ(executor.submit(move_head).result(kBound), 7);
  std::vector<Future<int>> calls;
  try {
    for (int i = 0; i < 3; ++i) calls.push_back(executor.submit(size_of, std::string(8'000, 'x')));
  } catch (const BrokenProcessPool&) {
  }
  int right = 0;
  for (const Future<int>& call : calls) right += gives(call, 8'000) ? 1 : 0;
  if (is_isolated()) {
    EXPECT_EQ(right, 3);
  }
}

// Workers look for the next call where there is none.
TEST_P(ProcessPoolLyingWorker, P11_TheListOfCallsIsEmptied) {
  ProcessPoolExecutor executor(options(GetParam(), 1));
  const auto empty = [] {
    for (auto& entry : board().ring) entry.store(0);
    board().head.fetch_sub(1);
    return 7;
  };
  EXPECT_EQ(executor.submit(twice, 21).result(kBound), 42);
  EXPECT_EQ(executor.submit(empty).result(kBound), 7);
  const int right = right_results(submit_calls(executor, 20));
  if (is_isolated()) {
    EXPECT_EQ(right, 20);
  }
}

int seem_untaken_and_die() {
  Slot& slot = own_slot();
  slot.word.store(SlotWord{SlotWord::of(slot.word.load()).ticket, 0, SlotPhase::kPending}.packed());
  _exit(9);
}

// A call that hides that it was taken is given to other workers; not for ever, and the pool bears it.
TEST_P(ProcessPoolLyingWorker, P11_ACallKillsItsWorkersAndSeemsNotToHaveBeenTaken) {
  ProcessPoolExecutor executor(options(GetParam(), 2));
  std::vector<Future<int>> hostile;
  for (int i = 0; i < 3; ++i) hostile.push_back(executor.submit(seem_untaken_and_die));
  for (const Future<int>& call : hostile) EXPECT_FALSE(gives(call, 7));
  if (is_isolated()) expect_pool_works(executor);
}

// Never returns. All that the program can see is a worker that is ready, and leaves each call that it is given.
int seem_untaken() {
  CallBoard& shared = board();
  Slot& slot = own_slot();
  slot.word.store(SlotWord{SlotWord::of(slot.word.load()).ticket, 0, SlotPhase::kPending}.packed());
  for (;; std::this_thread::sleep_for(1ms)) {
    const SlotWord word = SlotWord::of(slot.word.load());
    shared.head.store(word.phase == SlotPhase::kFree ? shared.tail.load() : word.ticket);
  }
}

TEST_P(ProcessPoolLyingWorker, P11_ACallRunsAndSeemsNotToHaveBeenTaken) {
  ProcessPoolExecutor executor(options(GetParam(), 2));
  const Future<int> hostile = executor.submit(seem_untaken);
  const std::vector<Future<int>> behind = submit_calls(executor, 20);
  if (!is_isolated()) executor.kill_workers();  // Workers that share their memory hide as long as they like.
  EXPECT_FALSE(gives(hostile, 7));
  const int right = right_results(behind);
  if (is_isolated()) {
    EXPECT_EQ(right, 20);
    expect_pool_works(executor);
  }
}

// A worker that undoes the taking of each call that it is given: the calls go to another one.
TEST_P(ProcessPoolLyingWorker, P11_AWorkerSeemsToTakeNoCall) {
  ProcessPoolExecutor executor(options(GetParam(), 1));
  const auto untake = [] {
    from_now_on([&board = board()] {
      Slot& slot = board.slots[0];
      const SlotWord word = SlotWord::of(slot.word.load());
      if (word.phase == SlotPhase::kFree) return;
      std::uint64_t expected = word.packed();
      slot.word.compare_exchange_strong(expected, SlotWord{word.ticket, 0, SlotPhase::kPending}.packed());
    });
    return 7;
  };
  executor.submit(untake);
  const std::vector<Future<int>> calls = submit_calls(executor, 5);
  if (is_isolated()) {
    EXPECT_TRUE(soon([&] { return right_results(submit_calls(executor, 5)) == 5; }));
  }
  right_results(calls);
}

int hide_others(const std::string& gate) {
  CallBoard& shared = board();
  shared.workers_end.store(0);
  for (auto& state : shared.workers) state.store(0);
  return testing::pass(gate, 7);
}

// Nobody seems to be there to be woken. The others still get the calls behind.
TEST_P(ProcessPoolLyingWorker, P11_AWorkerHidesTheOthers) {
  ProcessPoolExecutor executor({.max_workers = 3, .isolation = GetParam(), .payload_bytes_max = kPayloadBytesMax});
  EXPECT_EQ(right_results(submit_calls(executor, 30)), 30);  // All are there.
  std::this_thread::sleep_for(50ms);  // And asleep, mostly; nothing depends on it.
  testing::GateFile gate;
  const Future<int> hostile = executor.submit(hide_others, gate.path());
  EXPECT_EQ(right_results(submit_calls(executor, 20)), 20);
  EXPECT_FALSE(hostile.done());
  gate.open();
  EXPECT_TRUE(gives(hostile, 7));
}

[[noreturn]] void wait_for_end() {
  for (;;) pause();
}

// The call's word says by turns that the call has been taken and that it has not.
int flicker() {
  from_now_on([&slot = own_slot()] {
    const SlotWord word = SlotWord::of(slot.word.load());
    const bool is_pending = word.phase == SlotPhase::kPending;
    const SlotWord next{word.ticket, static_cast<std::uint16_t>(is_pending ? 1 : 0),
                        is_pending ? SlotPhase::kRunning : SlotPhase::kPending};
    slot.word.store(next.packed());
  });
  wait_for_end();
}

TEST_P(ProcessPoolLyingWorker, P11_ACallThatFlickersDoesNotHoldUpTheKill) {
  for (int i = 0; i < 20; ++i) {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = kPayloadBytesMax});
    const Future<int> hostile = executor.submit(flicker);
    EXPECT_TRUE(soon([&hostile] { return hostile.running() || hostile.done(); }));  // The pool may have broken at it.
    executor.kill_workers();
    EXPECT_FALSE(gives(hostile, 7));
  }
}

int ring_clients() {
  from_now_on([&slot = own_slot()] { slot.client_bell.fetch_add(1); });
  wait_for_end();
}

int say_that_there_is_news() {
  from_now_on([&shared = board()] {
    for (auto& bits : shared.done) bits.store(~std::uint64_t{0});
  });
  wait_for_end();
}

TEST_P(ProcessPoolLyingWorker, P11_AClientsTimeIsUpWhateverItsWorkerSays) {
  for (int (*hostile)() : {&ring_clients, &say_that_there_is_news}) {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = kPayloadBytesMax});
    const Future<int> call = executor.submit(hostile);
    EXPECT_TRUE(soon([&call] { return call.running(); }));
    for (int i = 0; i < 5; ++i) EXPECT_THROW(call.result(20ms), TimeoutError);
    executor.kill_workers();
  }
}

// Wants room, and does not, and does.
int flicker_while_running() {
  from_now_on([&slot = own_slot()] {
    const SlotWord word = SlotWord::of(slot.word.load());
    const bool runs = word.phase == SlotPhase::kRunning;
    slot.word.store(SlotWord{word.ticket, word.owner, runs ? SlotPhase::kWantsRoom : SlotPhase::kRunning}.packed());
  });
  wait_for_end();
}

TEST_P(ProcessPoolLyingWorker, P12_ACallThatFlickersIsKilledWhenItsTimeIsUp) {
  ProcessPoolOptions impatient = options(GetParam(), 1);
  impatient.call_timeout = 100ms;
  ProcessPoolExecutor executor(impatient);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(gives(executor.submit(flicker_while_running), 7));
}

// The client that waits for it is never woken, as far as a worker can see to that.
int wake_nobody(const std::string& gate) {
  from_now_on([&slot = own_slot()] {
    slot.sleeping_clients.store(0);
    slot.client_bell.store(0);
  });
  return testing::pass(gate, 7);
}

TEST_P(ProcessPoolLyingWorker, P11_AClientIsNotLeftAsleep) {
  testing::GateFile gate;
  ProcessPoolExecutor executor(options(GetParam(), 1));
  const Future<int> call = executor.submit(wake_nobody, gate.path());
  std::thread opener([&gate] {
    std::this_thread::sleep_for(50ms);  // The client sleeps, mostly; nothing depends on it.
    gate.open();
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(gives(call, 7));
  EXPECT_LT(std::chrono::steady_clock::now() - start, kBound / 2);
  opener.join();
}

// Seems not to have been taken, and then takes every other call that it is given, and falsifies it.
int seem_untaken_and_take_the_next() {
  from_now_on([&slot = own_slot(), own = SlotWord::of(own_slot().word.load())] {
    const SlotWord word = SlotWord::of(slot.word.load());
    if (word.phase == SlotPhase::kRunning) slot.word.store(SlotWord{own.ticket, 0, SlotPhase::kPending}.packed());
    board().head.store(board().tail.load());
    if (word.phase != SlotPhase::kPending || word.ticket == own.ticket) return;
    slot.place = {.offset = internal::Place::kInline, .bytes = sizeof(int)};
    slot.word.store(SlotWord{word.ticket, own.owner, SlotPhase::kDone}.packed());
    board().done[0].store(1);
  });
  wait_for_end();
}

TEST_P(ProcessPoolLyingWorker, P11_ACancelledCallGivesItsWorkerNoOther) {
  for (int i = 0; i < 10; ++i) {
    ProcessPoolOptions alone = options(GetParam(), 1);
    alone.max_calls_per_worker = 1;
    ProcessPoolExecutor executor(alone);
    const Future<int> hostile = executor.submit(seem_untaken_and_take_the_next);
    hostile.wait(20ms);  // It runs by then, mostly; nothing depends on it.
    hostile.cancel();
    const int right = right_results(submit_calls(executor, 5));
    if (is_isolated()) {
      EXPECT_EQ(right, 5);
    }
  }
}

int bell() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) == "anon_inode:[eventfd]")
      return std::stoi(entry.path().filename());
  }
  std::abort();
}

TEST_P(ProcessPoolLyingWorker, P11_AWorkerTreatsItsBellBadly) {
  ProcessPoolExecutor executor(options(GetParam(), 2));
  const auto flood = [] {
    from_now_on([bell = bell(), count = 0]() mutable {
      std::uint64_t number = ++count % 100 == 0 ? ~std::uint64_t{1} : 1;
      if (count % 3 == 0) {
        [[maybe_unused]] const ssize_t bytes = read(bell, &number, sizeof(number));
      } else {
        [[maybe_unused]] const ssize_t bytes = write(bell, &number, sizeof(number));
      }
      if (count % 50 == 0) fcntl(bell, F_SETFL, count % 100 == 0 ? O_NONBLOCK : 0);
    });
    return 7;
  };
  EXPECT_EQ(executor.submit(flood).result(kBound), 7);
  expect_pool_works(executor);
}

TEST_P(ProcessPoolLyingWorker, P11_AWorkerTellsOfEverySlotAllTheTime) {
  ProcessPoolExecutor executor(options(GetParam(), 2));
  const auto flood = [] {
    from_now_on([&board = board(), bell = bell()] {
      for (auto& bits : board.done) bits.store(~std::uint64_t{0});
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t bytes = write(bell, &one, sizeof(one));
    });
    return 7;
  };
  EXPECT_EQ(executor.submit(flood).result(kBound), 7);
  expect_pool_works(executor);
}

// The largest result that there may be, from as many slots as there are.
TEST_P(ProcessPoolLyingWorker, P11_AWorkerWantsAllRoom) {
  ProcessPoolExecutor executor(options(GetParam(), 2));
  const auto want = [] {
    for (Slot& slot : std::span(board().slots).first(16)) {
      slot.place = {.offset = 0, .bytes = kPayloadBytesMax};
      const SlotWord word = SlotWord::of(slot.word.load());
      if (word.phase != SlotPhase::kFree)
        slot.word.store(SlotWord{word.ticket, word.owner, SlotPhase::kWantsRoom}.packed());
    }
    for (auto& bits : board().done) bits.store(~std::uint64_t{0});
    std::this_thread::sleep_for(300ms);  // So that it is looked at; nothing depends on it.
    return 7;
  };
  const std::vector<Future<int>> before = submit_calls(executor, 20);
  gives(executor.submit(want), 7);
  const int right = right_results(before) + right_results(submit_calls(executor, 20));
  if (is_isolated()) {
    EXPECT_EQ(right, 40);
    expect_pool_works(executor);
  }
}

FOR_BOTH_ISOLATIONS(ProcessPoolLyingWorker);

}  // namespace
}  // namespace futures
