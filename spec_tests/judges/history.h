// A recorded history, sorted by what it says about each operation, call and callback.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_HISTORY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_HISTORY_H_

#include <cstddef>
#include <limits>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "reference/model.h"

namespace futures::spec_tests {

// A place in the history; smaller is earlier.
using Moment = std::size_t;
inline constexpr Moment kNever = std::numeric_limits<Moment>::max();

struct OperationRecord {
  model::Client client = model::kWorker;
  model::Operation operation;
  model::Reply reply;
  Moment invoked = kNever;
  Moment returned = kNever;

  bool has_returned() const { return returned != kNever; }
};

struct CallRecord {
  int submit = -1;  // Index of its submit in History::operations.
  std::vector<Moment> starts;
  std::vector<Moment> ends;
  model::Reply outcome;  // Of the last end.
  Moment known_done = kNever;  // When a reply first said so: everyone can know from then on.
};

struct CallbackRecord {
  struct Run {
    Moment at = kNever;
    model::Client client = model::kWorker;
  };
  int add = -1;  // Index of its add_done_callback in History::operations.
  std::vector<Run> runs;
};

struct History {
  explicit History(absl::Span<const model::Event> events);

  bool accepted(int call) const;
  // Whether a submit with this reply was the call's.
  bool refused(int call) const;
  Moment submitted(int call) const;           // When its submit had returned; kNever unless accepted.
  Moment submit_began(int call) const;        // When its submit was invoked; kNever if it was not.

  std::vector<OperationRecord> operations;
  std::map<int, CallRecord> calls;            // By call; every one that an event names.
  std::map<int, CallbackRecord> callbacks;    // By registration.
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_HISTORY_H_
