// The calls that a map is made of: where they come from, and the items that they give. A call has one input of the map,
// or a chunk of them (map_chunk.h).
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_MAP_CALL_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_MAP_CALL_H_

#include <cstddef>
#include <exception>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "futures/encoding/map_chunk.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/call.h"
#include "futures/internal/callable.h"
#include "futures/internal/sync.h"

namespace futures::internal {

// What an iterator of a map over `R` shows: the value in its future, for void something that says nothing.
template <typename R>
using map_item_t = std::conditional_t<std::is_lvalue_reference_v<R>, std::remove_reference_t<R>, stored_t<R>>;

// How a call of Fn with one item of each input travels, as far as the headers included so far say.
template <typename Fn, typename... Inputs>
using map_encoding_t = encoding_of_t<Fn, map_argument_t<Inputs>...>;

// One call of a map over `R`.
template <typename R>
class MapCall {
 public:
  MapCall() = default;
  explicit MapCall(Future<R> call) : future_(std::move(call)) {}
  MapCall(Future<ChunkResults<R>> chunk, std::size_t inputs) : future_(std::move(chunk)), inputs_(inputs) {}

  // A call with so many inputs for which time was up before it was submitted. It is cancelled.
  static MapCall late(std::size_t inputs) {
    const Promise<ChunkResults<R>> never;
    MapCall call(never.future(), inputs);
    call.note_if_late();
    call.state().cancel();
    return call;
  }

  // False once it was moved away.
  bool valid() const {
    return std::visit([](const auto& future) { return future.valid(); }, future_);
  }
  std::size_t inputs() const { return inputs_; }
  // Time is up: the call is late if it is not done.
  void note_if_late() { is_late_ = !state().is_done(); }
  bool is_late() const { return is_late_; }
  FutureState& state() const {
    return std::visit([](const auto& future) -> FutureState& { return FutureAccess::state(future); }, future_);
  }
  // Null if it is a call of the other kind.
  const Future<R>* single() const { return std::get_if<Future<R>>(&future_); }
  const Future<ChunkResults<R>>* chunk() const { return std::get_if<Future<ChunkResults<R>>>(&future_); }

 private:
  std::variant<Future<R>, Future<ChunkResults<R>>> future_;
  std::size_t inputs_ = 1;
  bool is_late_ = false;
};

// Where the calls of a map come from: its inputs, and the executor. Used by one thread.
template <typename R>
class MapInput {
 public:
  virtual ~MapInput() = default;
  // Takes the next input. Returns false at the end. Throws what the input throws.
  virtual bool take() = 0;
  // Submits a call with what has been taken since the last submit. Throws as Executor::submit.
  virtual MapCall<R> submit() = 0;
};

// Each input is a call of its own.
template <typename R, typename Fn, typename Zip, typename Submit>
class SingleInput final : public MapInput<R> {
 public:
  SingleInput(Fn fn, Zip zip, Submit submit) : fn_(std::move(fn)), zip_(std::move(zip)), submit_(std::move(submit)) {}

  bool take() override { return zip_.advance(); }
  MapCall<R> submit() override {
    return MapCall<R>(
        zip_.apply([this](auto&&... items) { return submit_(fn_, std::forward<decltype(items)>(items)...); }));
  }

 private:
  Fn fn_;
  Zip zip_;
  Submit submit_;
};

// Inputs travel in chunks.
template <typename R, typename ChunkOf, typename Inputs, typename Zip, typename Submit>
class ChunkInput final : public MapInput<R> {
 public:
  ChunkInput(ChunkOf fn, Zip zip, Submit submit)
      : fn_(std::move(fn)), zip_(std::move(zip)), submit_(std::move(submit)) {}

  bool take() override {
    if (!zip_.advance()) return false;
    if (taken_.size() == 0) taken_.reserve(inputs_before_);
    zip_.apply([this](auto&&... items) { taken_.add(std::forward<decltype(items)>(items)...); });
    return true;
  }
  MapCall<R> submit() override {
    inputs_before_ = taken_.size();
    return MapCall<R>(submit_(fn_, std::exchange(taken_, Inputs())), inputs_before_);
  }

 private:
  ChunkOf fn_;
  Zip zip_;
  Submit submit_;
  Inputs taken_;
  std::size_t inputs_before_ = 0;  // Of the last chunk; the next one will be as large.
};

// The results of a chunk that are held one by one, as futures would be: what was moved out is gone for all holders.
template <typename R>
struct SharedChunk {
  explicit SharedChunk(Future<ChunkResults<R>> finished)
      : chunk(std::move(finished)), is_taken(FutureAccess::state(chunk).value().values().size()) {}
  Future<ChunkResults<R>> chunk;
  std::vector<sync::atomic<bool>> is_taken;  // By number of the value.
};

// One value of a chunk, held as a Future<R> holds its own: `result` and `take` are the same. Law F3.
template <typename R>
class ChunkValue {
 public:
  ChunkValue(std::shared_ptr<SharedChunk<R>> chunk, stored_t<R>& value, std::size_t number)
      : chunk_(std::move(chunk)), value_(&value), number_(number) {}

  decltype(auto) result() const {
    if constexpr (std::is_void_v<R>) {
      return;
    } else if constexpr (std::is_lvalue_reference_v<R>) {
      return static_cast<R>(**value_);
    } else {
      if (chunk_->is_taken[number_].load(std::memory_order_acquire))
        throw InvalidStateError("the result has been taken");
      return static_cast<const R&>(*value_);
    }
  }
  R take() const {
    if constexpr (std::is_void_v<R> || std::is_lvalue_reference_v<R>) {
      return result();
    } else {
      // Pairs with itself and with `result`: who finds it taken sees nothing of the value.
      if (chunk_->is_taken[number_].exchange(true, std::memory_order_acq_rel)) {
        throw InvalidStateError("the result has been taken");
      }
      return std::move(*value_);
    }
  }

 private:
  std::shared_ptr<SharedChunk<R>> chunk_;
  stored_t<R>* value_;
  std::size_t number_;
};

// An item's outcome, for as long as anybody holds it: its value, or what its call threw.
template <typename R>
using HeldItem = std::variant<Future<R>, ChunkValue<R>, std::exception_ptr>;

// The item that a map shows, and what is left of the call that it is of.
template <typename R>
class MapItem {
 public:
  // Shows the first item of a call that is done. Of one that failed as a whole each item has its error.
  void open(MapCall<R> call) {
    FutureState& state = call.state();
    const bool is_cancelled = state.phase() == Phase::kCancelled;
    open(std::move(call), is_cancelled ? std::make_exception_ptr(CancelledError()) : state.exception());
  }
  // The same of a call, done or not, that counts as failed if there is an `error`.
  void open(MapCall<R> call, std::exception_ptr error) {
    close();
    call_ = std::move(call);
    left_ = call_.inputs();
    call_error_ = std::move(error);
    if (call_error_ == nullptr && call_.chunk() != nullptr) {
      place_ = Walk(FutureAccess::state(*call_.chunk()).value());
      if (place_.is_at_end()) note_missing();
    }
  }

  // The next item of the call. Returns false if it has no more; then the call is let go.
  bool next() {
    if (left_ <= 1) {
      close();
      return false;
    }
    --left_;
    if (call_error_ == nullptr) {
      place_.next();
      if (place_.is_at_end()) note_missing();
    }
    return true;
  }

  // Null if the item is a value.
  const std::exception_ptr* error() const {
    if (call_error_ != nullptr) return &call_error_;
    return call_.single() == nullptr ? place_.error() : nullptr;
  }
  // Throws the error if the item is one, each time.
  map_item_t<R>& value() const {
    if (const std::exception_ptr* const failure = error()) std::rethrow_exception(*failure);
    if constexpr (std::is_lvalue_reference_v<R>) {
      return *FutureAccess::state(*call_.single()).value();
    } else if (call_.single() != nullptr) {
      return FutureAccess::state(*call_.single()).value();
    } else {
      return std::get<0>(place_.value());
    }
  }

  // The outcome, to be kept beyond the next step.
  HeldItem<R> hold() {
    if (const std::exception_ptr* const failure = error()) return *failure;
    if (call_.single() != nullptr) return *call_.single();
    if (shared_ == nullptr) shared_ = std::make_shared<SharedChunk<R>>(*call_.chunk());
    return ChunkValue<R>(shared_, std::get<0>(place_.value()), place_.value_number());
  }

 private:
  using Walk = typename ChunkResults<R>::Walk;

  void close() {
    left_ = 0;
    shared_ = nullptr;
    call_error_ = nullptr;
    call_ = MapCall<R>();
  }
  // A worker's bytes say how many results there are, and they may say anything (law P11).
  void note_missing() {
    call_error_ = std::make_exception_ptr(SerializationError("the worker sent fewer results than it was given inputs"));
  }

  MapCall<R> call_;
  std::size_t left_ = 0;  // Items, this one included.
  std::exception_ptr call_error_;
  Walk place_;
  std::shared_ptr<SharedChunk<R>> shared_;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_MAP_CALL_H_
