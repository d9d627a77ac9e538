// How fast the simulator is: schedules a second, of two clients and one worker of the thread pool with three calls; and
// how long the small programs of every day take.
//
//   ./tools/bazel run -c opt //spec_tests/simulator:figures -- --json="$PWD/figures.json"
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_format.h"
#include "spec_tests/simulator/exhaustive_scopes.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.h"
#include "spec_tests/simulator/simulator.h"

ABSL_FLAG(std::string, json, "", "a file for the figures");
ABSL_FLAG(double, seconds, 5, "of each measurement");

namespace futures {
namespace {

using simulator::Memory;

void three_calls() {
  std::vector<Future<int>> futures(3);
  ThreadPoolExecutor executor({.max_workers = 1});
  const auto submit = [&](int call) { futures[call] = executor.submit([call] { return call; }); };
  simulator::together({[&] {
                         submit(0);
                         submit(1);
                         simulator::expect(futures[0].result() == 0, "E2: another result");
                       },
                       [&] {
                         submit(2);
                         simulator::expect(futures[2].result() == 2, "E2: another result");
                       }});
}

// Exits if something is found: the program would not be what is to be measured.
double schedules_per_second(std::string_view name, Memory memory, long races_one_in) {
  const simulator::Exploration explored = simulator::explore(
      std::string(name), &three_calls, simulator::RandomWalk({.runs = 1'000'000'000, .seed = 1, .faults = false}),
      {.races_one_in = races_one_in, .seconds = absl::GetFlag(FLAGS_seconds)}, memory);
  std::cout << explored.report();
  if (!explored.ok()) std::exit(1);
  return static_cast<double>(explored.schedules) / explored.seconds;
}

// Exits if something is found.
simulator::Covered explore_every_day() {
  simulator::Covered all;
  for (const simulator::Scope& scope : simulator::scopes_of_every_day()) {
    const simulator::Covered covered = simulator::explore_scope(scope);
    std::cout << to_text(scope) << ": " << to_text(covered) << std::endl;
    all.add(covered);
  }
  if (all.finding.empty()) return all;
  std::cerr << all.finding;
  std::exit(1);
}

int run() {
  const double sequential = schedules_per_second("no races looked for", Memory::kSequentiallyConsistent, 0);
  const double races = schedules_per_second("races looked for in each run", Memory::kSequentiallyConsistent, 1);
  const double weak = schedules_per_second("weak memory", Memory::kWeak, 0);
  const simulator::Covered exhaustive = explore_every_day();
  const std::string json = absl::StrFormat(
      "{\"schedules_per_second\": %.0f, \"schedules_per_second_with_races\": %.0f, "
      "\"weak_memory_schedules_per_second\": %.0f, "
      "\"exhaustive\": {\"programs\": %d, \"schedules\": %d, \"seconds\": %.1f}}\n",
      sequential, races, weak, exhaustive.programs, exhaustive.schedules, exhaustive.seconds);
  std::cout << json;
  const std::string path = absl::GetFlag(FLAGS_json);
  if (path.empty()) return 0;
  std::ofstream file(path);
  file << json << std::flush;
  if (!file) std::cerr << "cannot write " << path << "\n";
  return file ? 0 : 1;
}

}  // namespace
}  // namespace futures

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures the simulator: schedules a second, and the small programs.");
  absl::ParseCommandLine(argc, argv);
  return futures::run();
}
