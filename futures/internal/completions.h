// Completions: waits for many futures at once, and gives their numbers in the order in which they get done.
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

// Registers a listener with each state, and removes the listeners that are left when it is destroyed. Used by one
// thread. A state must stay alive while it is registered. Adding a state, its notification and its removal take
// constant time.
class Completions {
 public:
  Completions() = default;
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // Registers with `state`. A state that is done already counts as one that gets done now. States are numbered 0, 1,
  // ... in the order in which they are added. Each may be added once.
  void add(FutureState& state);

  // Waits for the next state to get done, and returns its number; from then on everybody sees it done. Returns nothing
  // once `until` has passed and no state that is done is left to return.
  std::optional<std::size_t> next(sync::deadline until);

 private:
  struct Entry final : Listener {
    Entry(Completions& owner_given, FutureState& state_given, std::size_t number_given)
        : owner(owner_given), state(&state_given), number(number_given) {}
    void on_done(FutureState& done) noexcept override;
    Completions& owner;
    FutureState* state;  // Null once `next` has returned its number. The state may then be destroyed.
    bool is_listening = false;
    const std::size_t number;
    Entry* next_heard = nullptr;
  };

  void hear(Entry& entry) noexcept;

  // Used by the waiting thread alone. A deque, because entries must not move.
  std::deque<Entry> entries_;
  std::size_t added_ = 0;

  sync::mutex mutex_;  // Taken under a state's lock. So no state's lock may be taken under this one.
  sync::condition_variable heard_;
  // A linked list of the entries that were notified and not yet returned. A notification must not allocate.
  Entry* first_heard_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Entry* last_heard_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_COMPLETIONS_H_
