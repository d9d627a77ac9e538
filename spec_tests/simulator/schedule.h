// What a run of the simulator chose: the data type, and its text form.
//
// A run is a sequence of choices, numbered from 0. Choice points with one option are not counted. Option 0 of each is
// what a run does by itself: the thread that runs goes on until it blocks, notify_one takes the longest waiter, nothing
// fails, memory is sequentially consistent. A schedule lists where a run departs from that.
//
// The text form: `choice:option` pairs with spaces between, such as "12:1 40:2". The empty text is the run without
// deviations.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SCHEDULE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SCHEDULE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace futures::simulator {

struct Deviation {
  int choice = 0;  // Its number in the run.
  int option = 0;
  friend bool operator==(const Deviation&, const Deviation&) = default;
};

// In ascending order of the choices.
using Schedule = std::vector<Deviation>;

std::string to_text(const Schedule& schedule);
// Nothing if the text is not of this form.
std::optional<Schedule> parse_schedule(std::string_view text);

// A place in a run where it could go on in more than one way.
struct Choice {
  enum class Kind {
    kThread,  // Who runs next.
    kWaiter,  // Whom notify_one wakes.
    kWeakFailure,  // 1: a compare_exchange_weak fails for no reason.
    kStartFailure,  // 1: a thread cannot be started.
    kAllocationFailure,  // 1: `new` throws std::bad_alloc.
    kStoreRead,  // Of weak memory: which store an operation reads. 0 is the newest, then older and older ones.
    kStorePlace,  // Of weak memory: where a store comes in modification order. 0 is the end, then before more and more.
  };
  Kind kind = Kind::kThread;
  int options = 2;
  // Options from here on are faults: a wait that ends for no reason, a timeout before its time, a failure.
  int first_fault = 1;
  // Faults before this one may happen at any time: a wait that ends for no reason, a weak compare-and-swap that fails.
  int spurious_end = 1;
  // Whether every option but the first takes the processor from a thread that could have gone on.
  bool preempts = false;
  // Of kThread: the threads of options 0, 1, ... below first_fault. Numbered in the order of their start.
  const int* threads = nullptr;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SCHEDULE_H_
