// The conformance run's results, for people and for programs.
#ifndef CONCURRENT_FUTURES_TOOLS_CONFORMANCE_REPORT_H_
#define CONCURRENT_FUTURES_TOOLS_CONFORMANCE_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/conformance_run.h"

namespace futures::conformance {

// Laws × executors, with counts, and a last line that says whether all is well.
std::string to_table(const std::vector<ExecutorResult>& results);

// What the histories of the traces have shown: kinds of events × executors, with counts.
std::string to_coverage_table(const std::vector<ExecutorResult>& results);

// {"seed":…, "traces":…, "executors":[{"name":…, "laws":[{"id":"S3","checked":n,"violations":n,"skipped":null}]}]}
std::string to_json(const std::vector<ExecutorResult>& results, std::uint64_t seed, int traces);

// One violation: law, seed, shrunk trace, its steps as expected and as seen, and the command that replays it. Writes
// the trace to a file in `folder` for that command.
std::string to_text(const Failure& failure, const std::string& executor, std::uint64_t seed, const std::string& folder);

}  // namespace futures::conformance

#endif  // CONCURRENT_FUTURES_TOOLS_CONFORMANCE_REPORT_H_
