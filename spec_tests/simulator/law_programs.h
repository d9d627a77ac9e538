// The checks of the laws as programs of the simulator. They are those of spec_tests/laws, built a second time.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_PROGRAMS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_PROGRAMS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "spec_tests/simulator/law_names.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/candidate.h"
#include "spec_tests/simulator/simulated/spec_tests/laws/law.h"
#include "spec_tests/simulator/simulator.h"

namespace futures::simulator {

// Checks that are not run here.
struct LeftOut {
  std::string_view law;  // "P": the whole group.
  std::string_view check;  // Empty: every check of the law.
  std::string_view reason;

  bool is_of(const LawName& name) const;
};

absl::Span<const LeftOut> left_out_checks();
bool is_left_out(const LawName& name);

// The checks that are built here and not left out, in the order of the laws.
std::vector<spec_tests::Law> law_checks();

// The check as a program: the first violation ends the run. `law` and `candidate` must outlive it.
std::function<void()> law_program(const spec_tests::Law& law, const spec_tests::Candidate& candidate);

// The strategies that a check is explored with. Their runs are as many as `steps` allow each, of the length of the
// plain run, and at least ten: more find more and take longer. Calls `explored` with each exploration, until it returns
// false.
//
// First the one run that departs nowhere from run-until-blocked, then a random walk, then PCT. The only faults are
// those that may happen at any time: a timeout that comes before its time would be a patience that has ended.
void explore_law(const std::string& name, const std::function<void()>& program, long steps,
                 const std::function<bool(const Exploration&)>& explored);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_PROGRAMS_H_
