// What Executor::map and its variants return: input ranges over the results of many calls.
#ifndef CONCURRENT_FUTURES_FUTURES_MAP_H_
#define CONCURRENT_FUTURES_FUTURES_MAP_H_

#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "futures/count.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/completions.h"
#include "futures/internal/future_state.h"
#include "futures/internal/map_call.h"
#include "futures/encoding/map_chunk.h"
#include "futures/internal/call.h"
#include "futures/internal/sync.h"
#include "futures/timeout.h"

namespace futures {

struct MapOptions {
  // For the whole map, counted from the call.
  Timeout timeout = {};
  // How many inputs are one call, at least 1, where calls run in other processes: one trip there and back for all of them.
  // Executors of threads ignore it. At most `buffersize`; several times less keeps several workers busy.
  Count chunksize = 1;
  // How many inputs are taken ahead. None: all, before map returns.
  std::optional<Count> buffersize = std::nullopt;
};

// The outcome of one item of `map_settled`: a value or an error.
template <typename R>
class Settled {
 public:
  using value_type = internal::stored_t<R>;

  explicit Settled(Future<R> finished) : outcome_(std::move(finished)) {}
  explicit Settled(internal::ChunkValue<R> value) : outcome_(std::move(value)) {}
  explicit Settled(std::exception_ptr error) : outcome_(std::move(error)) {}

  bool has_value() const noexcept { return error() == nullptr; }
  explicit operator bool() const noexcept { return has_value(); }

  // The value; throws the error if there is none.
  decltype(auto) value() const {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) std::rethrow_exception(*error);
    if (const auto* in_chunk = std::get_if<internal::ChunkValue<R>>(&outcome_)) return in_chunk->result();
    return std::get<Future<R>>(outcome_).result();
  }
  // Moves the value out, once; throws the error if there is none.
  R take() {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) std::rethrow_exception(*error);
    if (const auto* in_chunk = std::get_if<internal::ChunkValue<R>>(&outcome_)) return in_chunk->take();
    return std::get<Future<R>>(outcome_).take();
  }

  // What the call threw; CancelledError if it was cancelled, TimeoutError if time was up. Null if there is a value.
  std::exception_ptr error() const noexcept {
    if (const auto* error = std::get_if<std::exception_ptr>(&outcome_)) return *error;
    return nullptr;
  }

 private:
  std::variant<Future<R>, internal::ChunkValue<R>, std::exception_ptr> outcome_;
};

namespace internal {

// Throws std::invalid_argument for numbers that make no sense. Laws M5, M6.
inline void check(const MapOptions& options) {
  if (options.chunksize.value() < 1) throw std::invalid_argument("map: chunksize must be at least 1");
  if (options.buffersize && options.buffersize->value() < 1) throw std::invalid_argument("map: buffersize must be at least 1");
}

// How many inputs a call of a map gets where calls travel.
inline std::size_t inputs_per_call(const MapOptions& options) {
  const long long chunksize = options.chunksize.value();
  const long long buffersize = options.buffersize.value_or(chunksize).value();
  return static_cast<std::size_t>(buffersize < chunksize ? buffersize : chunksize);
}

// The calls of one map in the order of their inputs: those submitted, and the one whose inputs are being taken.
// Whoever destroys it cancels what has not started (law M4).
//
// A call is submitted once it has `chunksize` inputs, at most `buffersize`; with fewer at the end of the input, and at the
// end of the constructor, so that all that is taken up front starts. From then on at least `buffersize` inputs are taken and
// not yet shown until the input ends, more than wait for their call to be submitted: so there is always a call to wait for.
template <typename R>
class MapCalls {
 public:
  // Takes up to `buffersize` inputs, or all. If the input or submit throws, what was submitted is cancelled. Law M7.
  MapCalls(std::unique_ptr<MapInput<R>> input, const MapOptions& options)
      : until_(options.timeout.deadline()), inputs_per_call_(inputs_per_call(options)), input_(std::move(input)) {
    try {
      for (long long left = options.buffersize.value_or(0).value(); !options.buffersize || left > 0; --left) {
        if (!take_one()) break;
      }
      submit_taken();
    } catch (...) {
      cancel_all();
      throw;
    }
    if (!options.buffersize) input_ = nullptr;
  }
  MapCalls(const MapCalls&) = delete;
  MapCalls& operator=(const MapCalls&) = delete;
  ~MapCalls() { cancel_all(); }

  sync::deadline until() const { return until_; }

  // One input more, if there is any. Law M5. If the input or submit throws, cancels what has not started: law M7.
  void refill() {
    try {
      take_one();
    } catch (...) {
      cancel_all();
      throw;
    }
  }

  bool empty() const { return calls_.empty(); }
  MapCall<R> pop_front() {
    MapCall<R> front = std::move(calls_.front());
    calls_.pop_front();
    return front;
  }

  // Takes no more input, and cancels what has not started. The calls stay, to be asked for what became of them.
  void stop() {
    input_ = nullptr;
    // From the back, since workers take from the front.
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) cancel_abandoned(*call);
    if (taken_ > 0) calls_.push_back(MapCall<R>::cancelled(std::exchange(taken_, 0)));
  }
  void cancel_all() {
    taken_ = 0;
    stop();
    calls_.clear();
  }

 private:
  // Returns false at the end of the input.
  bool take_one() {
    if (input_ == nullptr) return false;
    const bool is_taken = input_->take();
    if (is_taken) ++taken_;
    if (!is_taken || taken_ == inputs_per_call_) submit_taken();
    if (!is_taken) input_ = nullptr;
    return is_taken;
  }
  void submit_taken() {
    if (taken_ == 0) return;
    calls_.push_back(input_->submit());
    taken_ = 0;
  }

  const sync::deadline until_;
  const std::size_t inputs_per_call_;
  std::unique_ptr<MapInput<R>> input_;
  std::size_t taken_ = 0;  // Inputs of the next call.
  std::deque<MapCall<R>> calls_;
};

// The results in the order of the input; the first error ends it. Laws M1 to M6.
template <typename R>
class InputOrder {
 public:
  using Item = map_item_t<R>;
  static constexpr AfterError kAfterError = AfterError::kStop;

  InputOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options) : calls_(std::move(input), options) {}

  // Moves on to the next result. Returns false at the end.
  bool advance() {
    const bool is_of_same_call = current_.next();
    if (!is_of_same_call && calls_.empty()) return false;
    calls_.refill();
    if (!is_of_same_call) await_next();
    if (const std::exception_ptr* const error = current_.error()) {
      calls_.cancel_all();
      std::rethrow_exception(*error);
    }
    return true;
  }
  Item& item() const { return current_.value(); }

 private:
  void await_next() {
    MapCall<R> next = calls_.pop_front();
    try {
      next.state().get(calls_.until());  // A result that is there comes out after the deadline, too.
    } catch (...) {
      calls_.cancel_all();
      cancel_abandoned(next);
      throw;
    }
    current_.open(std::move(next));
  }

  MapCalls<R> calls_;
  MapItem<R> current_;
};

// The results in the order of completion, those of one call in the order of the input; the first error ends it. Law M9.
template <typename R>
class CompletionOrder {
 public:
  using Item = map_item_t<R>;
  static constexpr AfterError kAfterError = AfterError::kStop;

  CompletionOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options) : calls_(std::move(input), options) {
    listen();
  }
  ~CompletionOrder() { stop(); }

  bool advance() {
    const bool is_of_same_call = current_.next();
    if (!is_of_same_call && waiting_.empty()) return false;
    try {
      calls_.refill();
      listen();
      if (!is_of_same_call) await_next();
      if (const std::exception_ptr* const error = current_.error()) std::rethrow_exception(*error);
    } catch (...) {
      stop();
      throw;
    }
    return true;
  }
  Item& item() const { return current_.value(); }

 private:
  void await_next() {
    const std::optional<std::size_t> number = completions_->next(calls_.until());
    if (!number) throw TimeoutError();
    MapCall<R> next = std::move(waiting_.extract(*number).mapped());
    next.state().get(std::nullopt);
    current_.open(std::move(next));
  }
  void listen() {
    while (!calls_.empty()) {
      const auto [position, inserted] = waiting_.emplace(listened_++, calls_.pop_front());
      completions_->add(position->second.state());
    }
  }
  void stop() {
    completions_.reset();  // Before the states that it listens to may go.
    calls_.cancel_all();
    for (const auto& [number, call] : waiting_) cancel_abandoned(call);
    waiting_.clear();
  }

  MapCalls<R> calls_;
  MapItem<R> current_;
  std::size_t listened_ = 0;
  std::map<std::size_t, MapCall<R>> waiting_;  // By number in completions_.
  std::optional<Completions> completions_{std::in_place};
};

// Value or error for each input, in the order of the input. When time is up no more input is taken, and whatever is not
// done by then is cancelled if possible and settles as TimeoutError. Law M9.
template <typename R>
class SettledOrder {
 public:
  using Item = Settled<R>;
  static constexpr AfterError kAfterError = AfterError::kGoOn;

  SettledOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options) : calls_(std::move(input), options) {}

  bool advance() {
    current_.reset();
    const bool is_of_same_call = item_.next();
    if (!is_of_same_call && calls_.empty()) return false;
    if (!time_is_up_) calls_.refill();
    if (!is_of_same_call) await_next();
    if (const std::exception_ptr* const error = item_.error()) {
      current_.emplace(*error);
    } else {
      std::visit([this](auto&& value) { current_.emplace(std::move(value)); }, item_.hold());
    }
    return true;
  }
  Item& item() const { return *current_; }

 private:
  void await_next() {
    MapCall<R> next = calls_.pop_front();
    FutureState& state = next.state();
    if (!time_is_up_ && !state.wait_until(calls_.until())) {
      time_is_up_ = true;
      calls_.stop();
      cancel_abandoned(next);
    }
    const bool is_cancelled = state.phase() == Phase::kCancelled;
    std::exception_ptr error;
    if (!state.is_done() || (time_is_up_ && is_cancelled)) {
      error = std::make_exception_ptr(TimeoutError());
    } else if (is_cancelled) {
      error = std::make_exception_ptr(CancelledError());
    } else {
      error = state.exception();
    }
    item_.open(std::move(next), std::move(error));
  }

  MapCalls<R> calls_;
  bool time_is_up_ = false;
  MapItem<R> item_;
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
