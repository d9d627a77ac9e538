// What is particular to processes: laws P2 to P15. The laws that hold for every executor are in spec_tests/.
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <any>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <future>
#include <ios>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <semaphore>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "futures/wait.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::GateFile;
using testing::own_pid;
using testing::pass;
using testing::soon;

int add(int a, int b) { return a + b; }
void die_by(int signal) { raise(signal); }
void exit_with(int code) { _exit(code); }
std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

// How often this program's only collector was woken. Nothing if there is none.
std::optional<std::string> collector_wakes() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name, field, count;
    std::ifstream(task.path() / "comm") >> name;
    if (name != "collector") continue;
    std::ifstream status(task.path() / "status");
    while (status >> field && field != "voluntary_ctxt_switches:") {
    }
    status >> count;
    return count;
  }
  return std::nullopt;
}

// Whether it was not woken for a while, twice as long as the pool's pause between looks.
bool collector_is_at_rest() {
  const std::optional<std::string> before = collector_wakes();
  std::this_thread::sleep_for(200ms);
  return collector_wakes() == before;
}

struct Person {
  std::string name;
  int age = 0;
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(name, age);
  }
};

using ProcessPool = testing::ProcessPoolTest;

TEST_P(ProcessPool, P2_CallsOfEveryKindTravel) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  EXPECT_EQ(executor.submit(add, 2, 3).result(), 5);
  EXPECT_EQ(executor.submit([](double x) { return x * 2; }, 1.5).result(), 3.0);
  EXPECT_EQ(executor.submit(std::plus<int>(), 4, 5).result(), 9);
  EXPECT_EQ(executor.submit(&repeated, std::string("ab"), 3).result(), "ababab");
  executor.submit([] {}).result();
  const std::map<std::string, std::vector<int>> table = {{"a", {1, 2}}, {"b", {}}};
  EXPECT_EQ(executor.submit([](std::map<std::string, std::vector<int>> t) { return t; }, table).result(), table);
  const Person older = executor.submit([](Person p) { return ++p.age, p; }, Person{"Ada", 36}).result();
  EXPECT_EQ(older.name, "Ada");
  EXPECT_EQ(older.age, 37);
  EXPECT_NE(executor.submit(own_pid).result(), getpid());
}

TEST_P(ProcessPool, P2_WhatCannotTravelFailsThroughTheInterface) {
  ProcessPoolExecutor processes({.max_workers = 1, .isolation = GetParam()});
  Executor& executor = processes;
  int captured = 1;
  EXPECT_THROW(executor.submit([captured] { return captured; }).result(), SerializationError);
  EXPECT_THROW(executor.submit([](const char*) {}, "text").result(), SerializationError);
  EXPECT_EQ(executor.submit(add, 1, 1).result(), 2);
}

TEST_P(ProcessPool, P3_LargePayloadsTravelBothWays) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam(), .payload_bytes_max = std::size_t{64} << 20});
  for (const std::size_t bytes : {4000u, 5000u, 1u << 20, 33u << 20}) {
    const std::string text(bytes, 'x');
    EXPECT_EQ(executor.submit([](const std::string& s) { return s + "y"; }, text).result(), text + "y");
  }
  // More in flight than fits at once: the rest waits its turn.
  std::vector<Future<std::size_t>> sizes;
  const std::string large(20u << 20, 'z');
  for (int i = 0; i < 12; ++i) sizes.push_back(executor.submit([](const std::string& s) { return s.size(); }, large));
  for (const auto& size : sizes) EXPECT_EQ(size.result(), large.size());
}

TEST_P(ProcessPool, P3_WhatIsTooLargeFailsAlone) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .payload_bytes_max = std::size_t{1} << 20});
  EXPECT_THROW(executor.submit([](const std::string& s) { return s.size(); }, std::string(2u << 20, 'x')).result(),
               SerializationError);
  EXPECT_THROW(executor.submit(&repeated, std::string("0123456789abcdef"), 1 << 20).result(), SerializationError);
  EXPECT_EQ(executor.submit(add, 1, 1).result(), 2);
}

// What `fn` throws here, its result throws when it has run in a worker: the same type with the same message.
template <typename E, typename F>
void expect_crosses(ProcessPoolExecutor& executor, F fn) {
  std::string here;
  try {
    fn();
  } catch (const std::exception& e) {
    here = e.what();
  }
  try {
    executor.submit(fn).result();
    ADD_FAILURE() << here << " does not arrive";
  } catch (const std::exception& e) {
    EXPECT_EQ(typeid(e), typeid(E)) << here;
    EXPECT_EQ(e.what(), here);
  }
}

TEST_P(ProcessPool, P4_StandardExceptionsAreRebuilt) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  expect_crosses<std::logic_error>(executor, [] { throw std::logic_error("a"); });
  expect_crosses<std::invalid_argument>(executor, [] { throw std::invalid_argument("b"); });
  expect_crosses<std::domain_error>(executor, [] { throw std::domain_error("c"); });
  expect_crosses<std::length_error>(executor, [] { throw std::length_error("d"); });
  expect_crosses<std::out_of_range>(executor, [] { throw std::out_of_range(std::string(10'000, 'e')); });
  expect_crosses<std::runtime_error>(executor, [] { throw std::runtime_error(""); });
  expect_crosses<std::range_error>(executor, [] { throw std::range_error("f"); });
  expect_crosses<std::overflow_error>(executor, [] { throw std::overflow_error("g"); });
  expect_crosses<std::underflow_error>(executor, [] { throw std::underflow_error("h"); });
  expect_crosses<std::format_error>(executor, [] { throw std::format_error("i"); });
  expect_crosses<std::exception>(executor, [] { throw std::exception(); });
  expect_crosses<std::bad_alloc>(executor, [] { throw std::bad_alloc(); });
  expect_crosses<std::bad_array_new_length>(executor, [] { throw std::bad_array_new_length(); });
  expect_crosses<std::bad_cast>(executor, [] { throw std::bad_cast(); });
  expect_crosses<std::bad_typeid>(executor, [] { throw std::bad_typeid(); });
  expect_crosses<std::bad_any_cast>(executor, [] { throw std::bad_any_cast(); });
  expect_crosses<std::bad_function_call>(executor, [] { std::function<void()>()(); });
  expect_crosses<std::bad_optional_access>(executor, [] { static_cast<void>(std::optional<int>().value()); });
  expect_crosses<std::bad_variant_access>(executor, [] { throw std::bad_variant_access(); });
  expect_crosses<std::bad_weak_ptr>(executor, [] { std::shared_ptr<int>{std::weak_ptr<int>()}; });
  expect_crosses<std::bad_exception>(executor, [] { throw std::bad_exception(); });
  expect_crosses<std::future_error>(executor, [] { throw std::future_error(std::future_errc::broken_promise); });
  expect_crosses<std::system_error>(executor, [] { throw std::system_error(ENOENT, std::system_category(), "j"); });
  expect_crosses<std::system_error>(executor, [] { throw std::system_error(ENOENT, std::generic_category(), ""); });
  expect_crosses<std::system_error>(executor, [] { throw std::system_error(ENOENT, std::generic_category()); });
  expect_crosses<std::ios_base::failure>(executor, [] {
    std::ifstream file;
    file.exceptions(std::ios_base::failbit);
    file.open("/nowhere/at/all");
  });
  using std::filesystem::filesystem_error;
  expect_crosses<filesystem_error>(executor, [] { static_cast<void>(std::filesystem::file_size("/nowhere/at/all")); });
  expect_crosses<filesystem_error>(executor,
                                   [] { throw filesystem_error("l", std::error_code(EIO, std::generic_category())); });
  expect_crosses<filesystem_error>(executor, [] { std::filesystem::copy("/nowhere/a", "/nowhere/b"); });
  expect_crosses<CancelledError>(executor, [] { throw CancelledError(); });
  expect_crosses<TimeoutError>(executor, [] { throw TimeoutError("k"); });
}

// Its maker's category is nowhere but in that program.
TEST_P(ProcessPool, P4_ACodeOfAnotherCategoryArrivesAsRemoteError) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<void> call = executor.submit([] { throw std::system_error(1, std::future_category(), "odd"); });
  EXPECT_THROW(call.result(), RemoteError);
}

TEST_P(ProcessPool, P4_ExceptionsCrossAsTheirType) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const auto thrown_by = [&](auto fn) -> std::string {
    try {
      executor.submit(fn).result();
    } catch (const std::out_of_range& e) {
      return std::string("out_of_range ") + e.what();
    } catch (const std::system_error& e) {
      return "system_error " + std::to_string(e.code().value()) + " " + e.what();
    } catch (const RemoteError& e) {
      return "RemoteError " + e.type_name() + " " + e.what();
    } catch (const std::exception& e) {
      return e.what();
    }
    return "nothing";
  };
  EXPECT_EQ(thrown_by([] { throw std::out_of_range("far"); }), "out_of_range far");
  const std::system_error no_entry(ENOENT, std::generic_category(), "open");
  const std::system_error bare(ENOENT, std::generic_category());
  EXPECT_EQ(thrown_by([] { throw std::system_error(ENOENT, std::generic_category()); }),
            "system_error " + std::to_string(ENOENT) + " " + bare.what());
  EXPECT_EQ(thrown_by([] { throw std::system_error(ENOENT, std::generic_category(), "open"); }),
            std::string("system_error 2 ") + no_entry.what());
  EXPECT_EQ(thrown_by([] { throw 5; }), "RemoteError int an exception of type int");
}

TEST_P(ProcessPool, P5_ADeathCostsOneCall) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  std::vector<Future<int>> before;
  for (int i = 0; i < 20; ++i) before.push_back(executor.submit(add, i, 1));
  const Future<void> dying = executor.submit(die_by, SIGKILL);
  const Future<void> exiting = executor.submit(exit_with, 3);
  std::vector<Future<int>> after;
  for (int i = 0; i < 20; ++i) after.push_back(executor.submit(add, i, 2));
  try {
    dying.result();
    ADD_FAILURE() << "the call survived its worker";
  } catch (const WorkerDiedError& e) {
    EXPECT_EQ(e.signal(), SIGKILL);
    EXPECT_GT(e.pid(), 0);
  }
  try {
    exiting.result();
    ADD_FAILURE() << "the call survived its worker";
  } catch (const WorkerDiedError& e) {
    EXPECT_EQ(e.exit_code(), 3);
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(before[i].result(), i + 1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(after[i].result(), i + 2);
}

TEST_P(ProcessPool, P5_BreakPoolIsPythonsWay) {
  ProcessPoolExecutor executor(
      {.max_workers = 1, .isolation = GetParam(), .on_worker_death = OnWorkerDeath::kBreakPool});
  const Future<void> dying = executor.submit(die_by, SIGKILL);
  const Future<int> behind = executor.submit(add, 1, 1);
  EXPECT_THROW(dying.result(), BrokenProcessPool);
  EXPECT_THROW(behind.result(), BrokenProcessPool);
  EXPECT_THROW(executor.submit(add, 1, 1), BrokenProcessPool);
}

TEST_P(ProcessPool, P1_CancelIsExactWhileTheCallIsPending) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  const Future<int> pending = executor.submit(add, 1, 1);
  EXPECT_FALSE(pending.running());
  EXPECT_FALSE(running.cancel());
  EXPECT_TRUE(pending.cancel());
  EXPECT_TRUE(pending.cancelled());
  gate.open();
  EXPECT_EQ(running.result(), 1);
}

TEST_P(ProcessPool, S3_CancelFutures) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  std::vector<Future<int>> pending;
  for (int i = 0; i < 600; ++i) pending.push_back(executor.submit(add, i, 1));
  EXPECT_EQ(executor.shutdown_now(), 600u);
  for (const auto& f : pending) EXPECT_TRUE(f.cancelled());
  gate.open();
  EXPECT_EQ(running.result(), 1);
}

// A result whose decoding is held up where a client does it.
struct SlowResult {
  static inline std::atomic<std::thread::id> client{};
  static inline std::binary_semaphore begun{0};
  static inline std::binary_semaphore may_go{0};
  int number = 0;

  template <typename Archive>
  void save(Archive& archive) const {
    archive(number);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(number);
    if (client != std::this_thread::get_id()) return;
    begun.release();
    may_go.acquire();
  }
};

// A client that looks for its own result has the last one out of the tables and not yet told, and the collector rests.
TEST_P(ProcessPool, S2_ThePoolEndsAfterAClientHasTakenTheLastResult) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  SlowResult::client = std::this_thread::get_id();
  bool pool_was_at_rest = false;
  std::thread opener([&] {
    SlowResult::begun.acquire();
    executor.shutdown({.wait = false});
    pool_was_at_rest = soon(collector_is_at_rest);
    SlowResult::may_go.release();
  });
  // A client looks for its result when it begins to wait: this one does nothing else, so sooner or later it finds it
  // before the collector does.
  try {
    for (;;) {
      const Future<SlowResult> f = executor.submit([] {
        std::this_thread::sleep_for(1ms);
        return SlowResult();
      });
      while (!f.wait(1us)) {
      }
    }
  } catch (const ShutdownError&) {
  }
  opener.join();
  EXPECT_TRUE(pool_was_at_rest);
  EXPECT_TRUE(soon([] { return !collector_wakes().has_value(); })) << "the pool does not end";
}

// The worker delivers a second call and ends while a client still tells the outcome of its first.
TEST_P(ProcessPool, P1_OutcomesOfAWorkerThatEndsComeInOrder) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .max_calls_per_worker = 2});
  SlowResult::client = std::this_thread::get_id();
  std::mutex mutex;
  Future<int> behind;
  std::atomic<bool> is_over = false;
  bool came_early = false;
  std::thread checker([&] {
    SlowResult::begun.acquire();
    // The only worker has ended when its successor runs a call. The pool's own thread reads that call's result, since
    // nobody waits for it, and has read all that the first worker left.
    std::atomic<bool> is_replaced = false;
    const Future<int> next = executor.submit(add, 2, 2);
    next.add_done_callback([&is_replaced](const Future<int>&) { is_replaced = true; });
    EXPECT_TRUE(soon([&is_replaced] { return is_replaced.load(); }));
    {
      const std::lock_guard lock(mutex);
      came_early = behind.done();
    }
    is_over = true;
    SlowResult::may_go.release();
  });
  while (!is_over) {  // Until it is the client that takes the first outcome.
    const Future<SlowResult> first = executor.submit([] {
      std::this_thread::sleep_for(1ms);
      return SlowResult();
    });
    {
      const std::lock_guard lock(mutex);
      behind = executor.submit(add, 1, 1);
    }
    while (!first.wait(1us)) {
    }
    EXPECT_EQ(behind.result(), 2);
  }
  checker.join();
  EXPECT_FALSE(came_early);
}

// A wake that is missed costs 100 ms, until the pool looks again.
TEST_P(ProcessPool, E6_AnIdleWorkerIsWokenAtOnce) {
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  int missed = 0;
  constexpr int kCalls = 40;
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(soon([&] { return testing::all_others_sleep(executor); }));
    const auto start = std::chrono::steady_clock::now();
    executor.submit(add, 1, 1).result();
    missed += std::chrono::steady_clock::now() - start >= 90ms ? 1 : 0;
  }
  EXPECT_LT(missed, kCalls / 4);
}

TEST_P(ProcessPool, P10_AKeptFutureKeepsNoPool) {
  const std::size_t before = testing::open_descriptors();
  Future<int> kept;
  {
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    kept = executor.submit(add, 1, 1);
    EXPECT_EQ(kept.result(), 2);
    EXPECT_NE(testing::mapped_memory_files(), "");
  }
  EXPECT_EQ(testing::open_descriptors(), before);
  EXPECT_EQ(testing::mapped_memory_files(), "");
  EXPECT_EQ(kept.result(), 2);
  EXPECT_FALSE(kept.cancel());
}

int initialized = 0;  // In each process.
void initialize() { ++initialized; }
void fail_to_initialize() { throw std::runtime_error("no"); }

TEST_P(ProcessPool, T4_TheInitializerRunsOncePerWorkerAndFirst) {
  ProcessPoolExecutor executor(
      {.max_workers = 2, .isolation = GetParam(), .initializer = &initialize, .max_calls_per_worker = 3});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(executor.submit([] { return initialized; }).result(), 1);
  EXPECT_EQ(initialized, 0);
}

TEST_P(ProcessPool, T4_AnInitializerThatThrowsBreaksThePool) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .initializer = &fail_to_initialize});
  EXPECT_THROW(executor.submit(add, 1, 1).result(), BrokenProcessPool);
  EXPECT_THROW(executor.submit(add, 1, 1), BrokenProcessPool);
}

// The exit code that means so is not a call's to use.
TEST_P(ProcessPool, P5_ACallThatExitsAsAFailedInitializerDoes) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .initializer = &initialize});
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(executor.submit([] { _exit(86); }).result(), WorkerDiedError);
    EXPECT_EQ(executor.submit(add, 1, 1).result(), 2);
  }
}

// A worker is condemned or delivers, and takes no other call once it is condemned.
TEST_P(ProcessPool, P12_TheCallBehindOneThatOverrunsIsNotLost) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .call_timeout = 20ms});
  for (int i = 0; i < 60; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Future<void> sleeper = executor.submit([](int more) { usleep(18'000 + 100 * more); }, i);
    const Future<int> behind = executor.submit(add, 1, 1);
    try {
      EXPECT_EQ(behind.result(20s), 2);
    } catch (const CallTimeoutError&) {
      // Rightly, if its worker stood still: not before the sleeper's time and then its own were over.
      EXPECT_GE(std::chrono::steady_clock::now() - start, 38ms);
    }
    try {
      sleeper.result();
    } catch (const CallTimeoutError&) {
    }
  }
}

TEST_P(ProcessPool, P7_WorkersAreReplacedAfterTheirCalls) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .max_calls_per_worker = 3});
  std::map<pid_t, int> calls;
  for (int i = 0; i < 9; ++i) ++calls[executor.submit(own_pid).result()];
  for (const auto& [pid, count] : calls) EXPECT_LE(count, 3);
  // One with a board of its own may be replaced before, on a machine that does not let it run.
  EXPECT_LE(calls.size(), GetParam() == Isolation::kShared ? 3u : 6u);
}

TEST_P(ProcessPool, P8_KillWorkers) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const Future<int> running = executor.submit(pass, gate.path(), 1);
  const Future<int> pending = executor.submit(add, 1, 1);
  EXPECT_TRUE(soon([&] { return running.running(); }));
  executor.kill_workers();
  EXPECT_THROW(running.result(), BrokenProcessPool);
  EXPECT_TRUE(pending.cancelled());
  EXPECT_TRUE(executor.worker_pids().empty());
}

TEST_P(ProcessPool, P9_EveryStartMethodOfAThreadedProgram) {
  for (const StartMethod method : {StartMethod::kForkServer, StartMethod::kSpawn}) {
    ProcessPoolExecutor executor({.max_workers = 2, .start_method = method, .isolation = GetParam()});
    EXPECT_EQ(executor.submit(add, 20, 22).result(), 42);
  }
}

TEST_P(ProcessPool, P12_ACallThatOverrunsIsKilled) {
  GateFile gate;
  // The timeout is far more than the second call takes, on any machine.
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .call_timeout = 500ms});
  EXPECT_THROW(executor.submit(pass, gate.path(), 1).result(), CallTimeoutError);
  EXPECT_EQ(executor.submit(add, 1, 1).result(), 2);
}

TEST_P(ProcessPool, P12_ACallThatOverrunsIsKilledHoweverQuietThePoolWas) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam(), .call_timeout = 500ms});
  EXPECT_EQ(executor.submit(add, 1, 1).result(), 2);
  EXPECT_TRUE(soon(collector_is_at_rest));
  EXPECT_THROW(executor.submit(pass, gate.path(), 1).result(10s), CallTimeoutError);
}

TEST_P(ProcessPool, E5_CallsStartInTheOrderOfTheirSubmits) {
  constexpr int kCalls = 600;  // More than a board has slots.
  GateFile order;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::vector<Future<void>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(
        executor.submit([](const std::string& path, int call) { std::ofstream(path, std::ios::app) << call << "\n"; },
                        order.path(), i));
  }
  for (const auto& call : calls) call.result();
  std::ifstream file(order.path());
  for (int i = 0, call = 0; i < kCalls; ++i) {
    ASSERT_TRUE(file >> call);
    EXPECT_EQ(call, i);
  }
}

// The memory files that this process has mapped.
std::set<std::string> mapped_memory() {
  std::set<std::string> inodes;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::string range, access, offset, device, inode;
    std::istringstream(line) >> range >> access >> offset >> device >> inode;
    if (line.find("memfd:concurrent_futures") != std::string::npos) inodes.insert(inode);
  }
  return inodes;
}

TEST_P(ProcessPool, P11_WorkersShareMemoryOnlyIfAskedTo) {
  GateFile gate;
  ProcessPoolExecutor executor({.max_workers = 2, .isolation = GetParam()});
  const auto memory = [](const std::string& path) {
    const std::set<std::string> mapped = mapped_memory();
    pass(path, 0);  // So that each worker gets one of the calls.
    return mapped;
  };
  const Future<std::set<std::string>> one = executor.submit(memory, gate.path());
  const Future<std::set<std::string>> other = executor.submit(memory, gate.path());
  EXPECT_TRUE(soon([&] { return one.running() && other.running(); }));
  gate.open();
  EXPECT_EQ(one.result().size(), 2u);
  EXPECT_EQ(other.result().size(), 2u);
  std::set<std::string> all = one.result();
  all.merge(std::set<std::string>(other.result()));
  EXPECT_EQ(all.size(), GetParam() == Isolation::kShared ? 2u : 4u);
}

TEST_P(ProcessPool, P15_WorkersHoldOnlyTheirOwnDescriptors) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const int descriptors =
      executor
          .submit([] {
            int entries = 0;
            for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++entries;
            return entries - 1;  // The iteration itself holds one.
          })
          .result();
  EXPECT_EQ(descriptors, 3 + 4);
}

TEST_P(ProcessPool, F8_CallbacksRunOnAThreadOfThePool) {
  std::latch ran(1);
  std::thread::id on;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  GateFile gate;
  const Future<int> f = executor.submit(pass, gate.path(), 7);
  f.add_done_callback([&](const Future<int>& done) {
    EXPECT_EQ(done.result(), 7);
    on = std::this_thread::get_id();
    EXPECT_THROW(executor.shutdown(), DeadlockError);
    ran.count_down();
  });
  gate.open();
  ran.wait();
  EXPECT_NE(on, std::this_thread::get_id());
}

FOR_BOTH_ISOLATIONS(ProcessPool);

}  // namespace
}  // namespace futures
