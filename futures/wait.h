// Waiting for many futures: `wait` gives a partition, `as_completed` a range in the order of completion.
#ifndef CONCURRENT_FUTURES_FUTURES_WAIT_H_
#define CONCURRENT_FUTURES_FUTURES_WAIT_H_

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/completions.h"
#include "futures/internal/lazy_range.h"
#include "futures/timeout.h"

namespace futures {

enum class ReturnWhen {
  kFirstCompleted,  // One is done, cancelled ones included.
  kFirstException,  // One has thrown, or all are done. A cancelled future is no exception.
  kAllCompleted,
};

struct WaitOptions {
  Timeout timeout = {};
  ReturnWhen return_when = ReturnWhen::kAllCompleted;
};

// Two disjoint lists that make up the given futures, each in their order, duplicates left out.
template <typename F>
struct WaitResult {
  std::vector<F> done;
  std::vector<F> not_done;
};

namespace internal {

template <typename T>
inline constexpr bool is_future_v = false;
template <typename R>
inline constexpr bool is_future_v<Future<R>> = true;

template <typename Range>
concept FutureRange =
    std::ranges::input_range<Range> && is_future_v<std::remove_cvref_t<std::ranges::range_reference_t<Range>>>;

template <typename Range>
using range_future_t = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;

// For each position whether its state stands there for the first time. Takes linear time.
std::vector<bool> first_occurrences(const std::vector<const FutureState*>& states);

// Throws as_completed's TimeoutError: "N (of M) futures unfinished".
[[noreturn]] void throw_unfinished(std::size_t unfinished, std::size_t all);

// Each future once, in the order given. Throws InvalidStateError for an empty handle.
template <FutureRange Range>
std::vector<range_future_t<Range>> distinct(Range&& futures) {
  std::vector<range_future_t<Range>> all;
  std::vector<const FutureState*> states;
  for (auto&& future : futures) {
    states.push_back(&FutureAccess::state(future));
    all.push_back(std::forward<decltype(future)>(future));
  }
  const std::vector<bool> is_first = first_occurrences(states);
  std::vector<range_future_t<Range>> result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_first[i]) result.push_back(std::move(all[i]));
  }
  return result;
}

// Whether `state`, which is done, threw.
inline bool has_thrown(const FutureState& state) {
  return state.phase() == Phase::kFinished && state.exception() != nullptr;
}

}  // namespace internal

// Waits until `return_when` holds or time is up, and tells which of the futures are done. Never throws on timeout.
// Any thread; blocks; takes time linear in the number of futures; nothing stays registered. Laws W1 to W4, W7, F11.
template <internal::FutureRange Range>
WaitResult<internal::range_future_t<Range>> wait(Range&& futures, WaitOptions options = {}) {
  const sync::deadline until = options.timeout.deadline();
  auto all = internal::distinct(std::forward<Range>(futures));
  {
    internal::Completions completions;
    for (const auto& future : all) completions.add(internal::FutureAccess::state(future));
    for (std::size_t left = all.size(); left > 0; --left) {
      const std::optional<std::size_t> number = completions.next(until);
      if (!number || options.return_when == ReturnWhen::kFirstCompleted) break;
      if (options.return_when == ReturnWhen::kFirstException &&
          internal::has_thrown(internal::FutureAccess::state(all[*number]))) {
        break;
      }
    }
  }
  WaitResult<internal::range_future_t<Range>> result;
  for (auto& future : all) {
    (future.done() ? result.done : result.not_done).push_back(std::move(future));
  }
  return result;
}
// Says in one line why the above will not do.
template <typename Range>
  requires(!internal::FutureRange<Range> &&
           std::is_class_v<std::remove_cvref_t<Range>>)  // Not the system's `wait(nullptr)`.
void wait(Range&&, WaitOptions = {}) {
  static_assert(internal::FutureRange<Range>,
                "wait: give a range of futures, such as a vector; for one future call its own wait()");
}

namespace internal {

// The futures of an as_completed in the order of completion.
template <typename F>
class CompletionSource {
 public:
  CompletionSource(std::vector<F> futures, sync::deadline until)
      : waiting_(std::move(futures)), left_(waiting_.size()), until_(until) {
    for (const F& future : waiting_) completions_.add(FutureAccess::state(future));
  }

  bool advance() {
    current_ = F();
    if (left_ == 0) return false;
    const std::optional<std::size_t> number = completions_.next(until_);
    if (!number) throw_unfinished(left_, waiting_.size());
    --left_;
    current_ = std::move(waiting_[*number]);
    return true;
  }
  const F& item() const { return current_; }

 private:
  std::vector<F> waiting_;  // Moved from once yielded.
  std::size_t left_;
  const sync::deadline until_;
  F current_;
  Completions completions_;  // Last: it lets go of the states before their handles go.
};

}  // namespace internal

// What `as_completed` returns: an input range of futures that are done. Movable; iterate it once, by one thread.
// Stepping is lazy: looking at an item, or for the end, blocks until another future is done; `++` does not. So
// `as_completed(fs) | std::views::take(1)` waits for one. When time is up, whatever looks for the next one throws,
// once, and the range is at its end. Leaving early, or destroying it, lets go of every future (law W7).
template <typename F>
class AsCompleted : public internal::LazyRange<internal::CompletionSource<F>> {
 public:
  using internal::LazyRange<internal::CompletionSource<F>>::LazyRange;  // For as_completed.
};

// The futures as they get done: those that are done already first, then in the order of completion; each once.
// Returns at once; iterating blocks, and throws TimeoutError "N (of M) futures unfinished" when time is up, counted
// from this call. Any thread. Laws W1, W4 to W7.
//
//   for (const futures::Future<Page>& f : futures::as_completed(pages, 30s)) show(f.result());
template <internal::FutureRange Range>
AsCompleted<internal::range_future_t<Range>> as_completed(Range&& futures, Timeout timeout = {}) {
  using F = internal::range_future_t<Range>;
  const sync::deadline until = timeout.deadline();
  return AsCompleted<F>(
      std::make_unique<internal::CompletionSource<F>>(internal::distinct(std::forward<Range>(futures)), until));
}
// Says in one line why the above will not do.
template <typename Range>
  requires(!internal::FutureRange<Range>)
AsCompleted<Future<void>> as_completed(Range&&, Timeout = {}) {
  static_assert(internal::FutureRange<Range>, "as_completed: give a range of futures, such as a vector");
  return AsCompleted<Future<void>>(nullptr);
}

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_WAIT_H_
