// Executor: the one interface of every pool.
#ifndef CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_
#define CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "futures/encoding/map_chunk.h"
#include "futures/future.h"
#include "futures/internal/call.h"
#include "futures/internal/map_call.h"
#include "futures/internal/zip.h"
#include "futures/map.h"
#include "futures/task.h"
#include "futures/timeout.h"

namespace futures {

// What becomes of accepted calls when the destructor runs because an exception is leaving the scope. Law S6.
enum class OnUnwind { kDrain, kCancelPending };

// What becomes of accepted calls when the program exits while the executor lives. Law S8.
enum class ExitPolicy {
  kDrain,          // They are done first.
  kCancelPending,  // What has not started is cancelled, the rest is done first.
  kAbandon,        // The exit does not wait for them.
};

struct ShutdownOptions {
  bool wait = true;             // Return only when every call is done and the workers have ended.
  bool cancel_futures = false;  // Cancel what has not started.
  bool request_stop = false;    // Ask every call that takes a std::stop_token to end early. Law T8.
  Timeout timeout = {};         // How long to wait; for ever by default. Law S10.
};

// Runs calls, some time, somewhere. Submit returns at once; the Future tells the outcome.
//
// Thread-safe: any thread may use one executor at any time, its own calls included; the destructor alone must not run
// while another thread is inside a member function. Destroying a concrete executor shuts it down and waits (law S6).
//
//   void greet(futures::Executor& executor) {
//     futures::Future<int> f = executor.submit([](int x) { return 2 * x; }, 21);
//     std::cout << f.result();
//   }
class Executor {
 public:
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  // Schedules `fn(args...)` and returns the future of what it returns.
  // The callable and the arguments are moved or copied in, as for std::thread; wrap in std::ref what must stay shared.
  // Of a reference to a bit of a std::vector<bool> the bit is copied. Destructors of all of these must not throw. A
  // callable whose first parameter is a std::stop_token gets one before the arguments: a function, or an object with
  // one operator() that is no template. So does a callable that cannot be called with the arguments alone. Law T8. Any
  // thread, also a call of this executor. Does not wait for any call. One allocation. Throws ShutdownError once the
  // intake is closed, BrokenExecutor once the executor can run nothing, std::invalid_argument for a null callable,
  // std::system_error if not even one worker thread can be started: in all of these `fn` never runs. Laws E1 to E10.
  // In an executor of processes the call also has to be able to travel: futures/encoding/encoding.h says which can, and
  // must be included where submit is called; otherwise the future gets SerializationError (laws P2, P3).
  template <typename F, typename... Args, typename Encoding = internal::encoding_of_t<F, Args...>>
  auto submit(F&& fn, Args&&... args) {
    return submit_by<Encoding>(std::forward<F>(fn), std::forward<Args>(args)...);
  }

  // Calls `fn` with each item of the inputs: the first items, the second items, ..., up to the end of the shortest.
  //
  // Every call is submitted before this returns, or `buffersize` of them and one more for each step of the result,
  // which suits endless inputs. Returns an input range over the results in the order of the inputs; iterating it blocks
  // until the next result is there. What a call threw surfaces at its place, whenever its item is read, and the range
  // goes on. When `timeout`, counted from here, is over and the next result is not there, looking for it throws
  // TimeoutError; that ends the range, and cancels what has not started, as destroying the range does.
  //
  // Items and `fn` are copied into each call. Any thread. Throws as submit; std::invalid_argument for a `chunksize` or
  // `buffersize` below 1; what an input throws (what was submitted is then cancelled if it has not started). Laws M1 to
  // M8.
  //
  // In an executor of processes up to `chunksize` consecutive inputs are one call, also to options that count or time
  // calls, if they can travel as submit says. It changes no result: what an item throws, and what of it cannot be
  // encoded or decoded, is an error of that item alone. Only what befalls the call, such as the death of its worker, is
  // an error of each of its items. A call is submitted once all its inputs are taken. Law M6.
  template <typename Fn, std::ranges::input_range... Inputs,
            typename Encoding = internal::map_encoding_t<Fn, Inputs...>>
    requires(sizeof...(Inputs) > 0)
  auto map(Fn fn, Inputs&&... inputs) {
    return map_in<internal::InputOrder, Encoding>({}, std::move(fn), std::forward<Inputs>(inputs)...);
  }
  template <typename Fn, std::ranges::input_range Input, typename Encoding = internal::map_encoding_t<Fn, Input>>
  auto map(Fn fn, Input&& input, const MapOptions& options) {
    return map_in<internal::InputOrder, Encoding>(options, std::move(fn), std::forward<Input>(input));
  }
  template <typename Fn, std::ranges::input_range First, std::ranges::input_range Second,
            typename Encoding = internal::map_encoding_t<Fn, First, Second>>
  auto map(Fn fn, First&& first, Second&& second, const MapOptions& options) {
    return map_in<internal::InputOrder, Encoding>(options, std::move(fn), std::forward<First>(first),
                                                  std::forward<Second>(second));
  }
  // Says in one line why none of the above will do.
  template <typename Fn, typename... Inputs>
    requires((!std::ranges::input_range<Inputs> && !std::is_same_v<std::remove_cvref_t<Inputs>, MapOptions>) || ...)
  void map(Fn&&, Inputs&&...) {
    static_assert((std::ranges::input_range<Inputs> && ...),
                  "map: after the callable come input ranges, such as vectors, and then at most a MapOptions");
  }

  // As map, but the results come in the order in which the calls get done; those of one call in the order of its
  // inputs. Law M9.
  template <typename Fn, std::ranges::input_range Input, typename Encoding = internal::map_encoding_t<Fn, Input>>
  auto map_unordered(Fn fn, Input&& input, const MapOptions& options = {}) {
    return map_in<internal::CompletionOrder, Encoding>(options, std::move(fn), std::forward<Input>(input));
  }

  // As map, but each item of the result is a Settled<R>, a value or an error, so that reading it throws nothing. When
  // time is up, what is not done settles as TimeoutError, and no more input is taken. With `buffersize`, an input that
  // throws or a submit that is refused, by a broken pool or after a shutdown, still ends it and is thrown. Laws M7, M9.
  template <typename Fn, std::ranges::input_range Input, typename Encoding = internal::map_encoding_t<Fn, Input>>
  auto map_settled(Fn fn, Input&& input, const MapOptions& options = {}) {
    return map_in<internal::SettledOrder, Encoding>(options, std::move(fn), std::forward<Input>(input));
  }

  // Closes the intake: every later submit throws ShutdownError. Accepted calls still run, unless `cancel_futures`.
  //
  // With `wait`, returns when every call is done and the workers have ended; without, at once, and the work still
  // completes. With `cancel_futures`, whatever has not started is cancelled when this returns, and the done callbacks
  // of what this call cancelled have run, here; what is running finishes. Returns whether every call is done and the
  // workers have ended: always true with `wait` and no timeout.
  //
  // Any thread, any number of times, also at once. Throws DeadlockError when one of the executor's own workers waits
  // here: the intake is closed and `cancel_futures` done even so. Laws S1 to S5, S7, S9, S10.
  bool shutdown(ShutdownOptions options = {}) { return do_shutdown(options).all_done; }

  // shutdown without wait and with cancel_futures. Returns how many calls it cancelled. Law S10.
  std::size_t shutdown_now() { return do_shutdown({.wait = false, .cancel_futures = true}).cancelled; }

  // What a shutdown has come to, for authors of executors.
  struct ShutdownResult {
    bool all_done = true;  // Every accepted call is done and every worker has ended.
    std::size_t cancelled = 0;  // By this very shutdown.
  };

 protected:
  Executor() = default;

  // Takes the call into the queue, or throws as `submit` says and drops it. Does not wait for any call.
  virtual void schedule(Task task) = 0;

  // Throws what submit would throw now, if anything: map promises that even for empty input (law M8).
  virtual void check_intake() = 0;

  virtual ShutdownResult do_shutdown(const ShutdownOptions& options) = 0;

  // Whether calls run in other processes, so that `map` puts several inputs into one call where it is told to (law M6).
  // Always the same; any thread. An executor that passes its calls on to another one says what that one says.
  virtual bool calls_travel() const noexcept { return false; }

 private:
  // submit, with the encoding that its caller's headers know.
  template <typename Encoding, typename F, typename... Args>
  auto submit_by(F&& fn, Args&&... args) {
    constexpr bool kStorable = internal::is_storable_v<F, Args...>;
    constexpr bool kDestroyed = internal::is_quietly_destroyed_v<F, Args...>;
    static_assert(
        kStorable,
        "submit: the callable and every argument are stored, so each must be copyable or given with std::move");
    static_assert(internal::is_callable_v<F, Args...>,
                  "submit: the callable cannot be called with these arguments; they are passed as rvalues of their "
                  "decayed types, so a parameter of type T& needs std::ref");
    static_assert(
        kDestroyed,
        "submit: a destructor of the callable or of an argument may throw; it runs where nobody can catch, so it "
        "must be noexcept");
    if constexpr (kStorable && kDestroyed &&
                  internal::is_callable_v<F, Args...>) {  // Else all has been said, in one line.
      using R = internal::call_result_t<F, Args...>;
      if (internal::is_null_callable(fn)) throw std::invalid_argument("submit: the callable is null");
      using Call = internal::Call<R, internal::takes_stop_token_v<F, Args...>, Encoding, std::decay_t<F>,
                                  internal::stored_argument_t<Args>...>;
      auto* call = new Call(std::forward<F>(fn), std::forward<Args>(args)...);
      Task task(call);
      Future<R> future = internal::FutureAccess::future<R>(*call);
      schedule(std::move(task));
      return future;
    }
  }

  template <template <typename> class Order, typename Encoding, typename Fn, typename... Inputs>
  auto map_in(const MapOptions& options, Fn fn, Inputs&&... inputs) {
    static_assert(std::is_copy_constructible_v<Fn>,
                  "map: the callable is copied into each call, so it must be copyable");
    static_assert(internal::is_callable_v<Fn, internal::map_argument_t<Inputs>...>,
                  "map: the callable cannot be called with the items of these inputs, which are passed by value");
    static_assert((internal::kItemsStorable<Inputs> && ...),
                  "map: each item is stored in its call: the range's value type must be constructible from what it "
                  "gives; move-only items come through std::make_move_iterator");
    if constexpr (std::is_copy_constructible_v<Fn> &&
                  internal::is_callable_v<Fn, internal::map_argument_t<Inputs>...> &&
                  (internal::kItemsStorable<Inputs> && ...)) {  // Else all has been said.
      using R = internal::call_result_t<Fn, internal::map_argument_t<Inputs>...>;
      internal::check(options);
      if (internal::is_null_callable(fn)) throw std::invalid_argument("map: the callable is null");
      check_intake();
      internal::Zip<std::views::all_t<Inputs>...> zip(std::views::all(std::forward<Inputs>(inputs))...);
      return MapRange<Order<R>>(map_calls<Order<R>, R, Encoding, internal::map_argument_t<Inputs>...>(
          options, std::move(fn), std::move(zip)));
    }
  }

  // A call for each input, or for a chunk of them if calls travel and those can.
  template <typename Order, typename R, typename Encoding, typename... Items, typename Fn, typename Zip>
  std::unique_ptr<Order> map_calls(MapOptions options, Fn fn, Zip zip) {
    using Chunk = internal::ChunkCall<Encoding, Fn, Items...>;
    if constexpr (Chunk::kTravels) {
      if (calls_travel() && internal::inputs_per_call(options) > 1) {
        auto submit_chunk = [this](auto&&... parts) {
          return this->template submit_by<typename Chunk::Encoding>(std::forward<decltype(parts)>(parts)...);
        };
        using Input = internal::ChunkInput<R, typename Chunk::Fn, typename Chunk::Inputs, Zip, decltype(submit_chunk)>;
        return std::make_unique<Order>(
            std::make_unique<Input>(typename Chunk::Fn{std::move(fn)}, std::move(zip), std::move(submit_chunk)),
            options);
      }
    }
    options.chunksize = 1;
    auto submit_one = [this](auto&&... parts) {
      return this->template submit_by<Encoding>(std::forward<decltype(parts)>(parts)...);
    };
    using Input = internal::SingleInput<R, Fn, Zip, decltype(submit_one)>;
    return std::make_unique<Order>(std::make_unique<Input>(std::move(fn), std::move(zip), std::move(submit_one)),
                                   options);
  }
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_
