// The conformance run: the checks of the laws and the traces, on each executor, counted by law.
#ifndef CONCURRENT_FUTURES_TOOLS_CONFORMANCE_RUN_H_
#define CONCURRENT_FUTURES_TOOLS_CONFORMANCE_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reference/coverage.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"

namespace futures::conformance {

struct Options {
  std::vector<std::string> executors;         // Names that the registry has.
  int traces = 200;
  std::uint64_t seed = 1;
  std::vector<std::string> laws;              // Only these; empty: all.
  std::optional<spec_tests::Trace> replay;    // Only this trace, and no checks of laws.
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

// One law on one executor.
struct Cell {
  int checked = 0;
  int violations = 0;
  std::string skipped;    // Why the law does not apply; empty if it does.
  bool required = false;  // It must have been checked.
};

struct Failure {
  std::string law;
  std::string what;
  std::string where;                        // The check, or which trace, and how it was run.
  std::optional<spec_tests::Trace> trace;   // Shrunk.
  std::string table;                        // Of the shrunk trace: each step, what was expected, what was seen.
};

struct ExecutorResult {
  std::string name;
  std::string missing;               // Why it could not run; empty if it did.
  std::map<std::string, Cell> laws;
  std::vector<Failure> failures;     // The first of each law.
  int traces = 0;                    // Run, each in both ways.
  int traces_not_asked = 0;          // Left out: the executor is known to differ there.
  int traces_given_up = 0;  // Of these, not judged step by step: too many worlds, or no say where a step ends.
  bool stopped_early = false;  // After several failing traces.
  model::Coverage coverage;    // What the histories of its traces have shown, where the model has them.
};

std::vector<ExecutorResult> run(const Options& options);

// Whether no law is violated, none that applies went unexercised, and every executor ran.
bool passed(const std::vector<ExecutorResult>& results);

}  // namespace futures::conformance

#endif  // CONCURRENT_FUTURES_TOOLS_CONFORMANCE_RUN_H_
