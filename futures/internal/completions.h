// Waiting for many futures at once: hears of each one as it gets done, in that order, and stops listening when it dies.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_COMPLETIONS_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_COMPLETIONS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/internal/future_state.h"
#include "futures/internal/sync.h"

namespace futures::internal {

// Used by one thread. The states must stay alive while they are registered. Registering, hearing and dying cost constant
// time per state.
class Completions {
 public:
  Completions() = default;
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Starts listening; a state that is done already counts as heard of now. States are numbered 0, 1, ... in the order of
  // their adding. Every state at most once.
  void add(FutureState& state);

  // The number of the state that got done next, in the order in which they did; waits for it. Nothing once `until` has
  // passed, though what is there by then still comes out.
  std::optional<std::size_t> next(sync::deadline until);

 private:
  struct Entry final : Listener {
    Entry(Completions& owner_given, FutureState& state_given, std::size_t number_given)
        : owner(owner_given), state(&state_given), number(number_given) {}
    void on_done(FutureState& done) noexcept override;
    Completions& owner;
    FutureState* state;  // Null once `next` has given its number: the state may then be gone.
    bool is_listening = false;
    const std::size_t number;
    Entry* next_heard = nullptr;
  };

  void hear(Entry& entry) noexcept;

  // The waiting thread's alone. A deque, since entries must not move.
  std::deque<Entry> entries_;
  std::size_t added_ = 0;

  sync::mutex mutex_;          // Taken under a state's lock, so never held while one is asked for.
  sync::condition_variable heard_;
  // The heard and not yet given ones, linked: hearing must not allocate.
  Entry* first_heard_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Entry* last_heard_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_COMPLETIONS_H_
