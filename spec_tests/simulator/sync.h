// The names of futures/internal/sync.h under a controlled scheduler. The simulated copies of the sources include this
// instead.
//
// Every operation ends in the one Machine, which may let any other thread run before it. Operations take the place of
// their caller as a last argument with a default, for reports.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SYNC_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SYNC_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "futures/internal/time.h"
#include "spec_tests/simulator/machine.h"

// A function whose accesses are not those of the program: the instrumentation leaves it out.
#ifdef __clang__
#define SIMULATED_UNSEEN __attribute__((noinline, no_sanitize("coverage")))
#else
#define SIMULATED_UNSEEN
#endif

namespace futures::inline simulated::sync {

using simulator::Machine;
using simulator::Operation;
using simulator::WeakMemory;
using simulator::Where;

template <typename T>
class atomic {
 public:
  constexpr atomic() noexcept = default;
  constexpr atomic(T value) noexcept : value_(value) {}  // NOLINT(google-explicit-constructor): as std::atomic.
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) const noexcept {
    before(Operation::kLoad, where);
    ordered(Machine::Ordering::kLoad, order);
    const T value = read(order);
    tell(value);
    return value;
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    before(Operation::kStore, where);
    ordered(Machine::Ordering::kStore, order);
    if (WeakMemory* const memory = weak_memory()) {
      set(from_bits(memory->store(current(), word(), order, to_bits(value))));
    } else {
      set(value);
    }
    tell(value);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    return modify(Operation::kExchange, order, where, [value](T) { return value; });
  }
  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    return modify(Operation::kFetch, order, where, [by](T value) { return static_cast<T>(value + by); });
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    return modify(Operation::kFetch, order, where, [by](T value) { return static_cast<T>(value - by); });
  }
  T fetch_or(T with, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    return modify(Operation::kFetch, order, where, [with](T value) { return static_cast<T>(value | with); });
  }
  T fetch_and(T with, std::memory_order order = std::memory_order_seq_cst, Where where = Where::current()) noexcept {
    return modify(Operation::kFetch, order, where, [with](T value) { return static_cast<T>(value & with); });
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order, std::memory_order failure,
                             Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, failure, /*is_weak=*/true, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                             Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, failure_order(order), /*is_weak=*/true, where);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order, std::memory_order failure,
                               Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, failure, /*is_weak=*/false, where);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                               Where where = Where::current()) noexcept {
    return compare_exchange(expected, desired, order, failure_order(order), /*is_weak=*/false, where);
  }

 private:
  friend bool futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::optional<std::chrono::steady_clock::time_point>, Where where);

  SIMULATED_UNSEEN void before(Operation operation, const Where& where) const noexcept {
    if (Machine::in_run()) Machine::instance().before(operation, this, &liveness_, where);
  }
  void ordered(Machine::Ordering ordering, std::memory_order order) const noexcept {
    Machine::instance().order(ordering, this, order);
  }
  SIMULATED_UNSEEN T get() const noexcept { return value_; }
  SIMULATED_UNSEEN void set(T value) noexcept { value_ = value; }
  // Adds a value to the row of the operation.
  SIMULATED_UNSEEN static void tell(T value, const char* prefix = "") noexcept {
    if (!Machine::in_run() || !Machine::instance().records()) return;
    const Machine::Inside inside;
    std::string text = prefix;
    if constexpr (std::is_pointer_v<T>) {
      text += value == nullptr ? "null" : "an address";
    } else {
      text += std::to_string(static_cast<long long>(value));
    }
    Machine::instance().append(text);
  }
  template <typename Change>
  T modify(Operation operation, std::memory_order order, const Where& where, Change change) noexcept {
    before(operation, where);
    ordered(Machine::Ordering::kModify, order);
    T old = get();
    if (WeakMemory* const memory = weak_memory()) {
      const auto change_bits = [&](std::uint64_t bits) { return to_bits(change(from_bits(bits))); };
      const WeakMemory::Result result = memory->modify(current(), word(), order, change_bits);
      old = from_bits(result.read);
      set(from_bits(result.newest));
    } else {
      set(change(old));
    }
    tell(old);
    tell(change(old), " -> ");
    return old;
  }
  bool compare_exchange(T& expected, T desired, std::memory_order order, std::memory_order failure, bool is_weak,
                        const Where& where) noexcept {
    before(Operation::kCompareExchange, where);
    T old = get();
    bool stores = old == expected;
    if (WeakMemory* const memory = weak_memory()) {
      const WeakMemory::Result result =
          memory->compare_exchange(current(), word(), to_bits(expected), to_bits(desired), order, failure, is_weak);
      old = from_bits(result.read);
      stores = result.stored;
      set(from_bits(result.newest));
    } else {
      if (stores && is_weak && Machine::instance().weak_compare_exchange_fails()) {
        ordered(Machine::Ordering::kLoad, failure);
        return false;
      }
      if (stores) set(desired);
    }
    ordered(stores ? Machine::Ordering::kModify : Machine::Ordering::kLoad, stores ? order : failure);
    tell(old);
    stores ? tell(desired, " -> ") : tell(expected, ", not ");
    if (!stores) expected = old;
    return stores;
  }
  T read(std::memory_order order) const noexcept {
    WeakMemory* const memory = weak_memory();
    return memory == nullptr ? get() : from_bits(memory->load(current(), word(), order));
  }
  // The value that the kernel compares when a thread is about to wait.
  T read_in_futex_wait() const noexcept {
    WeakMemory* const memory = weak_memory();
    return memory == nullptr ? get() : from_bits(memory->futex_wait(current(), this, word()));
  }

  static WeakMemory* weak_memory() { return Machine::instance().weak_memory(); }
  static int current() { return Machine::instance().current(); }
  SIMULATED_UNSEEN WeakMemory::Word word() const { return {memory_tag_, to_bits(value_)}; }
  static std::uint64_t to_bits(T value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T from_bits(std::uint64_t bits) {
    T value{};
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  static std::memory_order failure_order(std::memory_order order) {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    return order == std::memory_order_release ? std::memory_order_relaxed : order;
  }

  T value_{};  // Of the newest store.
  simulator::MemoryTag memory_tag_;
  [[no_unique_address]] simulator::Liveness liveness_;
};

// Simulated time begins at an hour and goes on by a nanosecond each time somebody asks; from deadline to deadline when
// all wait.
struct clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr bool is_steady = true;
  static time_point now() noexcept { return time_point(duration(Machine::instance().now())); }
};

using deadline = std::optional<clock::time_point>;

inline simulator::Deadline nanoseconds(const deadline& until) {
  return until ? simulator::Deadline(until->time_since_epoch().count()) : std::nullopt;
}

class ABSL_LOCKABLE mutex {
 public:
  mutex() = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  void lock(Where where = Where::current()) ABSL_EXCLUSIVE_LOCK_FUNCTION() { Machine::instance().lock(state_, where); }
  void unlock(Where where = Where::current()) ABSL_UNLOCK_FUNCTION() { Machine::instance().unlock(state_, where); }

 private:
  friend class condition_variable;
  simulator::MutexState state_;
};

class ABSL_SCOPED_LOCKABLE mutex_lock {
 public:
  explicit mutex_lock(mutex& m, Where where = Where::current()) ABSL_EXCLUSIVE_LOCK_FUNCTION(m)
      : mutex_(m), where_(where) {
    mutex_.lock(where);
  }
  ~mutex_lock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(where_); }
  mutex_lock(const mutex_lock&) = delete;
  mutex_lock& operator=(const mutex_lock&) = delete;

 private:
  mutex& mutex_;
  const Where where_;  // Of the lock: a destructor does not know where it is called.
};

class condition_variable {
 public:
  condition_variable() = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;
  void notify_one(Where where = Where::current()) noexcept {
    Machine::instance().notify(this, liveness_, /*all=*/false, where);
  }
  void notify_all(Where where = Where::current()) noexcept {
    Machine::instance().notify(this, liveness_, /*all=*/true, where);
  }
  void wait(mutex& m, Where where = Where::current()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(m) {
    Machine::instance().wait(this, liveness_, m.state_, std::nullopt, where);
  }
  bool wait_until(mutex& m, deadline until, Where where = Where::current()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(m) {
    return Machine::instance().wait(this, liveness_, m.state_, nanoseconds(until), where);
  }

 private:
  simulator::Liveness liveness_;
};

inline bool futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected, deadline until,
                       Where where = Where::current()) {
  return Machine::instance().futex_wait(
      &word, word.liveness_, [&] { return word.read_in_futex_wait() == expected; }, nanoseconds(until), where);
}
inline void futex_wake_all(const atomic<std::uint32_t>& word, Where where = Where::current()) {
  Machine::instance().futex_wake(&word, where);
}

inline void atomic_thread_fence(std::memory_order order, Where where = Where::current()) noexcept {
  Machine::instance().fence(order, where);
}

inline void pause(Where where = Where::current()) { Machine::instance().pause(where); }

class cancellation_block {
 public:
  cancellation_block() : before_(Machine::instance().set_cancellable(false)) {}
  ~cancellation_block() { Machine::instance().set_cancellable(before_); }
  cancellation_block(const cancellation_block&) = delete;
  cancellation_block& operator=(const cancellation_block&) = delete;

 private:
  const bool before_;
};

class cancellation_permit {
 public:
  cancellation_permit() : before_(Machine::instance().set_cancellable(true)) {}
  ~cancellation_permit() { Machine::instance().set_cancellable(before_); }
  cancellation_permit(const cancellation_permit&) = delete;
  cancellation_permit& operator=(const cancellation_permit&) = delete;

 private:
  const bool before_;
};

inline void end_if_cancelled(Where where = Where::current()) { Machine::instance().end_if_cancelled(where); }

struct thread_options {
  std::string name;
  std::size_t stack_bytes = 0;
};

inline void check_stack_bytes(std::size_t) {}

class thread {
 public:
  thread() = default;
  thread(thread&& other) noexcept : number_(std::exchange(other.number_, simulator::kNobody)) {}
  thread& operator=(thread&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~thread() {
    if (joinable() && Machine::in_run()) std::terminate();
  }

  static thread start(const thread_options& options, std::function<void()> body, Where where = Where::current());

  bool joinable() const { return number_ != simulator::kNobody; }
  bool is_current() const { return joinable() && number_ == Machine::instance().current(); }
  void join(Where where = Where::current()) {
    Machine::instance().join(std::exchange(number_, simulator::kNobody), where);
  }
  void detach(Where where = Where::current()) {
    Machine::instance().detach(std::exchange(number_, simulator::kNobody), where);
  }

 private:
  explicit thread(int number) : number_(number) {}
  int number_ = simulator::kNobody;
};

}  // namespace futures::inline simulated::sync

// These use what is above, and the second one the first.
#include "spec_tests/simulator/shared_ptr.h"
#include "spec_tests/simulator/stop_token.h"

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SYNC_H_
