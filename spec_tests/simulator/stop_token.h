// stop_source, stop_token and stop_callback under a controlled scheduler: a part of sync.h, which includes this.
//
// The standard library's may not be used here. They tell threads apart by the operating system's id, and all simulated
// threads have the same one: a destructor of a callback would not wait for a callback that runs on another of them.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STOP_TOKEN_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STOP_TOKEN_H_

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "spec_tests/simulator/sync.h"

namespace futures::inline simulated::sync {

// What a source, its copies, their tokens and callbacks share. Any thread.
class stop_state {
 public:
  // A callback as the state knows it: an element of a list.
  class callback {
   public:
    callback() = default;
    callback(const callback&) = delete;
    callback& operator=(const callback&) = delete;

   protected:
    ~callback() = default;

   private:
    friend class stop_state;
    virtual void run() noexcept = 0;

    bool is_listed_ = false;
    callback* next_ = nullptr;
    callback* before_ = nullptr;
    bool* is_destroyed_ = nullptr;  // Of the thread that runs it: set if it destroys itself.
    atomic<std::uint32_t> has_run_{0};
  };

  bool requested(const Where& where) const noexcept { return requested_.load(std::memory_order_acquire, where); }
  bool possible(const Where& where) const noexcept {
    return requested(where) || sources_.load(std::memory_order_acquire, where) != 0;
  }
  void add_source() noexcept { sources_.fetch_add(1, std::memory_order_relaxed); }
  void drop_source() noexcept { sources_.fetch_sub(1, std::memory_order_release); }

  // Runs the callbacks on this thread. Returns false, and runs none, if it was requested before.
  bool request(const Where& where) noexcept;
  // Lists the callback. Returns false if stop was requested before.
  bool add(callback& added, const Where& where) noexcept;
  // Afterwards the callback neither runs nor will run, unless it runs on this very thread.
  void remove(callback& removed, const Where& where) noexcept;

 private:
  callback* take_first(const Where& where) noexcept;
  void unlink(callback& linked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  atomic<bool> requested_{false};
  atomic<int> sources_{0};
  mutex mutex_;
  callback* first_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int requester_ ABSL_GUARDED_BY(mutex_) = simulator::kNobody;  // The thread that runs the callbacks.
};

class stop_token {
 public:
  stop_token() = default;
  bool stop_requested(Where where = Where::current()) const noexcept {
    return state_ != nullptr && state_->requested(where);
  }
  bool stop_possible(Where where = Where::current()) const noexcept {
    return state_ != nullptr && state_->possible(where);
  }
  friend bool operator==(const stop_token& a, const stop_token& b) noexcept { return a.state_ == b.state_; }

 private:
  friend class stop_source;
  template <typename Callback>
  friend class stop_callback;
  explicit stop_token(shared_ptr<stop_state> state) : state_(std::move(state)) {}
  shared_ptr<stop_state> state_;
};

class stop_source {
 public:
  stop_source() : state_(make_shared<stop_state>()) { state_->add_source(); }
  stop_source(const stop_source& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_source();
  }
  stop_source(stop_source&&) noexcept = default;
  stop_source& operator=(stop_source other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~stop_source() {
    if (state_ != nullptr) state_->drop_source();
  }

  stop_token get_token() const noexcept { return stop_token(state_); }
  bool stop_possible() const noexcept { return state_ != nullptr; }
  bool stop_requested(Where where = Where::current()) const noexcept {
    return state_ != nullptr && state_->requested(where);
  }
  bool request_stop(Where where = Where::current()) noexcept { return state_ != nullptr && state_->request(where); }
  friend bool operator==(const stop_source& a, const stop_source& b) noexcept { return a.state_ == b.state_; }

 private:
  shared_ptr<stop_state> state_;
};

template <typename Callback>
class stop_callback final : stop_state::callback {
 public:
  using callback_type = Callback;

  template <typename C>
    requires std::is_constructible_v<Callback, C>
  explicit stop_callback(stop_token token, C&& given,
                         Where where = Where::current()) noexcept(std::is_nothrow_constructible_v<Callback, C>)
      : callback_(std::forward<C>(given)), where_(where) {
    if (token.state_ == nullptr) return;
    if (token.state_->add(*this, where)) {
      state_ = std::move(token.state_);
    } else {
      run();
    }
  }
  ~stop_callback() {
    if (state_ != nullptr) state_->remove(*this, where_);
  }

 private:
  void run() noexcept override { std::forward<Callback>(callback_)(); }

  Callback callback_;
  const Where where_;  // Of the registration: a destructor does not know where it is called.
  shared_ptr<stop_state> state_;  // None if the callback is not listed and never was.
};

template <typename Callback>
stop_callback(stop_token, Callback) -> stop_callback<Callback>;

}  // namespace futures::inline simulated::sync

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STOP_TOKEN_H_
