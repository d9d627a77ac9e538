// What the simulated sync:: calls: threads, their states, and the choice point before each operation.
//
// States of a thread:
//
//              operation blocks                    woken, or the time is up, or for no reason
//   runs  ------------------------->  waits for ... ----------------------------------------->  can run
//     \  another one is chosen             a mutex or the end of a thread: can run as soon as it is free, or has ended
//      +------------------------------------------------------------------------------------->  can run
//
// Outside a run operations are plain ones of a single thread: objects may be made before an exploration and destroyed
// after it.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MACHINE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MACHINE_H_

#include <unwind.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec_tests/simulator/conflicts.h"
#include "spec_tests/simulator/fiber.h"
#include "spec_tests/simulator/happens_before.h"
#include "spec_tests/simulator/plain_accesses.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/weak_memory.h"

namespace futures::simulator {

using Where = std::source_location;

enum class Operation : std::uint8_t {
  kLoad,
  kStore,
  kExchange,
  kFetch,
  kCompareExchange,
  kFence,
  kLock,
  kUnlock,
  kWait,
  kNotifyOne,
  kNotifyAll,
  kFutexWait,
  kFutexWake,
  kStart,
  kJoin,
  kDetach,
  kPause,
  kCancel,
  kCancellationPoint,
  kPassTime,
  kEnd,
  kNote,
};

// Says whether an object of sync:: still lives. The simulator keeps memory that a run frees until its end, overwritten.
class Liveness {
 public:
  constexpr Liveness() = default;
  constexpr Liveness(const Liveness&) : Liveness() {}
  constexpr Liveness& operator=(const Liveness&) { return *this; }
  constexpr ~Liveness() { mark_ = 0; }
  bool lives() const { return mark_ == kMark; }

 private:
  static constexpr std::uint32_t kMark = 0x51E57A7E;
  std::uint32_t volatile mark_ = kMark;
};

inline constexpr int kNobody = -1;
inline constexpr int kOutside = -2;  // The owner of a mutex that was locked outside a run.

struct MutexState {
  Liveness liveness;
  int owner = kNobody;
  MemoryTag tag;
};

// The end of a wait in simulated nanoseconds; nothing for never.
using Deadline = std::optional<std::int64_t>;

class Machine {
 public:
  static Machine& instance() { return *(instance_ != nullptr ? instance_ : instance_ = new Machine); }
  // Whether the caller is on a fiber of a run.
  static bool in_run() { return in_run_; }
  // The same, for code that other threads of the operating system may run meanwhile.
  static bool runs_here() { return runs_here_; }
  // Whether it is the program that runs, not the simulator.
  static bool observes() noexcept { return observes_; }
  // Returns what it was before.
  static bool observe(bool observes) noexcept { return std::exchange(observes_, observes); }
  // While one lives, memory that is accessed, allocated or freed is the simulator's own.
  class Inside;

  struct Outcome {
    std::optional<Finding> finding;
    Schedule schedule;
    long steps = 0;
    long plain_accesses = 0;
  };
  struct Looks {
    bool records = false;  // Whether the rows of the table are kept.
    bool at_accesses = true;  // Whether data races are looked for. Never under weak memory.
    Memory memory = Memory::kSequentiallyConsistent;
  };
  Outcome run(const std::function<void()>& program, Strategy& strategy, const Limits& limits, Looks looks);

  // The choice point before an operation. `liveness` is the object's, null if it has none.
  void before(Operation operation, const void* object, const Liveness* liveness, const Where& where);
  // Whether the rows of the table are kept. Adds to the newest row.
  bool records() const { return records_; }
  void append(std::string_view text);

  bool weak_compare_exchange_fails();
  // Asked by each `new` of the program.
  bool allocation_fails();

  // What an operation of an atomic, or on the count of the owners of an object, orders. No choice point.
  enum class Ordering : std::uint8_t { kLoad, kStore, kModify, kFence };
  void order(Ordering ordering, const void* object, std::memory_order order);
  // An instrumented load or store of the program.
  static void plain_access(const void* address, std::size_t bytes, bool writes, const void* code);
  // The memory of the run that the caller is in, if that is weak; else null: each load sees the last store.
  WeakMemory* weak_memory() { return in_run_ && is_weak_ ? &memory_ : nullptr; }
  void fence(std::memory_order order, const Where& where);

  void lock(MutexState& mutex, const Where& where);
  void unlock(MutexState& mutex, const Where& where);

  // The caller holds the mutex, and holds it again afterwards. Returns false if the time was up.
  bool wait(const void* condition, const Liveness& liveness, MutexState& mutex, Deadline until, const Where& where);
  void notify(const void* condition, const Liveness& liveness, bool all, const Where& where);

  // `holds` is whether the word has the expected value. Returns false if the time was up.
  bool futex_wait(const void* word, const Liveness& liveness, const std::function<bool()>& holds, Deadline until,
                  const Where& where);
  void futex_wake(const void* word, const Where& where);

  // Returns the number of the new thread, or kNobody if it could not be started.
  int start(const std::string& name, std::function<void()> body, const Where& where);
  void join(int thread, const Where& where);
  void detach(int thread, const Where& where);
  // Runs `last_words` on the current thread when it ends, the last given first: what destructors of thread_locals do.
  void at_end(std::function<void()> last_words);
  // Whether the thread waits to be woken or for the end of another one.
  bool is_asleep(int thread);
  bool has_ended(int thread);
  int current() const { return current_; }
  int live_threads();
  void together(std::vector<std::function<void()>> clients);
  void pause(const Where& where);
  void await_rest();

  // Ends the current thread: destructors and handlers on its stack run first.
  [[noreturn]] void exit_thread();
  // The thread ends in the same way at its next cancellation point, or where it waits to be notified.
  void cancel(int thread, const Where& where);
  // Of the current thread. Returns what was set before.
  bool set_cancellable(bool is_cancellable);
  void end_if_cancelled(const Where& where);
  void eventually(const std::function<bool()>& holds, std::string_view what, const Where& where);

  std::int64_t now();

  // See simulator.h.
  void meet(const void* object);

  // Ends the run with a finding. Does not return.
  [[noreturn]] void found(Finding::Kind kind, std::string what);
  void note(std::string_view what);
  // Of the last run, if it kept its rows.
  std::string table() const;
  // Of the run so far.
  const Schedule& schedule() const { return outcome_.schedule; }

 private:
  enum class State : std::uint8_t { kCanRun, kMutex, kCondition, kFutex, kJoin, kRest, kEnded };

  struct Thread {
    explicit Thread(int number_given) : number(number_given), fiber(&Machine::enter, this) {}
    const int number;
    Fiber fiber;
    std::string name;
    std::function<void()> body;
    std::vector<std::function<void()>> last_words;
    State state = State::kCanRun;
    const void* object = nullptr;  // What it waits on.
    MutexState* mutex = nullptr;  // What it waits for, or has to take once it is woken.
    std::vector<int> joined;  // Whose end it waits for.
    Deadline until;
    bool timed_out = false;
    bool yields = false;  // Others first.
    bool is_owned = false;  // Somebody has to join or detach it.
    bool is_cancelled = false;
    bool is_cancelled_here = false;  // In its wait.
    bool is_cancellable = true;
    bool is_ending = false;  // It unwinds, and is not cancelled again.
    _Unwind_Exception unwinding;
    std::string hopes;  // What it waits for in `eventually`.
    Where waits_at;
  };

  // An option of a choice: a thread, and what happens to it before it goes on.
  struct Event {
    enum class Kind : std::uint8_t { kGoesOn, kTimeIsUp, kWakesForNoReason };
    int thread;
    Kind kind;
  };

  struct Row {
    int thread;
    bool preempted;  // Another thread, which could have gone on, had to stop for this row.
    Operation operation;
    const void* object;
    Where where;
    std::string text;
  };

  static void enter(void* thread);
  void say_last_words() noexcept;
  [[noreturn]] static void on_terminate();

  Thread& thread(int number) { return *threads_[static_cast<std::size_t>(number)]; }
  const std::string& thread_name(int number) const { return threads_[static_cast<std::size_t>(number)]->name; }
  bool can_run(const Thread& thread) const;
  int add_thread(const std::string& name, std::function<void()> body);
  // Lets the strategy choose, counts the choice, and remembers a deviation.
  int choose(const Choice& choice);
  // The current thread stops here, blocked or not, until it is chosen.
  void reschedule();
  void reschedule_at_operation(const Where& where);
  // The threads that can run.
  void collect_events();
  // Waits that may end without a reason, or before their time.
  void collect_faults();
  // Nobody can run: time goes on to the next deadline. Without one, the run ends.
  void collect_timeouts();
  int choose_event(int first_fault, bool could_go_on);
  void switch_to(int next);
  void end_wait(const Event& event);
  [[noreturn]] void end_without_runnable();
  [[noreturn]] void end_without_end();
  [[noreturn]] void end_thread();
  static _Unwind_Reason_Code unwind_frame(int version, _Unwind_Action actions, _Unwind_Exception_Class exception_class,
                                          _Unwind_Exception* exception, _Unwind_Context* context, void* argument);
  static void unwinding_was_stopped(_Unwind_Reason_Code reason, _Unwind_Exception* exception);
  // Whether the thread ends at the cancellation point where it is.
  static bool ends_here(const Thread& thread) {
    return thread.is_cancelled && thread.is_cancellable && !thread.is_ending;
  }
  void take(MutexState& mutex);
  // Tells the conflicts which object an operation uses.
  void use(Operation operation, const void* object);
  // For what is answered in a way that conflicts do not know of.
  void refuse_search_for_races(std::string_view question);
  // After a wait until nobody else can run.
  void follow_all(int thread);
  void join_all(std::vector<int> numbers);
  void wake_waiters();
  [[noreturn]] void leave();
  void wake(Thread& thread);
  std::string blocked_threads();
  void add_row(Operation operation, const void* object, const Where& where, std::string text = {});
  int choose_of_memory(const Choice& choice);

  // Whether other threads may learn of what is here.
  bool is_of_the_program(std::uintptr_t address) const;
  void check_plain_access(std::uintptr_t address, std::size_t bytes, bool writes, const void* code);
  std::string describe(const PlainAccess& access) const;

  static inline Machine* instance_ = nullptr;
  static inline bool in_run_ = false;
  static inline thread_local bool runs_here_ = false;
  static inline bool observes_ = false;
  static inline bool looks_at_accesses_ = false;
  // The stack of the current thread. Its own accesses to it are not asked about.
  static inline std::uintptr_t own_stack_ = 0;

  Fiber outside_;
  std::vector<std::unique_ptr<Thread>> threads_;  // Kept from run to run; the first `count_` are those of this one.
  int count_ = 0;
  int current_ = 0;
  Strategy* strategy_ = nullptr;
  std::vector<Event> events_;
  std::vector<int> event_threads_;
  int spurious_end_ = 0;  // As in Choice, of events_.
  std::vector<int> waiters_;
  int choices_ = 0;
  long steps_ = 0;
  Limits limits_;
  std::int64_t now_ = 0;
  bool records_ = false;
  bool preempted_ = false;
  bool is_weak_ = false;
  WeakMemory memory_{[this](const Choice& choice) { return choose_of_memory(choice); }};
  Outcome outcome_;
  std::vector<Row> rows_;
  HappensBefore happens_before_;
  PlainAccesses plain_accesses_;
  bool looks_for_conflicts_ = false;
  Conflicts conflicts_;
};

class Machine::Inside {
 public:
  Inside() = default;
  ~Inside() { observes_ = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  const bool before_ = std::exchange(observes_, false);
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MACHINE_H_
