// Coverage: which kinds of events, with which replies, histories have shown.
//
// Only what a history records is counted: what was seen is certain. The model's internal steps lie between the events,
// and a history may leave open which were taken, so none of them is counted.
#ifndef CONCURRENT_FUTURES_REFERENCE_COVERAGE_H_
#define CONCURRENT_FUTURES_REFERENCE_COVERAGE_H_

#include <map>
#include <string>
#include <vector>

#include "reference/model.h"

namespace futures::model {

// The kind of an event that an executor or a body shows: "cancel returns true", "body ends with an error". Empty for an
// invocation, which is the client's. `operation` is the one that a return ends; other events do not need it.
std::string kind_of(const Event& event, const Operation& operation);

// How often each kind was seen.
//
// Not thread-safe. Example:
//   Coverage coverage;
//   coverage.add(history);
//   for (const std::string& kind : coverage.never_seen()) std::cout << kind << " was never seen\n";
class Coverage {
 public:
  // Counts a history that the model accepts.
  void add(const std::vector<Event>& history);

  // By kind_of.
  const std::map<std::string, int>& seen() const { return seen_; }

  // Those of kinds_of_events() that no history has shown.
  std::vector<std::string> never_seen() const;

 private:
  std::map<std::string, int> seen_;
};

// Every kind that the model can show under the policies of our executors, sorted.
const std::vector<std::string>& kinds_of_events();

}  // namespace futures::model

#endif  // CONCURRENT_FUTURES_REFERENCE_COVERAGE_H_
