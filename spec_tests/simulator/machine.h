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

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/simulator/fiber.h"
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
  static Machine& instance();
  // Whether the caller is on a fiber of a run.
  static bool in_run() { return in_run_; }

  struct Outcome {
    std::optional<Finding> finding;
    Schedule schedule;
    long steps = 0;
  };
  Outcome run(const std::function<void()>& program, Strategy& strategy, long steps_max, bool records,
              Memory memory = Memory::kSequentiallyConsistent);

  // The choice point before an operation. `liveness` is the object's, null if it has none.
  void before(Operation operation, const void* object, const Liveness* liveness, const Where& where);
  // Whether the rows of the table are kept. Adds to the newest row.
  bool records() const { return records_; }
  void append(std::string_view text);

  bool weak_compare_exchange_fails();
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
  int start(std::string name, std::function<void()> body, const Where& where);
  void join(int thread, const Where& where);
  void detach(int thread, const Where& where);
  int current() const { return current_; }
  int live_threads() const;
  void together(std::vector<std::function<void()>> clients);
  void pause(const Where& where);

  std::int64_t now() { return ++now_; }

  // Ends the run with a finding. Does not return.
  [[noreturn]] void found(Finding::Kind kind, std::string what);
  void note(std::string_view what);
  // Of the last run, if it kept its rows.
  std::string table() const;

 private:
  enum class State : std::uint8_t { kCanRun, kMutex, kCondition, kFutex, kJoin, kEnded };

  struct Thread {
    explicit Thread(int number_given) : number(number_given), fiber(&Machine::enter, this) {}
    const int number;
    Fiber fiber;
    std::string name;
    std::function<void()> body;
    State state = State::kCanRun;
    const void* object = nullptr;  // What it waits on.
    MutexState* mutex = nullptr;  // What it waits for, or has to take once it is woken.
    std::vector<int> joined;  // Whose end it waits for.
    Deadline until;
    bool timed_out = false;
    bool yields = false;  // Others first.
    bool is_owned = false;  // Somebody has to join or detach it.
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
  [[noreturn]] static void on_terminate();

  Thread& thread(int number) { return *threads_[static_cast<std::size_t>(number)]; }
  const std::string& thread_name(int number) const { return threads_[static_cast<std::size_t>(number)]->name; }
  bool can_run(const Thread& thread) const;
  int add_thread(std::string name, std::function<void()> body);
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
  [[noreturn]] void end_thread();
  void take(MutexState& mutex);
  void join_all(std::vector<int> numbers);
  void wake_waiters();
  [[noreturn]] void leave();
  void wake(Thread& thread);
  std::string blocked_threads();
  void add_row(Operation operation, const void* object, const Where& where, std::string text = {});
  int choose_of_memory(const Choice& choice);

  static inline bool in_run_ = false;

  Fiber outside_;
  std::vector<std::unique_ptr<Thread>> threads_;  // Kept from run to run; the first `count_` are those of this one.
  int count_ = 0;
  int current_ = 0;
  Strategy* strategy_ = nullptr;
  std::vector<Event> events_;
  std::vector<int> event_threads_;
  std::vector<int> waiters_;
  int choices_ = 0;
  long steps_ = 0;
  long steps_max_ = 0;
  std::int64_t now_ = 0;
  bool records_ = false;
  bool preempted_ = false;
  bool is_weak_ = false;
  WeakMemory memory_{[this](const Choice& choice) { return choose_of_memory(choice); }};
  Outcome outcome_;
  std::vector<Row> rows_;
};

// While it lives, memory that is given back to the allocator is overwritten and kept. Does nothing under
// AddressSanitizer, which does the same by itself.
class Quarantine {
 public:
  Quarantine();
  ~Quarantine();
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MACHINE_H_
