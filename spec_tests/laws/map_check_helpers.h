// What the checks of map share: inputs that count, and calls that end one by one.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_MAP_CHECK_HELPERS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_MAP_CHECK_HELPERS_H_

#include <functional>
#include <memory>
#include <ranges>
#include <set>
#include <stdexcept>
#include <vector>

#include "futures/map.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {

// For a map whose calls end: a broken executor makes a violation, and no hang.
inline constexpr MapOptions kPatient{.timeout = kPatience};

inline int doubled(int x) { return 2 * x; }

// The results of a range, in its order.
template <typename Range>
std::vector<int> collect(Range&& range) {
  std::vector<int> results;
  for (const int result : range) results.push_back(result);
  return results;
}

// The same, read on behind errors: -1 for each item that throws an E.
template <typename E, typename Range>
std::vector<int> collect_past(Range&& range) {
  std::vector<int> results;
  for (auto it = range.begin(); it != range.end(); ++it) {
    try {
      results.push_back(*it);
    } catch (const E&) {
      results.push_back(-1);
    }
  }
  return results;
}

// An endless input 0, 1, 2, ... that counts how many of its items were taken.
inline auto endless(const SharedCount& taken) {
  return std::views::iota(0) | std::views::transform([taken](int i) {
           taken.add();
           return i;
         });
}

// Whether an attempt succeeds that needs results of calls that have ended. They are there at once where calls run on
// threads: then the first attempt counts. Of another process the program hears a little later, and no map says when.
inline bool ready_at_some_attempt(const LawRun& run, const std::function<bool()>& attempt) {
  return in_processes(run) ? soon(attempt) : attempt();
}

// What a check tells its calls, and what it sees of them: each item has a gate of its own.
class GatedMap {
 public:
  explicit GatedMap(int items) : gates_(std::make_shared<std::vector<Gate>>(items)) {}
  GatedMap(const GatedMap&) = delete;
  GatedMap& operator=(const GatedMap&) = delete;
  ~GatedMap() { open_all(); }

  // A call: the item passes its gate and is the result; it throws if it is in `failing`.
  auto call(const std::set<int>& failing = {}) const {
    std::vector<Gate::Entrance> entrances;
    for (const Gate& gate : *gates_) entrances.push_back(gate.entrance());
    return bind_travelling(
        [](const std::vector<Gate::Entrance>& at, const std::set<int>& fails, const CountedObject&, int item) {
          at.at(item).pass();
          if (fails.contains(item)) throw std::out_of_range("as it was told");
          return item;
        },
        entrances, failing, CountedObject(counts_));
  }

  void open(int item) const { gates_->at(item).open(); }
  void open_all() const {
    for (const Gate& gate : *gates_) gate.open();
  }
  // Waits until the call of the item runs. Returns whether it does.
  bool running(int item) const { return gates_->at(item).await_arrivals(1); }
  bool has_run(int item) const { return gates_->at(item).arrived() > 0; }
  int runs() const {
    int runs = 0;
    for (const Gate& gate : *gates_) runs += gate.arrived();
    return runs;
  }
  // How many callables there are here: one for each call that is pending or running, and what the map range itself
  // keeps.
  int callables() const { return counts_.alive(); }
  // How many callables `calls` keep that are pending or running. What goes to another process is let go of once it is
  // encoded, in submit; then only their runs tell of them.
  static int calls_kept(const LawRun& run, int calls) { return in_processes(run) ? 0 : calls; }

 private:
  const std::shared_ptr<std::vector<Gate>> gates_;
  const CopyCounts counts_ = CopyCounts::begin();
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_MAP_CHECK_HELPERS_H_
