#include "bench/bounds.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "futures/internal/sync.h"

namespace bench {
namespace {

namespace sync = futures::sync;

constexpr int kRounds = 5000;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// A child that runs `body` and ends. The destructor kills it if it still runs, and reaps it.
template <typename Body>
class Child {
 public:
  explicit Child(Body body) : pid_(fork()) {
    if (pid_ < 0) fail("cannot fork");
    if (pid_ != 0) return;
    body();
    _exit(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

// A T in memory that children share.
template <typename T>
class Shared {
 public:
  Shared() {
    void* const memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("cannot map shared memory");
    object_ = new (memory) T();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(object_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

class Pipe {
 public:
  Pipe() {
    if (pipe(ends_.data()) != 0) fail("cannot make a pipe");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (const int end : ends_) close(end);
  }
  void send() const {
    if (write(ends_[1], "x", 1) != 1) _exit(1);
  }
  void receive() const {
    char byte;
    if (read(ends_[0], &byte, 1) != 1) fail("no byte came");
  }

 private:
  std::array<int, 2> ends_;
};

using Word = std::atomic<std::uint32_t>;

// Odd numbers go to the child, even ones come back.
template <typename Post, typename Await>
double round_trip(Post post, Await await) {
  Shared<Word> word;
  Child child([&] {
    for (std::uint32_t round = 0;; ++round) {
      await(*word, 2 * round + 1);
      post(*word, 2 * round + 2);
    }
  });
  std::uint32_t round = 0;
  return median_of(kRounds, [&] {
    post(*word, 2 * round + 1);
    await(*word, 2 * round + 2);
    ++round;
  });
}

}  // namespace

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median_of(int times, const std::function<void()>& run) {
  std::vector<double> values;
  for (int i = 0; i < times; ++i) {
    const Clock::time_point start = Clock::now();
    run();
    values.push_back(microseconds_since(start));
  }
  return median(std::move(values));
}

double futex_round_trip() {
  return round_trip(
      [](Word& word, std::uint32_t number) {
        word.store(number);
        sync::shared_futex_wake_one(word);
      },
      [](Word& word, std::uint32_t number) {
        for (std::uint32_t seen = word.load(); seen != number; seen = word.load()) sync::shared_futex_wait(word, seen);
      });
}

double spin_round_trip() {
  return round_trip([](Word& word, std::uint32_t number) { word.store(number, std::memory_order_release); },
                    [](Word& word, std::uint32_t number) {
                      while (word.load(std::memory_order_acquire) != number) sync::pause();
                    });
}

double ring_item() {
  constexpr std::uint32_t kEntries = 1024;
  constexpr std::uint32_t kItems = 2'000'000;
  struct Ring {
    alignas(64) Word head{0};
    alignas(64) Word tail{0};
    alignas(64) std::array<std::uint64_t, kEntries> entries{};
  };
  const auto pass_all = [] {
    Shared<Ring> ring;
    Shared<std::atomic<std::uint64_t>> sum;
    Child child([&] {
      std::uint64_t own_sum = 0;
      for (std::uint32_t head = 0; head < kItems; ring->head.store(++head, std::memory_order_release)) {
        while (ring->tail.load(std::memory_order_acquire) == head) sync::pause();
        own_sum += ring->entries[head % kEntries];
      }
      sum->store(own_sum + 1, std::memory_order_release);
    });
    for (std::uint32_t tail = 0; tail < kItems; ring->tail.store(++tail, std::memory_order_release)) {
      while (tail - ring->head.load(std::memory_order_acquire) == kEntries) sync::pause();
      ring->entries[tail % kEntries] = tail;
    }
    while (sum->load(std::memory_order_acquire) == 0) sync::pause();
  };
  return median_of(3, pass_all) / kItems;
}

double copy_in_and_out(std::size_t bytes) {
  const int file = memfd_create("bench bound", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) fail("cannot make a memory file");
  void* const shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
  close(file);
  if (shared == MAP_FAILED) fail("cannot map a memory file");
  const std::vector<char> from(bytes, 1);
  std::vector<char> to(bytes, 2);
  const double time = median_of(bytes > (8u << 20) ? 9 : 200, [&] {
    std::memcpy(shared, from.data(), bytes);
    std::memcpy(to.data(), shared, bytes);
  });
  munmap(shared, bytes);
  return time;
}

double fork_to_first_byte(int children) {
  return median_of(30, [children] {
    const Pipe bytes;
    const auto send = [&bytes] { bytes.send(); };
    std::vector<std::optional<Child<decltype(send)>>> all(static_cast<std::size_t>(children));
    for (auto& child : all) child.emplace(send);
    for (int i = 0; i < children; ++i) bytes.receive();
  });
}

namespace {

// Calls `then` as soon as a child that was killed is known to be gone.
double kill_and(const std::function<void()>& then) {
  std::vector<double> times;
  for (int i = 0; i < 30; ++i) {
    const Child child([] { pause(); });
    usleep(2000);  // By then the child sleeps.
    pollfd end{.fd = static_cast<int>(syscall(SYS_pidfd_open, child.pid(), 0)), .events = POLLIN, .revents = 0};
    if (end.fd < 0) fail("cannot watch a child");
    const Clock::time_point start = Clock::now();
    kill(child.pid(), SIGKILL);
    poll(&end, 1, -1);
    then();
    times.push_back(microseconds_since(start));
    close(end.fd);
  }
  return median(std::move(times));
}

}  // namespace

double kill_to_notice() {
  return kill_and([] {});
}

double kill_to_replacement() {
  const Pipe bytes;
  const auto send = [&bytes] { bytes.send(); };
  std::vector<std::unique_ptr<Child<decltype(send)>>> replacements;  // Reaped at the end, when no time is measured.
  return kill_and([&] {
    replacements.push_back(std::make_unique<Child<decltype(send)>>(send));
    bytes.receive();
  });
}

}  // namespace bench
