#include "futures/internal/sync.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <exception>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace futures::sync {
namespace {

const std::uint32_t* address_of(const atomic<std::uint32_t>& word) {
  static_assert(sizeof(atomic<std::uint32_t>) == sizeof(std::uint32_t));
  return reinterpret_cast<const std::uint32_t*>(&word);
}

// Waits with `options` added to the operation.
bool wait_on(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until, int options) {
  timespec at{};
  if (until) {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(until->time_since_epoch());
    if (since_epoch.count() <= 0) return false;
    at.tv_sec = static_cast<std::time_t>(since_epoch.count() / 1'000'000'000);
    at.tv_nsec = static_cast<long>(since_epoch.count() % 1'000'000'000);
  }
  // FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, which is what steady_clock counts.
  const long rc = syscall(SYS_futex, address_of(word), FUTEX_WAIT_BITSET | options, expected, until ? &at : nullptr,
                          nullptr, FUTEX_BITSET_MATCH_ANY);
  return rc == 0 || errno != ETIMEDOUT;
}

// Handlers belong in the program's own threads: only what a thread does to itself is delivered here.
void block_asynchronous_signals(sigset_t* previous) {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    sigdelset(&blocked, synchronous);
  }
  pthread_sigmask(SIG_SETMASK, &blocked, previous);
}

struct Launch {
  std::string name;
  std::function<void()> body;
};

// Not noexcept: pthread_exit in `body` unwinds through here.
void* run_launched(void* argument) {
  const std::unique_ptr<Launch> launch(static_cast<Launch*>(argument));
  if (!launch->name.empty()) pthread_setname_np(pthread_self(), launch->name.substr(0, 15).c_str());
  launch->body();
  return nullptr;
}

}  // namespace

bool futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until) {
  return wait_on(word, expected, until, FUTEX_PRIVATE_FLAG);
}

void futex_wake_all(const atomic<std::uint32_t>& word) {
  syscall(SYS_futex, address_of(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, nullptr, nullptr, 0);
}

bool shared_futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until) {
  return wait_on(word, expected, until, 0);
}

void shared_futex_wake_one(const atomic<std::uint32_t>& word) {
  syscall(SYS_futex, address_of(word), FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void shared_futex_wake_all(const atomic<std::uint32_t>& word) {
  syscall(SYS_futex, address_of(word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void check_stack_bytes(std::size_t stack_bytes) {
  if (stack_bytes == 0) return;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  const int rc = pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_attr_destroy(&attributes);
  if (rc != 0) throw std::invalid_argument("stack_bytes is below the system's minimum");
}

thread::~thread() {
  if (joinable()) std::terminate();
}

thread thread::start(const thread_options& options, std::function<void()> body) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (options.stack_bytes != 0) pthread_attr_setstacksize(&attributes, options.stack_bytes);
  auto launch = std::make_unique<Launch>(Launch{options.name, std::move(body)});
  // The new thread inherits the mask: it never runs with the creator's, not even before its first instruction.
  sigset_t previous;
  block_asynchronous_signals(&previous);
  pthread_t handle;
  const int rc = pthread_create(&handle, &attributes, &run_launched, launch.get());
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_attr_destroy(&attributes);
  if (rc != 0) throw std::system_error(rc, std::generic_category(), "cannot start a thread");
  launch.release();  // NOLINT(bugprone-unused-return-value): the thread owns it now.
  return thread(handle);
}

void thread::join() {
  const cancellation_block block;
  pthread_join(handle_.value(), nullptr);
  handle_.reset();
}

void thread::detach() {
  pthread_detach(handle_.value());
  handle_.reset();
}

}  // namespace futures::sync
