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

#include "futures/count.h"
#include "futures/encoding/map_chunk.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/call.h"
#include "futures/internal/completions.h"
#include "futures/internal/future_state.h"
#include "futures/internal/lazy_range.h"
#include "futures/internal/map_call.h"
#include "futures/internal/sync.h"
#include "futures/timeout.h"

namespace futures {

struct MapOptions {
  // For the whole map, counted from the call.
  Timeout timeout = {};
  // How many inputs are one call, at least 1, where calls run in other processes: one trip there and back for all of
  // them. Executors of threads ignore it. At most `buffersize`; several times less keeps several workers busy.
  Count chunksize = 1;
  // How many inputs are taken ahead. None: all, before map returns.
  std::optional<Count> buffersize = std::nullopt;
};

// The outcome of one item of `map_settled`: a value or an error.
template <typename R>
class Settled {
 public:
  using value_type = internal::stored_t<R>;

  // For Executor.
  explicit Settled(internal::HeldItem<R> outcome) : outcome_(std::move(outcome)) {}

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
  internal::HeldItem<R> outcome_;
};

namespace internal {

// Throws std::invalid_argument for numbers that make no sense. Laws M5, M6.
inline void check(const MapOptions& options) {
  if (options.chunksize.value() < 1) throw std::invalid_argument("map: chunksize must be at least 1");
  if (options.buffersize && options.buffersize->value() < 1)
    throw std::invalid_argument("map: buffersize must be at least 1");
}

// How many inputs a call of a map gets where calls travel.
inline std::size_t inputs_per_call(const MapOptions& options) {
  const long long chunksize = options.chunksize.value();
  const long long buffersize = options.buffersize.value_or(chunksize).value();
  return static_cast<std::size_t>(buffersize < chunksize ? buffersize : chunksize);
}

// The calls of one map: those submitted and not yet taken out, and the one whose inputs are being taken. They are
// numbered 0, 1, ... in the order of their inputs. Whoever destroys it cancels what has not started (law M4).
//
// A call is submitted once it has `chunksize` inputs, at most `buffersize`; with fewer at the end of the input, and at
// the end of the constructor, so that all that is taken up front starts. From then on at least `buffersize` inputs are
// taken and not yet shown until the input ends, more than wait for their call to be submitted: so there is always a
// call to wait for.
template <typename R>
class MapCalls {
 public:
  // Takes up to `buffersize` inputs, or all. If the input or submit throws, what was submitted is cancelled. Law M7.
  MapCalls(std::unique_ptr<MapInput<R>> input, const MapOptions& options)
      : until_(options.timeout.deadline()), inputs_per_call_(inputs_per_call(options)), input_(std::move(input)) {
    try {
      for (long long left = options.buffersize.value_or(0).value(); !options.buffersize || left > 0; --left) {
        if (!take_input()) break;
      }
      submit_taken();
    } catch (...) {
      cancel();
      throw;
    }
    if (!options.buffersize) input_ = nullptr;
  }
  MapCalls(const MapCalls&) = delete;
  MapCalls& operator=(const MapCalls&) = delete;
  ~MapCalls() { cancel(); }

  sync::deadline until() const { return until_; }
  bool is_time_up() const { return until_ && sync::clock::now() >= *until_; }

  // Takes the next input, if there is one. Throws what the input or submit throws. Law M5.
  void refill() { take_input(); }

  // How many calls have been submitted.
  std::size_t submitted() const { return first_ + calls_.size(); }
  FutureState& state(std::size_t number) const { return calls_[number - first_].state(); }
  // Moves a call out. Each can be taken once.
  MapCall<R> take(std::size_t number) {
    MapCall<R> taken = std::move(calls_[number - first_]);
    for (; !calls_.empty() && !calls_.front().valid(); ++first_) calls_.pop_front();
    return taken;
  }

  // Takes no more input, and cancels what has not started. The calls stay; those that are not done count as late.
  // Inputs whose call was not submitted yet become one that is late. Idempotent.
  void stop() {
    if (std::exchange(is_stopped_, true)) return;
    input_ = nullptr;
    for (MapCall<R>& call : calls_) {
      if (call.valid()) call.note_if_late();
    }
    cancel();
    if (taken_ > 0) calls_.push_back(MapCall<R>::late(std::exchange(taken_, 0)));
  }

 private:
  // From the back, since workers take from the front. Does nothing in a child made by fork(): law T9.
  void cancel() {
    for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
      if (call->valid() && call->state().is_of_this_process()) call->state().cancel();
    }
  }
  // Returns false at the end of the input.
  bool take_input() {
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
  bool is_stopped_ = false;
  std::size_t taken_ = 0;         // Inputs of the next call.
  std::deque<MapCall<R>> calls_;  // Invalid ones have been taken out.
  std::size_t first_ = 0;         // The number of calls_.front().
};

// An order says which item comes next. `advance` moves on to it, and returns false at the end. It throws the errors of
// the range and no error of a call: time is up, or an input or a submit throws. Then the order must be destroyed, which
// cancels what has not started. `item` gives the item, and throws what its call threw, each time.

// The results in the order of the input. Laws M1 to M6.
template <typename R>
class InputOrder {
 public:
  using Item = map_item_t<R>;

  // `settles`: when time is up no more input is taken, and TimeoutError is the error of each item that is not done.
  // Otherwise it is an error of the range, and a step takes input as long as results are ready.
  InputOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options, bool settles = false)
      : settles_(settles), calls_(std::move(input), options) {}

  bool advance() {
    const bool is_of_same_call = current_.next();
    if (settles_ && calls_.is_time_up()) calls_.stop();
    if (!is_of_same_call && next_ == calls_.submitted()) return false;
    calls_.refill();
    if (!is_of_same_call) await_next();
    return true;
  }
  Item& item() const { return current_.value(); }
  HeldItem<R> hold() { return current_.hold(); }

 private:
  void await_next() {
    // A result that is there comes out after the deadline, too.
    if (!calls_.state(next_).wait_until(calls_.until())) {
      if (!settles_) throw TimeoutError();
      calls_.stop();
    }
    MapCall<R> call = calls_.take(next_++);
    // A call that was cancelled before time was up keeps that error.
    const bool is_too_late = call.is_late() && call.state().phase() != Phase::kFinished;
    if (is_too_late) return current_.open(std::move(call), std::make_exception_ptr(TimeoutError()));
    current_.open(std::move(call));
  }

  const bool settles_;
  MapCalls<R> calls_;
  std::size_t next_ = 0;  // The call behind the current item's.
  MapItem<R> current_;
};

// The results in the order of completion, those of one call in the order of the input. Law M9.
template <typename R>
class CompletionOrder {
 public:
  using Item = map_item_t<R>;

  CompletionOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options) : calls_(std::move(input), options) {
    listen();
  }

  bool advance() {
    const bool is_of_same_call = current_.next();
    if (!is_of_same_call && taken_ == listened_) return false;
    calls_.refill();
    listen();
    if (!is_of_same_call) await_next();
    return true;
  }
  Item& item() const { return current_.value(); }

 private:
  void await_next() {
    const std::optional<std::size_t> number = completions_.next(calls_.until());
    if (!number) throw TimeoutError();
    current_.open(calls_.take(*number));
    ++taken_;
  }
  void listen() {
    for (; listened_ < calls_.submitted(); ++listened_) completions_.add(calls_.state(listened_));
  }

  MapCalls<R> calls_;
  Completions completions_;  // Destroyed before the states that it listens to.
  std::size_t listened_ = 0;
  std::size_t taken_ = 0;
  MapItem<R> current_;
};

// Value or error for each input, in the order of the input. Law M9.
template <typename R>
class SettledOrder {
 public:
  using Item = Settled<R>;

  SettledOrder(std::unique_ptr<MapInput<R>> input, const MapOptions& options)
      : order_(std::move(input), options, /*settles=*/true) {}

  bool advance() {
    current_.reset();
    if (!order_.advance()) return false;
    current_.emplace(order_.hold());
    return true;
  }
  Item& item() { return *current_; }

 private:
  InputOrder<R> order_;
  std::optional<Settled<R>> current_;
};

}  // namespace internal

// What map, map_unordered and map_settled return: an input range, to be iterated once, by one thread. Movable; works
// with std::views. Stepping is lazy: looking at an item, or for the end, blocks until the item is there; `++` waits for
// no item but the one that it leaves. So `map(...) | std::views::take(2)` waits for two. An item stays valid until the
// next step, and may be moved from. Destroying the range cancels the calls that have not started (law M4). With
// `buffersize` the executor must outlive the range.
//
// What a call threw is its item's: `*it` throws it, each time; `==` and `++` never do, and `++` goes on to the next
// item (law M3). The items of map_settled have errors as values. To read on behind an error of the others, catch for
// each item:
//
//   for (auto it = results.begin(); it != results.end(); ++it) {
//     try {
//       use(*it);
//     } catch (const ParseError& e) { ... }
//   }
//
// The other errors are the range's: time is up (law M2), an input throws, or a submit is refused (law M7). They are
// thrown once, by whatever looks first for the item that does not come: `==`, `*` or `++`. What has not started is
// cancelled, and the range is at its end. In the loop above that is `==`: outside the `try`.
template <typename Order>
class [[nodiscard("a map that is dropped cancels what has not started")]] MapRange : public internal::LazyRange<Order> {
 public:
  using internal::LazyRange<Order>::LazyRange;  // For Executor.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_MAP_H_
