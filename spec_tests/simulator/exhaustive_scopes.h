// Scopes of small programs, each program on every schedule within a bound on preemptions: what small_scope_test holds
// and `figures` counts.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXHAUSTIVE_SCOPES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXHAUSTIVE_SCOPES_H_

#include <functional>
#include <string>
#include <vector>

namespace futures::simulator {

// An executor with clients, or a promise and its future alone.
struct Scope {
  std::string executor;  // One of simulated_executors(), or kPromise.
  int workers = 1;  // Of the executor.
  int operations_per_client = 2;
  int operations_in_all = 4;
  int preemptions = 1;
  bool only_races = true;  // As in Exhaustive::Bounds.
};
inline constexpr char kPromise[] = "promise";

std::string to_text(const Scope& scope);

struct Covered {
  long programs = 0;
  long schedules = 0;
  long histories = 0;
  double seconds = 0;
  std::string finding;  // The first, with its program; nothing is explored after it.

  void add(const Covered& other);
};

std::string to_text(const Covered& covered);

// `part` of `parts` explores every `parts`-th program.
Covered explore_scope(const Scope& scope, int part = 0, int parts = 1);

// Those of continuous integration.
const std::vector<Scope>& scopes_of_every_day();

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_EXHAUSTIVE_SCOPES_H_
