// The simulator: runs a program of several threads as fibers of one thread, one at a time, and lets a strategy make
// every choice that a real run leaves to the scheduler. What the program does with sync:: (spec_tests/simulator/sync.h)
// comes here.
//
//   const Exploration found = explore("submit_and_cancel", [] {
//     ThreadPoolExecutor executor({.max_workers = 1});
//     const Future<void> future = executor.submit([] { ran = true; });
//     if (future.cancel()) expect(!ran, "F2: a cancelled call ran");
//   }, Exhaustive({.preemptions = 2}));
//   EXPECT_TRUE(found.ok()) << found.report();
//
// A program must be deterministic but for its choices: it starts from the same state in each run, and asks no clock, no
// random device and no address for what to do next.
//
// Words. An *operation* is one use of sync::. A *choice point* is before each. A *run* is one execution of the program,
// along one *schedule*. An *exploration* is the runs of one strategy; it ends at the first *finding*.
//
// On a simulated thread pthread_exit ends that thread, and pthread_cancel(pthread_self()) cancels it. A program that
// ends the process inside a run (std::exit) fails with a message.
//
// Memory is sequentially consistent, or weak as RC11 has it. Not thread-safe: one exploration at a time, on any thread.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATOR_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATOR_H_

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/simulator/schedule.h"
#include "spec_tests/simulator/strategies.h"

namespace futures::simulator {

struct Finding {
  enum class Kind {
    kBrokenExpectation,  // `expect` was false, or the judge says so.
    kNotOfTheModel,  // The run's history is none that the model has.
    kDeadlock,  // Every thread that is left waits for a mutex or for the end of another thread.
    kLostWakeUp,  // The same, but one of them waits to be woken, and nobody is left who could.
    kLivelock,  // The run does not end, though every thread gets its turn and nothing fails.
    kNeverDone,  // The same, and what `eventually` waits for has not come.
    kLeakedThread,  // The program has returned, and a thread waits for ever, or was neither joined nor detached.
    kDataRace,  // Two accesses to the same bytes, one of them a write, and nothing orders them.
    kUseAfterFree,  // An operation on an object that has been destroyed, or an access to memory that was freed.
    kException,  // An exception left a thread, or std::terminate was called.
    kMisuse,  // Such as the unlock of a mutex by a thread that does not hold it.
    kNotDeterministic,  // The same schedule had another end when it was repeated for the report.
  };
  Kind kind;
  std::string what;
  Schedule schedule;
  std::string table;  // Who did what, in which order.
};

std::string_view to_text(Finding::Kind kind);

struct Exploration {
  std::string program;
  std::string strategy;
  long schedules = 0;
  long steps = 0;  // Operations, in all runs.
  long plain_accesses = 0;  // Instrumented loads and stores of memory that threads may share, in all runs.
  double seconds = 0;
  std::optional<Finding> finding;

  bool ok() const { return !finding.has_value(); }
  // What was found, the schedule, the table, and how to repeat the run. One line if there is no finding.
  std::string report() const;
};

struct Limits {
  // A run that has taken so many goes on for as many more, under fair scheduling and without faults. If it has not
  // ended then, that is a finding.
  long steps_per_run = 20'000;
  // Data races, and accesses to memory that was freed, are looked for in the first run and then in one of so many: such
  // a run takes three times as long. More: races that need a rare schedule are found later. 0: in none, for programs
  // whose threads meet through other things than sync::, such as std::atomic.
  long races_one_in = 1;
  // Whether `new` may throw std::bad_alloc in the program: each is a fault.
  bool allocations_fail = false;
  double seconds = 1e9;  // Of real time. Ends the exploration as if the strategy had no more runs.
};

struct Program {
  std::function<void()> body;
  // Called after each run that has found nothing of itself, outside of it. Returns what is wrong, if anything is.
  struct Verdict {
    Finding::Kind kind;
    std::string what;
  };
  std::function<std::optional<Verdict>()> judge = nullptr;
};

enum class Memory {
  kSequentiallyConsistent,  // Each load sees the last store.
  kWeak,  // Atomic operations may see older stores, within RC11: see memory_model.h. At most 32 threads.
};

// Runs `program` again and again until something is found or `strategy` has no more runs. `name` must be unique in the
// test: with CONCURRENT_FUTURES_SCHEDULE="NAME: SCHEDULE" in the environment only this program runs, once and along
// this schedule, and prints its table.
Exploration explore(std::string name, const Program& program, Strategy&& strategy, Limits limits = {},
                    Memory memory = Memory::kSequentiallyConsistent);
Exploration explore(std::string name, std::function<void()> body, Strategy&& strategy, Limits limits = {},
                    Memory memory = Memory::kSequentiallyConsistent);

// --- For programs. Only inside a run.

// Ends the run with a finding unless `holds`.
void expect(bool holds, std::string_view what);
// Runs each body on a thread of its own, named "client 1", "client 2", ..., and returns when all have ended.
void together(std::vector<std::function<void()>> clients);
// Lets others run until `holds`. A finding if that never comes under fair scheduling.
void eventually(const std::function<bool()>& holds, std::string_view what);
// A choice point, for code of the program that uses no sync:: and takes time.
void pass_time();
// Returns once nobody else can run: all others have ended or wait, be it for a time to come. If several threads ask for
// that, each returns.
void await_rest();
// How many threads of the run have not ended: the caller's, clients', and those that sync::thread has started.
int live_threads();
// The number of the thread that runs. Cancels a thread as pthread_cancel does; a thread that has ended is left alone.
int this_thread();
void cancel(int thread, std::source_location where = std::source_location::current());
// For what threads of a program share otherwise than through sync::, and one of them may change: what the caller does
// with `object` up to its next operation. No choice point. Only a search that preempts at races alone looks at it.
void meet(const void* object);
// A row of the table: what the program has done or seen.
void note(std::string_view what);
// While one lives, the simulator does not look at what this thread does with memory. For what the threads of a program
// write down together: a lock would order them, and so hide races of the code under test.
class Bookkeeping {
 public:
  Bookkeeping();
  ~Bookkeeping();
  Bookkeeping(const Bookkeeping&) = delete;
  Bookkeeping& operator=(const Bookkeeping&) = delete;

 private:
  const bool before_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATOR_H_
