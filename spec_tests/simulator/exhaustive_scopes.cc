#include "spec_tests/simulator/exhaustive_scopes.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "futures/internal/time.h"
#include "spec_tests/simulator/future_scope.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/small_scope.h"
#include "spec_tests/simulator/trace_program.h"
#include "spec_tests/traces/trace.h"

namespace futures::simulator {
namespace {

std::string count_text(int count, std::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

// Every `parts`-th program of a scope, until something is found.
class Explorer {
 public:
  Explorer(const Scope& scope, int part, int parts) : scope_(scope), part_(part), parts_(parts) {}

  // `TheProgram` is a FutureProgram or a TraceProgram, which `make` makes.
  template <typename Make, typename Text>
  void explore_one(const Make& make, const Text& text) {
    if (!covered_.finding.empty() || visited_++ % parts_ != part_) return;
    auto program = make();
    const Exploration explored =
        explore(absl::StrCat(scope_.executor, " program ", visited_ - 1), program.program(),
                Exhaustive({.preemptions = scope_.preemptions, .only_races = scope_.only_races}), {.races_one_in = 0});
    ++covered_.programs;
    covered_.schedules += explored.schedules;
    covered_.histories += static_cast<long>(program.histories().size());
    if (!explored.ok()) covered_.finding = absl::StrCat(to_text(scope_), "\n", text(), explored.report());
  }

  Covered& covered() { return covered_; }

 private:
  const Scope& scope_;
  const int part_;
  const int parts_;
  int visited_ = 0;
  Covered covered_;
};

}  // namespace

std::string to_text(const Scope& scope) {
  std::string text = scope.executor;
  if (scope.executor != kPromise) absl::StrAppend(&text, ", ", count_text(scope.workers, "worker"));
  absl::StrAppend(&text, ", up to ", count_text(scope.operations_per_client, "operation"), " of each client and ",
                  scope.operations_in_all, " in all, up to ", count_text(scope.preemptions, "preemption"),
                  scope.only_races ? "" : ", all schedules");
  return text;
}

void Covered::add(const Covered& other) {
  programs += other.programs;
  schedules += other.schedules;
  histories += other.histories;
  seconds += other.seconds;
  if (finding.empty()) finding = other.finding;
}

std::string to_text(const Covered& covered) {
  return absl::StrFormat("%d programs, %d schedules, %d histories, %.1f s", covered.programs, covered.schedules,
                         covered.histories, covered.seconds);
}

Covered explore_scope(const Scope& scope, int part, int parts) {
  const auto start = std::chrono::steady_clock::now();
  Explorer explorer(scope, part, parts);
  if (scope.executor == kPromise) {
    visit_future_scripts(scope.operations_per_client, scope.operations_in_all, [&](const FutureScript& script) {
      explorer.explore_one([&] { return FutureProgram(script); }, [&] { return to_text(script); });
    });
  } else {
    const SmallScope programs = {scope.workers, scope.operations_per_client, scope.operations_in_all};
    visit_programs(programs, [&](const spec_tests::Trace& trace) {
      explorer.explore_one([&] { return TraceProgram(scope.executor, trace); }, [&] { return to_text(trace); });
    });
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  explorer.covered().seconds = seconds.count();
  return explorer.covered();
}

const std::vector<Scope>& scopes_of_every_day() {
  // Each takes half a minute or less; every second one goes to the other shard of the test.
  static const auto* const scopes = new std::vector<Scope>{
      {kPromise, 0, 2, 4, 2},      {"thread_pool", 1, 2, 4, 2}, {"thread_pool", 2, 2, 4, 1},
      {"reference", 2, 2, 4, 1},   {"thread_pool", 1, 3, 4, 1}, {kPromise, 0, 3, 4, 1},
      {"thread_pool", 2, 2, 2, 2}, {"thread_pool", 2, 3, 3, 1}, {"reference", 1, 2, 4, 1},
  };
  return *scopes;
}

}  // namespace futures::simulator
