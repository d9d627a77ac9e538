// FutureState: a state word, an outcome, and the observers of both.
//
// The state machine (law F1). Only these steps exist. Each is one atomic change of the state word:
//
//                 claim()                  publish()
//   kPending ---------------> kRunning ---------------> kFinished
//      |  \                      |  \                       ^
//      |   \     begin_outcome() |   v       publish()      |
//      |    +--------------------+-> kDelivering -----------+        kDelivering shows as running
//      |  mark_cancelled()
//      +---------------> kCancelled
//      |                     ^
//      +-> kCancelling ------+        kCancelling shows as pending, and ends under the lock that it began under
//
// kDelivering and kCancelling are where listeners are told: before anyone can see the future done (law W5).
//
// Who owns what:
//   - The callable is in the derived Call. The thread that makes the step out of kPending owns it from then on. It
//     destroys the callable before it stores kFinished (law E8), or when it announces the cancel.
//   - The outcome is the value in ResultState, or exception_. Until kFinished it belongs to the thread that will
//     publish it. From then on it is constant.
//   - Callbacks and listeners are guarded by mutex_ until the future is done. The thread that made it done then takes
//     them out.
//
// Memory: refs_ counts owners. The producer, a Task or a Promise, owns one reference. All handles together own
// another; a handle is a Future object or a callback that has not run. They count themselves in handles_, so that the
// last handle knows that it may move the value out.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_FUTURE_STATE_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_FUTURE_STATE_H_

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "futures/internal/sync.h"

namespace futures::internal {

// The generation of a future that belongs to no executor. A fork takes nothing from it.
inline constexpr std::uint32_t kAnyGeneration = 0;

enum class Phase : std::uint32_t {
  kPending = 0,
  kRunning = 1,
  kDelivering = 2,
  kCancelling = 3,
  kFinished = 4,
  kCancelled = 5,
};

class FutureState;
class EncodeSink;
struct CallVtable;

// Decides whether a call runs or is cancelled, for calls of which another process may decide. The state word follows
// that decision. Any thread.
class RemoteOwner {
 public:
  virtual ~RemoteOwner() = default;
  // Cancels the call if it has not started, and then marks `state` as cancelled. Returns whether it did.
  virtual bool cancel(FutureState& state) = 0;
  // Makes `state` running if the call has started.
  virtual void look(FutureState& state) = 0;
  // Called by a thread that is about to sleep until `state` is done or `until` has passed. The thread may wait here
  // instead, and finish the future itself. May return at once.
  virtual void await(FutureState& state, sync::deadline until) = 0;
};

// A done callback. Owned by the state until it runs.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void run(FutureState& state) = 0;  // May throw anything.

 private:
  friend class FutureState;
  Callback* next_ = nullptr;
};

// Is notified when a future is done, and can be removed before that (laws W2, W5, W7). Owned by the waiter.
class Listener {
 public:
  // Runs on the thread that made the future done, under that future's lock. It must not block, throw, or use the
  // future. Others may see the future done only after the lock is released.
  virtual void on_done(FutureState& state) noexcept = 0;

 protected:
  ~Listener() = default;

 private:
  friend class FutureState;
  Listener* next_ = nullptr;
  Listener** link_ = nullptr;  // What points here; null when not registered.
};

class FutureState {
 public:
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;

  // --- Memory. A new state has one reference, the producer's, and no handle.
  void add_ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    // Release: what this owner did happens before the destructor; acquire: in the thread that runs it.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  void add_handle() noexcept;
  void drop_handle() noexcept;
  // True if the caller's handle is the only one and no callback is still to come.
  bool is_sole_handle() const noexcept { return handles_.load(std::memory_order_acquire) == 1; }

  // --- Reading. Any thread. The outcome happens before a reader sees the future done: these acquire, which pairs
  // with the release in publish.
  Phase phase() const;
  bool is_done() const noexcept { return is_done(phase_of(word_.load(std::memory_order_acquire))); }
  static bool is_done(Phase phase) noexcept { return phase >= Phase::kFinished; }
  // Whether the word says that the future is no longer pending. Does not ask the remote owner.
  bool has_left_pending() const noexcept { return phase_of(word_.load(std::memory_order_acquire)) != Phase::kPending; }

  // False in a child made by fork() after the call was submitted. The call can then get done in the parent alone. Law
  // T9.
  bool is_of_this_process() const noexcept;
  // Takes an unfinished future to kDelivering with `exception`. Returns false if it is done.
  bool begin_failure(std::exception_ptr exception);

  // Throws BrokenExecutor if the future is not done and cannot get done in this process.
  void check_process() const;

  // Blocks until the future is done or `until` has passed. Returns whether it is done. Throws as check_process (law
  // T9). So do cancel, add_callback and add_listener.
  bool wait_until(sync::deadline until);

  // Waits as wait_until. Then throws TimeoutError, CancelledError or the stored exception, or returns if there is a
  // value.
  void get(sync::deadline until);

  // --- Steps of the producer.
  // kPending -> kRunning. Returns false if the future is cancelled. Throws InvalidStateError otherwise. Law F7.
  bool claim();
  // kPending or kRunning -> kDelivering, for producers that may race with each other. Throws InvalidStateError. Law F6.
  void begin_outcome();
  // kDelivering -> kRunning, because the outcome could not be made.
  void abandon_outcome() noexcept;
  // Stores the exception. Called by the thread that will publish.
  void set_exception(std::exception_ptr exception) noexcept { exception_ = std::move(exception); }
  // kRunning or kDelivering -> kFinished; wakes waiters, then runs the callbacks.
  void publish();
  // The same without the callbacks. Returns them; the caller must pass them to run_callbacks, on any thread.
  Callback* publish_before_callbacks();
  void run_callbacks(Callback* first);
  // Destroys the callable and finishes the future with `exception`. Returns false, and does nothing, if it is done.
  // Law F12.
  bool fail(std::exception_ptr exception);
  // The same in two parts, as for cancelling: if it returns true, the caller owes announce_failed, which runs the
  // callbacks. Allocates nothing.
  bool mark_failed(std::exception_ptr exception) noexcept;
  void announce_failed();

  // --- Cancelling has two parts, so that an executor can do the first under its own lock. Laws F2, S3.
  // kPending -> kCancelled; wakes waiters (laws F5, W4). Returns whether this call did it; then the caller owes
  // announce_cancelled.
  bool mark_cancelled() noexcept;
  // Destroys the callable and runs the callbacks.
  void announce_cancelled();
  // Does both. Returns whether the future is cancelled now.
  bool cancel();

  // --- Calls that run in another process.
  // How the call travels; null if it cannot.
  virtual const CallVtable* call_vtable() const noexcept { return nullptr; }
  // Encodes the call and destroys the callable. Returns its size. Throws as CallVtable::encode. Needs a call_vtable.
  std::size_t encode(EncodeSink& sink);
  // From here on `owner` decides. Before anyone else has a handle.
  void set_remote_owner(std::shared_ptr<RemoteOwner> owner);
  // kPending -> kRunning, once the call is known to have started. No effect if it is running already.
  void mark_running_remotely() noexcept;

  // --- Taking the value out (law F3).
  bool is_taken() const noexcept { return (word_.load(std::memory_order_acquire) & kTaken) != 0; }
  // Returns false if it had been taken before.
  bool mark_taken() noexcept { return (word_.fetch_or(kTaken, std::memory_order_acq_rel) & kTaken) == 0; }

  const std::exception_ptr& exception() const noexcept { return exception_; }

  // --- Observers.
  // Runs `callback` when the future is done. If it is done already, runs it at once in this thread. Laws F8, F9, F10.
  void add_callback(std::unique_ptr<Callback> callback);
  // Registers `listener` and returns true; returns false, and does nothing, if the future is already done.
  bool add_listener(Listener& listener);
  // After this returns, `listener` is not being called and will not be. No effect if it is not registered.
  void remove_listener(Listener& listener) noexcept;

  // --- The call, for executors. A state made by a Promise has none.
  // Runs the callable and publishes. The state must have been claimed by the caller.
  virtual void run_claimed();

  // Law T8. Whether the call takes a stop token; sets it; returns false if there is none or it was set before.
  virtual bool takes_stop_token() const noexcept { return false; }
  virtual bool request_stop() noexcept { return false; }

  // While queued: the next one. Belongs to the queue that holds the state.
  FutureState* next_queued = nullptr;
  // Where a RemoteOwner keeps the call. Belongs to it.
  std::int32_t remote_slot = -1;

 protected:
  explicit FutureState(std::uint32_t generation) noexcept : generation_(generation) {}
  virtual ~FutureState();

  // Destroys the callable and its arguments, if there are any left. Law E8.
  virtual void discard_call() noexcept {}

 private:
  // The state word: the phase, and flags that say whom the finishing thread must wake or call.
  static constexpr std::uint32_t kPhaseMask = 0x7;
  static constexpr std::uint32_t kSleepers = 0x8;  // A thread waits on the word's futex.
  static constexpr std::uint32_t kObservers = 0x10;  // Callbacks or listeners are registered, or are being registered.
  static constexpr std::uint32_t kTaken = 0x20;  // The value has been moved out.
  static constexpr std::uint32_t kRemote = 0x40;  // remote_ decides between running and cancelled.

  static Phase phase_of(std::uint32_t word) noexcept { return static_cast<Phase>(word & kPhaseMask); }

  // One step of the machine: `from` -> `to`. Returns false, with the phase found in `from`, if it is not in `from`.
  // Never finds kCancelling: waits until the future is cancelled.
  bool step(Phase& from, Phase to) noexcept;
  // Wakes the threads that sleep on the word, if there are any. `flags` is the word before its last step.
  void wake_sleepers(std::uint32_t flags) noexcept;
  // Notifies each listener and removes it.
  void tell_listeners() noexcept ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns the callbacks registered so far; the caller must run them. Called once, by the thread that made the
  // future done.
  Callback* take_callbacks() noexcept ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sets kObservers unless done. Returns whether it is set.
  bool announce_observer() noexcept;

  sync::atomic<std::uint32_t> word_{0};
  sync::atomic<std::uint32_t> refs_{1};
  sync::atomic<std::uint32_t> handles_{0};
  const std::uint32_t generation_;  // The process that runs the call (exit_and_fork.h).
  std::uint32_t flags_at_cancel_ = 0;  // From mark_cancelled to announce_cancelled; the canceller's alone.

  sync::mutex mutex_;
  Callback* first_callback_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Callback** last_callback_ ABSL_GUARDED_BY(mutex_) = &first_callback_;
  Listener* listeners_ ABSL_GUARDED_BY(mutex_) = nullptr;

  std::exception_ptr exception_;
  std::shared_ptr<RemoteOwner> remote_;  // Constant once others have handles.
};

// A handle's hold on a state.
class StateHandle {
 public:
  StateHandle() = default;
  explicit StateHandle(FutureState* state) noexcept : state_(state) {
    if (state_ != nullptr) state_->add_handle();
  }
  StateHandle(const StateHandle& other) noexcept : StateHandle(other.state_) {}
  StateHandle(StateHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  StateHandle& operator=(StateHandle other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~StateHandle() {
    if (state_ != nullptr) state_->drop_handle();
  }
  FutureState* get() const noexcept { return state_; }

 private:
  FutureState* state_ = nullptr;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_FUTURE_STATE_H_
