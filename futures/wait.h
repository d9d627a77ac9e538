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
  requires(!internal::FutureRange<Range> && std::is_class_v<std::remove_cvref_t<Range>>)  // Not the system's `wait(nullptr)`.
void wait(Range&&, WaitOptions = {}) {
  static_assert(internal::FutureRange<Range>,
                "wait: give a range of futures, such as a vector; for one future call its own wait()");
}

// What `as_completed` returns: an input range of futures that are done. Movable; iterate it once, by one thread. Stepping
// is lazy: looking at an item, or for the end, blocks until another future is done; `++` does not. So `as_completed(fs) |
// std::views::take(1)` waits for one. Leaving early, or destroying it, lets go of every future (law W7).
template <typename F>
class AsCompleted {
  struct Source;

 public:
  class Iterator {
   public:
    using value_type = F;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    const F& operator*() const { return *source_->look(); }
    const F* operator->() const { return &*source_->look(); }
    Iterator& operator++() {
      source_->step();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return !it.source_->look().has_value(); }

   private:
    friend class AsCompleted;
    explicit Iterator(Source* source) : source_(source) {}
    Source* source_ = nullptr;
  };

  AsCompleted(std::vector<F> futures, sync::deadline until)
      : source_(std::make_unique<Source>(std::move(futures), until)) {}

  Iterator begin() { return Iterator(source_.get()); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  // On the heap: listeners keep its address while the range moves.
  struct Source {
    Source(std::vector<F> futures, sync::deadline until_given)
        : waiting(std::move(futures)), left(waiting.size()), until(until_given) {
      for (const F& future : waiting) completions.add(internal::FutureAccess::state(future));
    }

    void step() {
      look();
      is_step_due = true;
    }

    // The current future, nothing at the end. Waits for it if a step is due; throws when time is up.
    const std::optional<F>& look() {
      if (!is_step_due) return current;
      current.reset();
      if (left > 0) {
        const std::optional<std::size_t> number = completions.next(until);
        if (!number) internal::throw_unfinished(left, waiting.size());
        --left;
        current = std::move(waiting[*number]);
      }
      is_step_due = false;
      return current;
    }

    std::vector<F> waiting;  // Moved from once yielded.
    std::size_t left;
    const sync::deadline until;
    bool is_step_due = true;
    std::optional<F> current;
    internal::Completions completions;  // Last: it lets go of the states before their handles go.
  };

  std::unique_ptr<Source> source_;
};

// The futures as they get done: those that are done already first, then in the order of completion; each once.
// Returns at once; iterating blocks, and throws TimeoutError "N (of M) futures unfinished" when time is up, counted from
// this call. Any thread. Laws W1, W4 to W7.
//
//   for (const futures::Future<Page>& f : futures::as_completed(pages, 30s)) show(f.result());
template <internal::FutureRange Range>
AsCompleted<internal::range_future_t<Range>> as_completed(Range&& futures, Timeout timeout = {}) {
  const sync::deadline until = timeout.deadline();
  return {internal::distinct(std::forward<Range>(futures)), until};
}
// Says in one line why the above will not do.
template <typename Range>
  requires(!internal::FutureRange<Range>)
AsCompleted<Future<void>> as_completed(Range&&, Timeout = {}) {
  static_assert(internal::FutureRange<Range>, "as_completed: give a range of futures, such as a vector");
  return {{}, std::nullopt};
}

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_WAIT_H_
