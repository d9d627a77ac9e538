// What a program may do around its pool: end it while it submits, end its own threads in the middle, fork with buffers,
// close its standard descriptors, ignore SIGCHLD, throw what cannot be written, use the same types on threads. Laws E1,
// E4, E7, F8, P2, P3, P4, P5, P9, P12, P13, T9.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "futures/encoding/buffer.h"
#include "futures/encoding/encoding.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"
#include "optimized/process_pool_executor.h"
#include "optimized/thread_pool_executor.h"

namespace futures {
namespace {
struct Point {
  double x = 0;
  double y = 0;
};
}  // namespace
}  // namespace futures

template <>
inline constexpr bool futures::travels_bitwise<futures::Point> = true;

namespace futures {
namespace {

using namespace std::chrono_literals;
using testing::GateFile;
using testing::own_pid;
using testing::pass;
using testing::soon;
using testing::twice;

using ProcessPoolProgram = testing::ProcessPoolTest;

// For StartMethod::kFork a program has one thread, and that sanitizer has one of its own.
#if defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr std::array kStartMethods = {StartMethod::kForkServer, StartMethod::kSpawn};
#else
constexpr std::array kStartMethods = {StartMethod::kForkServer, StartMethod::kSpawn, StartMethod::kFork};
#endif

// Stops in the middle of its second encoding, the one to the arena, until it is let on.
struct Slow {
  static inline std::atomic<int> passes = 0;
  static inline std::atomic<bool> in_room = false;
  static inline std::atomic<bool> go_on = false;
  std::string text;
  template <typename Archive>
  void save(Archive& archive) const {
    archive(text);
    if (++passes == 2) {
      in_room = true;
      while (!go_on) std::this_thread::sleep_for(1ms);
    }
    archive(text);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(text, text);
  }
};

TEST_P(ProcessPoolProgram, E4_ThePoolEndsWhileASubmitEncodes) {
  Slow::passes = 0;
  Slow::in_room = Slow::go_on = false;
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::thread submitter([&] {
    EXPECT_THROW(executor.submit([](const Slow&) {}, Slow{.text = std::string(1 << 20, 'x')}), ShutdownError);
  });
  EXPECT_TRUE(soon([] { return Slow::in_room.load(); }));
  executor.shutdown();
  Slow::go_on = true;
  submitter.join();
}

TEST_P(ProcessPoolProgram, T9_AChildEndsItsCopyOfABuffer) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  constexpr std::size_t kBytes = std::size_t{130} << 20;  // More than the pool keeps.
  const Buffer first = executor.make_buffer(kBytes);
  std::optional<Buffer> buffer(executor.make_buffer(1 << 20));
  std::memset(buffer->bytes().data(), 7, buffer->size());
  const pid_t child = fork();
  if (child == 0) {
    buffer.reset();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  std::size_t lost = 0;
  for (const std::byte byte : buffer->bytes()) lost += byte != std::byte{7} ? 1 : 0;
  EXPECT_EQ(lost, 0u);
}

std::string target_of(int fd) {
  std::string text(200, '\0');
  const ssize_t bytes = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), text.data(), text.size());
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}
std::size_t print_everywhere() {
  std::size_t bytes = 0;
  for (const int fd : {1, 2}) bytes += write(fd, "a line\n", 7) == 7 ? 7 : 0;
  return bytes;
}

// As daemons do: what is printed then goes nowhere, least of all to memory of the pool.
TEST_P(ProcessPoolProgram, P13_StandardDescriptorsMayBeClosed) {
  constexpr int kCopies = 100;  // Out of the way.
  for (int fd = 0; fd <= 2; ++fd) EXPECT_EQ(fcntl(fd, F_DUPFD_CLOEXEC, kCopies), kCopies + fd);
  std::vector<std::string> targets;
  std::size_t printed = 0;
  bool lost = false;
  for (const StartMethod method : kStartMethods) {
    for (int fd = 0; fd <= 2; ++fd) close(fd);
    try {
      ProcessPoolExecutor executor({.max_workers = 1, .start_method = method, .isolation = GetParam()});
      for (int fd = 0; fd <= 2; ++fd) targets.push_back(executor.submit(target_of, fd).result(20s));
      printed += executor.submit(print_everywhere).result(20s);
      lost |= executor.submit(twice, 21).result(20s) != 42;
    } catch (const std::exception& e) {
      targets.push_back(e.what());
    }
    for (int fd = 0; fd <= 2; ++fd) dup2(kCopies + fd, fd);
  }
  for (int fd = 0; fd <= 2; ++fd) close(kCopies + fd);
  EXPECT_EQ(targets, std::vector<std::string>(3 * kStartMethods.size(), "/dev/null"));
  EXPECT_EQ(printed, 14 * kStartMethods.size());
  EXPECT_FALSE(lost);
}

int die() {
  raise(SIGKILL);
  return 0;
}

TEST_P(ProcessPoolProgram, P5_SigchldMayBeIgnored) {
  const auto before = signal(SIGCHLD, SIG_IGN);
  for (const StartMethod method : kStartMethods) {
    ProcessPoolExecutor executor({.max_workers = 1, .start_method = method, .isolation = GetParam()});
    try {
      executor.submit(die).result(20s);
      ADD_FAILURE();
    } catch (const WorkerDiedError& e) {
      EXPECT_EQ(e.signal(), SIGKILL) << "start method " << static_cast<int>(method) << ": " << e.what();
    }
  }
  signal(SIGCHLD, before);
}

// A thread that has been cancelled ends at the next call of the system that waits or writes. Until then it does all
// that others depend on.
TEST_P(ProcessPoolProgram, F8_AThreadIsCancelledInCancelOrShutdown) {
  for (const bool in_shutdown : {false, true}) {
    GateFile gate;
    ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
    const Future<int> running = executor.submit(pass, gate.path(), 7);
    EXPECT_TRUE(soon([&] { return running.running(); }));
    Future<int> pending = executor.submit(twice, 21);
    std::atomic<int> called = 0;
    pending.add_done_callback([&](const auto&) { ++called; });
    std::thread([&] {
      pthread_cancel(pthread_self());
      if (in_shutdown) executor.shutdown({.wait = false, .cancel_futures = true});
      pending.cancel();
    }).join();
    EXPECT_TRUE(pending.cancelled());
    EXPECT_EQ(called, 1);
    gate.open();
    executor.shutdown();
  }
}

TEST_P(ProcessPoolProgram, E7_AThreadIsCancelledInSubmit) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::thread([&] {
    pthread_cancel(pthread_self());
    executor.submit(twice, 21);
  }).join();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(executor.submit(twice, 4).result(30s), 8);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

// Pages go back to the system in destructors, which nothing may end.
TEST_P(ProcessPoolProgram, P12_ACancelledThreadDropsABuffer) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  std::thread([buffer = executor.make_buffer(std::size_t{160} << 20)]() mutable {
    pthread_cancel(pthread_self());
    buffer = Buffer();
  }).join();
  testing::expect_pool_works(executor);
}

struct ThrowsOnMove {
  std::string text;
  ThrowsOnMove() = default;
  ThrowsOnMove(const ThrowsOnMove&) = default;
  ThrowsOnMove(ThrowsOnMove&&) { throw std::runtime_error("move"); }  // NOLINT(performance-noexcept-move-constructor)
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
};

// A call that runs has been accepted, and its future is there.
TEST_P(ProcessPoolProgram, E1_AnArgumentThatCannotBeMovedTravels) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  ThrowsOnMove given;
  given.text = "text";
  const auto size = [](const ThrowsOnMove& other) { return other.text.size(); };
  EXPECT_NO_THROW(executor.submit(size, std::move(given)));
}

struct NoMessage : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
struct Unwritable : std::exception {
  template <typename Archive>
  void save(Archive&) const {
    throw std::runtime_error("cannot be written");
  }
  template <typename Archive>
  void load(Archive&) {}
};
const ExceptionRegistration<Unwritable> unwritable_travels;

template <typename E>
int throw_it(int) {
  throw E();
}

TEST_P(ProcessPoolProgram, P4_ExceptionsThatSayNothingCostNoWorker) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const pid_t worker = executor.submit(own_pid).result(20s);
  EXPECT_THROW(executor.submit(throw_it<NoMessage>, 1).result(20s), RemoteError);
  EXPECT_THROW(executor.submit(throw_it<Unwritable>, 1).result(20s), RemoteError);
  const auto third_has_none = [](int i) { return i == 3 ? throw_it<NoMessage>(i) : i; };
  int values = 0;
  for (const auto& item : executor.map_settled(third_has_none, std::vector{0, 1, 2, 3, 4, 5}, {.chunksize = 6})) {
    values += item.has_value() ? 1 : 0;
  }
  EXPECT_EQ(values, 5);
  EXPECT_EQ(executor.submit(own_pid).result(20s), worker);
}

#if !defined(ABSL_HAVE_THREAD_SANITIZER) && !defined(ABSL_HAVE_ADDRESS_SANITIZER)  // Which map much more than that.
int leak_all() {
  for (;;) {
    void* volatile memory = ::operator new(48);
    (void)memory;
  }
}

// Not even the error needs memory.
TEST_P(ProcessPoolProgram, P12_ACallMayLeakAllItMayHave) {
  ProcessPoolExecutor executor(
      {.max_workers = 1, .isolation = GetParam(), .worker_address_space_bytes_max = std::uint64_t{128} << 20});
  EXPECT_THROW(executor.submit(leak_all).result(60s), std::bad_alloc);
}
#endif

std::string result_of_a_pool_of_its_own() {
  ProcessPoolExecutor executor({.max_workers = 1});
  return std::to_string(executor.submit(twice, 4).result(20s));
}

TEST_P(ProcessPoolProgram, P9_ACallMayHaveAPool) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  EXPECT_EQ(executor.submit(result_of_a_pool_of_its_own).result(30s), "8");
}

struct Plain {
  int x = 0;
};
int last_of(const std::vector<Plain>& all) { return all.back().x; }
int last_in(const std::map<int, std::optional<std::deque<Plain>>>& all) { return all.begin()->second->back().x; }

// Whatever is included: a container of what cannot travel is an ordinary argument on threads, and fails alone on
// processes.
TEST_P(ProcessPoolProgram, P2_ContainersOfWhatCannotTravel) {
  ThreadPoolExecutor threads({.max_workers = 1});
  ProcessPoolExecutor processes({.max_workers = 1, .isolation = GetParam()});
  EXPECT_EQ(threads.submit(last_of, std::vector<Plain>(3)).result(), 0);
  Executor& any = processes;
  EXPECT_THROW(any.submit(last_of, std::vector<Plain>(3)).result(20s), SerializationError);
  const std::map<int, std::optional<std::deque<Plain>>> nested{{1, std::deque<Plain>(2)}};
  EXPECT_EQ(threads.submit(last_in, nested).result(), 0);
  EXPECT_THROW(any.submit(last_in, nested).result(20s), SerializationError);
}

std::vector<Point> swapped(std::vector<Point> points) {
  for (Point& point : points) std::swap(point.x, point.y);
  return points;
}

TEST_P(ProcessPoolProgram, P2_TypesThatTravelBitwiseTravelInContainers) {
  ProcessPoolExecutor executor({.max_workers = 1, .isolation = GetParam()});
  const std::vector<Point> points =
      executor.submit(swapped, std::vector<Point>(1000, Point{.x = 1, .y = 2})).result(20s);
  ASSERT_EQ(points.size(), 1000u);
  EXPECT_EQ(points[999].x, 2);
  const auto sum = [](const std::map<std::string, std::optional<Point>>& all) {
    return all.at("a")->x + all.at("a")->y;
  };
  EXPECT_EQ(executor.submit(sum, std::map<std::string, std::optional<Point>>{{"a", Point{.x = 3, .y = 4}}}).result(20s),
            7);
}

FOR_BOTH_ISOLATIONS(ProcessPoolProgram);

}  // namespace
}  // namespace futures
