#include "spec_tests/simulator/law_programs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "spec_tests/simulator/simulated/spec_tests/laws/groups.h"

namespace futures::simulator {

using spec_tests::Candidate;
using spec_tests::Law;
using spec_tests::LawRun;

bool LeftOut::is_of(const LawName& name) const {
  const bool is_law = name.law == law || (law == "P" && name.law.starts_with("P"));
  return is_law && (check.empty() || name.check == check);
}

absl::Span<const LeftOut> left_out_checks() {
  static constexpr LeftOut kLeftOut[] = {
      {"S8", "", "ends the program"},
      {"T1", "ByDefaultTheCpusOfThisProcess", "confines a thread of the system to one CPU"},
      {"T2", "AnIdleThreadThatIsCancelledIsReplaced", "cancels another thread by its pthread_t"},
      {"T3", "", "asks the kernel for the names of threads"},
      {"T5", "", "takes threads from a child process"},
      {"T9", "", "forks"},
      {"T10", "", "asks the kernel for the signals and stacks of threads"},
      {"P", "", "a law of process pools"},
  };
  return kLeftOut;
}

bool is_left_out(const LawName& name) {
  const absl::Span<const LeftOut> entries = left_out_checks();
  return std::any_of(entries.begin(), entries.end(), [&](const LeftOut& entry) { return entry.is_of(name); });
}

std::vector<Law> law_checks() {
  std::vector<Law> checks;
  for (const absl::Span<const Law> group :
       {spec_tests::submit_laws(), spec_tests::argument_laws(), spec_tests::exception_laws(), spec_tests::order_laws(),
        spec_tests::call_laws(), spec_tests::future_laws(), spec_tests::promise_laws(), spec_tests::callback_laws(),
        spec_tests::wait_laws(), spec_tests::as_completed_laws(), spec_tests::map_laws(),
        spec_tests::map_variant_laws(), spec_tests::shutdown_laws(), spec_tests::lifetime_laws(),
        spec_tests::deadline_laws(), spec_tests::thread_laws(), spec_tests::stop_laws()}) {
    for (const Law& law : group) {
      if (!is_left_out({.law = law.id, .check = law.name})) checks.push_back(law);
    }
  }
  return checks;
}

std::function<void()> law_program(const Law& law, const Candidate& candidate) {
  return [&law, &candidate] {
    LawRun run(candidate, [&law](std::string_view what) { expect(false, absl::StrCat(law.id, ": ", what)); });
    law.check(run);
    expect(run.checked() > 0, absl::StrCat(law.id, ": the law's premise never held"));
  };
}

void explore_law(const std::string& name, const std::function<void()>& program, long steps,
                 const std::function<bool(const Exploration&)>& explored) {
  constexpr Limits kLimits{.steps_per_run = 2'000'000,  // A check may make hundreds of calls.
                           .races_one_in = 0};
  constexpr long kRunsMin = 10;
  constexpr long kRunsMax = 500;
  const Exploration plain = explore(name, program, Replay({}), kLimits);
  if (!explored(plain)) return;
  const long runs = std::clamp(steps / std::max(plain.steps, 1L), kRunsMin, kRunsMax);
  if (!explored(explore(name, program, RandomWalk({.runs = runs, .only_spurious = true}), kLimits))) return;
  (void)explored(explore(name, program, Pct({.runs = runs}), kLimits));
}

}  // namespace futures::simulator
