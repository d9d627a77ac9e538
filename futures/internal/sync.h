// Every name through which futures and pools touch threads, time, and the words that threads or processes wait on.
// Their code uses nothing else for that, so that one other header with the same names can run the same text under a
// controlled scheduler. //spec_tests/simulator:seam_test checks it for what runs there.
//
// This is the production side: aliases of the standard library's types, or the thinnest layer over the kernel where the
// standard library has no such thing (futex with a timeout, threads with a name and a stack size).
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_SYNC_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_SYNC_H_

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "futures/internal/time.h"

namespace futures::sync {

template <typename T>
using atomic = std::atomic<T>;

using std::stop_callback;
using std::stop_source;
using std::stop_token;

using clock = std::chrono::steady_clock;

// The moment when a wait is over; nothing means never.
using deadline = std::optional<clock::time_point>;

// std::mutex, annotated for clang's thread-safety analysis.
class ABSL_LOCKABLE mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  friend class condition_variable;
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE mutex_lock {
 public:
  explicit mutex_lock(mutex& m) ABSL_EXCLUSIVE_LOCK_FUNCTION(m) : mutex_(m) { mutex_.lock(); }
  ~mutex_lock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  mutex_lock(const mutex_lock&) = delete;
  mutex_lock& operator=(const mutex_lock&) = delete;

 private:
  mutex& mutex_;
};

class condition_variable {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  // May wake for no reason: callers loop over their condition.
  void wait(mutex& m) ABSL_EXCLUSIVE_LOCKS_REQUIRED(m) {
    std::unique_lock<std::mutex> lock(m.mutex_, std::adopt_lock);
    const Release release{lock};
    condition_.wait(lock);
  }

  // Returns false once `until` has passed.
  bool wait_until(mutex& m, deadline until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(m) {
    std::unique_lock<std::mutex> lock(m.mutex_, std::adopt_lock);
    const Release release{lock};
    if (!until) {
      condition_.wait(lock);
      return true;
    }
    return condition_.wait_until(lock, *until) == std::cv_status::no_timeout;
  }

 private:
  // Leaves the mutex locked, as its owner had it, however the wait ends (a cancelled thread unwinds out of it).
  struct Release {
    std::unique_lock<std::mutex>& lock;
    ~Release() { lock.release(); }
  };
  std::condition_variable condition_;
};

// Blocks while `word` holds `expected`, until woken or until `until`. May wake for no reason. Returns false if the time
// was up. A wake that happens after the caller last saw `expected` is never missed.
bool futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until);

// Wakes every thread that waits on `word`. Touches the address only, so `word` may already be gone.
void futex_wake_all(const atomic<std::uint32_t>& word);

// The same for words in memory that several processes share. A peer's death is known by other means, and whoever learns
// of it wakes.
bool shared_futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until = std::nullopt);
void shared_futex_wake_one(const atomic<std::uint32_t>& word);
void shared_futex_wake_all(const atomic<std::uint32_t>& word);

// Tells the processor that this is a waiting loop.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// While it lives pthread_cancel does not end its thread: other threads depend on what it is about to do, and it runs
// code of the user's that may block.
class cancellation_block {
 public:
  cancellation_block() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~cancellation_block() { pthread_setcancelstate(before_, nullptr); }
  cancellation_block(const cancellation_block&) = delete;
  cancellation_block& operator=(const cancellation_block&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

// While it lives pthread_cancel may end the thread, whatever was said before.
class cancellation_permit {
 public:
  cancellation_permit() { pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before_); }
  ~cancellation_permit() { pthread_setcancelstate(before_, nullptr); }
  cancellation_permit(const cancellation_permit&) = delete;
  cancellation_permit& operator=(const cancellation_permit&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_DISABLE;
};

// A thread that has been cancelled ends here, by a forced unwind.
inline void end_if_cancelled() { pthread_testcancel(); }

struct thread_options {
  std::string name;  // Cut to the 15 bytes that the kernel keeps. Empty: the creator's name stays.
  std::size_t stack_bytes = 0;  // 0: the system's default.
};

// Throws std::invalid_argument if `stack_bytes` is neither 0 nor a stack size that the system takes.
void check_stack_bytes(std::size_t stack_bytes);

// A thread of execution. Unlike std::thread it takes a name and a stack size, lets a forced unwind (pthread_exit) end
// the thread, and blocks every signal in it but the synchronous ones. Law T10.
class thread {
 public:
  thread() = default;
  thread(thread&& other) noexcept : handle_(std::exchange(other.handle_, std::nullopt)) {}
  thread& operator=(thread&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  // Must have been joined or detached.
  ~thread();

  // Starts a thread that runs `body`. Throws std::system_error if the system gives none (EAGAIN). The stack size must
  // have been checked.
  static thread start(const thread_options& options, std::function<void()> body);

  bool joinable() const { return handle_.has_value(); }
  bool is_current() const { return handle_ && pthread_equal(*handle_, pthread_self()); }
  void join();  // No cancellation point: whoever has taken the thread over to join it has to.
  void detach();

 private:
  explicit thread(pthread_t handle) : handle_(handle) {}
  std::optional<pthread_t> handle_;
};

}  // namespace futures::sync

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_SYNC_H_
