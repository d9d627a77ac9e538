// What Executor::map and its variants return: input ranges over the results of many calls.
#ifndef CONCURRENT_FUTURES_FUTURES_MAP_H_
#define CONCURRENT_FUTURES_FUTURES_MAP_H_

#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/completions.h"
#include "futures/timeout.h"

namespace futures {

struct MapOptions {
  Timeout timeout = {};                            // For the whole map, counted from the call.
  int chunksize = 1;                               // How many inputs travel together, where calls travel. At least 1.
  std::optional<int> buffersize = std::nullopt;    // How many inputs are taken ahead. None: all, before map returns.
};

// The outcome of one item of `map_settled`: a value or an error.
template <typename R>
class Settled {
 public:
  using value_type = internal::stored_t<R>;

  explicit Settled(Future<R> finished) : outcome_(std::move(finished)) {}
  explicit Settled(std::exception_ptr error) : outcome_(std::move(error)) {}

  bool has_value() const noexcept { return error() == nullptr; }
  explicit operator bool() const noexcept { return has_value(); }

  // The value; throws the error if there is none.
  decltype(auto) value() const {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) std::rethrow_exception(*error);
    return std::get<Future<R>>(outcome_).result();
  }
  // Moves the value out, once; throws the error if there is none.
  R take() {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) std::rethrow_exception(*error);
    return std::get<Future<R>>(outcome_).take();
  }

  // What the call threw; CancelledError if it was cancelled, TimeoutError if time was up. Null if there is a value.
  std::exception_ptr error() const noexcept {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) return *error;
    return nullptr;
  }

 private:
  std::variant<Future<R>, std::exception_ptr> outcome_;
};

namespace internal {

// Throws std::invalid_argument for numbers that make no sense. Laws M5, M6.
inline void check(const MapOptions& options) {
  if (options.chunksize < 1) throw std::invalid_argument("map: chunksize must be at least 1");
  if (options.buffersize && *options.buffersize < 1) throw std::invalid_argument("map: buffersize must be at least 1");
}

// Cancels a call of a map that nobody waits for any more. Does nothing in a child made by fork(): law T9.
template <typename R>
void cancel_abandoned(const Future<R>& call) {
  if (FutureAccess::state(call).is_of_this_process()) call.cancel();
}

// The calls of one map in the order of their inputs: those submitted, and the input that is still to be submitted.
// Whoever destroys it cancels what has not started (law M4).
template <typename R>
class MapCalls {
 public:
  // Submits the call for the next input; nothing when the input is at its end.
  using SubmitNext = absl::AnyInvocable<std::optional<Future<R>>()>;

  // Submits up to `buffersize` calls, or all. If the input or submit throws, what was submitted is cancelled. Law M7.
  MapCalls(SubmitNext submit_next, const MapOptions& options)
      : until_(options.timeout.deadline()), submit_next_(std::move(submit_next)) {
    try {
      for (int left = options.buffersize.value_or(0); !options.buffersize || left > 0; --left) {
        if (!submit_one()) break;
      }
    } catch (...) {
      cancel_all();
      throw;
    }
    if (!options.buffersize) submit_next_ = nullptr;
  }
  MapCalls(const MapCalls&) = delete;
  MapCalls& operator=(const MapCalls&) = delete;
  ~MapCalls() { cancel_all(); }

  sync::deadline until() const { return until_; }

  // One input more, if there is any. Law M5. If the input or submit throws, cancels what has not started: law M7.
  void refill() {
    try {
      submit_one();
    } catch (...) {
      cancel_all();
      throw;
    }
  }

  bool empty() const { return calls_.empty(); }
  Future<R> pop_front() {
    Future<R> front = std::move(calls_.front());
    calls_.pop_front();
    return front;
  }

  // Takes no more input, and cancels what has not started. The calls stay, to be asked for what became of them.
  void stop() {
    submit_next_ = nullptr;
    // From the back, since workers take from the front.
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) cancel_abandoned(*call);
  }
  void cancel_all() {
    stop();
    calls_.clear();
  }

 private:
  // Returns false at the end of the input.
  bool submit_one() {
    if (submit_next_ == nullptr) return false;
    std::optional<Future<R>> next = submit_next_();
    if (next) calls_.push_back(*std::move(next));
    if (!next) submit_next_ = nullptr;
    return next.has_value();
  }

  const sync::deadline until_;
  SubmitNext submit_next_;
  std::deque<Future<R>> calls_;
};

// What an iterator of a map over `R` shows: the value in its future, for void something that says nothing.
template <typename R>
using map_item_t = std::conditional_t<std::is_lvalue_reference_v<R>, std::remove_reference_t<R>, stored_t<R>>;

template <typename R>
map_item_t<R>& item_of(const Future<R>& future) {
  if constexpr (std::is_lvalue_reference_v<R>) {
    return *FutureAccess::state(future).value();
  } else {
    return FutureAccess::state(future).value();
  }
}

// The results in the order of the input; the first error ends it. Laws M1 to M5.
template <typename R>
class InputOrder {
 public:
  using Item = map_item_t<R>;

  InputOrder(typename MapCalls<R>::SubmitNext submit_next, const MapOptions& options)
      : calls_(std::move(submit_next), options) {}

  // Moves on to the next result. Returns false at the end.
  bool advance() {
    current_ = Future<R>();
    if (calls_.empty()) return false;
    calls_.refill();
    Future<R> next = calls_.pop_front();
    try {
      FutureAccess::state(next).get(calls_.until());  // A result that is there comes out after the deadline, too.
    } catch (...) {
      calls_.cancel_all();
      cancel_abandoned(next);
      throw;
    }
    current_ = std::move(next);
    return true;
  }
  Item& item() const { return item_of(current_); }

 private:
  MapCalls<R> calls_;
  Future<R> current_;
};

// The results in the order of completion; the first error ends it. Law M9.
template <typename R>
class CompletionOrder {
 public:
  using Item = map_item_t<R>;

  CompletionOrder(typename MapCalls<R>::SubmitNext submit_next, const MapOptions& options)
      : calls_(std::move(submit_next), options) {
    listen();
  }
  ~CompletionOrder() { stop(); }

  bool advance() {
    current_ = Future<R>();
    if (waiting_.empty()) return false;
    try {
      calls_.refill();
      listen();
      const std::optional<std::size_t> number = completions_->next(calls_.until());
      if (!number) throw TimeoutError();
      Future<R> next = std::move(waiting_.extract(*number).mapped());
      FutureAccess::state(next).get(std::nullopt);
      current_ = std::move(next);
    } catch (...) {
      stop();
      throw;
    }
    return true;
  }
  Item& item() const { return item_of(current_); }

 private:
  void listen() {
    while (!calls_.empty()) {
      const auto [position, inserted] = waiting_.emplace(listened_++, calls_.pop_front());
      completions_->add(FutureAccess::state(position->second));
    }
  }
  void stop() {
    completions_.reset();  // Before the states that it listens to may go.
    calls_.cancel_all();
    for (const auto& [number, call] : waiting_) cancel_abandoned(call);
    waiting_.clear();
  }

  MapCalls<R> calls_;
  Future<R> current_;
  std::size_t listened_ = 0;
  absl::flat_hash_map<std::size_t, Future<R>> waiting_;  // By number in completions_.
  std::optional<Completions> completions_{std::in_place};
};

// Value or error for each input, in the order of the input. When time is up no more input is taken, and whatever is not
// done by then is cancelled if possible and settles as TimeoutError. Law M9.
template <typename R>
class SettledOrder {
 public:
  using Item = Settled<R>;

  SettledOrder(typename MapCalls<R>::SubmitNext submit_next, const MapOptions& options)
      : calls_(std::move(submit_next), options) {}

  bool advance() {
    current_.reset();
    if (calls_.empty()) return false;
    if (!time_is_up_) calls_.refill();
    Future<R> next = calls_.pop_front();
    FutureState& state = FutureAccess::state(next);
    if (!time_is_up_ && !state.wait_until(calls_.until())) {
      time_is_up_ = true;
      calls_.stop();
      cancel_abandoned(next);
    }
    if (!state.is_done() || (time_is_up_ && next.cancelled())) {
      current_.emplace(std::make_exception_ptr(TimeoutError()));
    } else if (next.cancelled()) {
      current_.emplace(std::make_exception_ptr(CancelledError()));
    } else if (state.exception() != nullptr) {
      current_.emplace(state.exception());
    } else {
      current_.emplace(std::move(next));
    }
    return true;
  }
  Item& item() const { return *current_; }

 private:
  MapCalls<R> calls_;
  bool time_is_up_ = false;
  mutable std::optional<Settled<R>> current_;
};

}  // namespace internal

// What map, map_unordered and map_settled return: an input range, to be iterated once, by one thread. Movable; works with
// std::views. Stepping is lazy: looking at an item, or for the end, blocks until the next item is there; `++` does not. So
// `map(...) | std::views::take(2)` waits for two. An item stays valid until the next step, and may be moved from.
// Destroying the range cancels the calls that have not started (law M4). With `buffersize` the executor must outlive the
// range.
template <typename Order>
class MapRange {
 public:
  class Iterator {
   public:
    using value_type = std::remove_const_t<typename Order::Item>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    typename Order::Item& operator*() const {
      range_->look();
      return range_->order_->item();
    }
    typename Order::Item* operator->() const { return &**this; }
    Iterator& operator++() {
      range_->look();
      range_->is_step_due_ = true;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      it.range_->look();
      return it.range_->is_at_end_;
    }

   private:
    friend class MapRange;
    explicit Iterator(MapRange* range) : range_(range) {}
    MapRange* range_ = nullptr;
  };

  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

  // For Executor.
  explicit MapRange(std::unique_ptr<Order> order) : order_(std::move(order)) {}

 private:
  friend class Iterator;

  // Makes the step that is due, if there is one.
  void look() {
    if (!std::exchange(is_step_due_, false)) return;
    if (std::exchange(is_at_end_, true)) return;
    is_at_end_ = !order_->advance();  // Stays true if this throws: an error ends the range.
  }

  std::unique_ptr<Order> order_;
  bool is_step_due_ = true;
  bool is_at_end_ = false;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_MAP_H_
