#include "spec_tests/judges/concurrent.h"

#include <iterator>
#include <string>

namespace futures::spec_tests {

EpisodeReport run_concurrent(TracePlayer& player, const Trace& trace) {
  EpisodeReport report;
  report.deterministic = false;
  report.record = {.trace = trace, .policy = player.policy(trace.workers)};
  report.status = player.begin(trace);
  if (!report.status.ok()) return report;
  for (int index = 0; index < std::ssize(trace.steps); ++index) {
    report.status = player.issue(index);
    if (!report.status.ok()) break;
  }
  const absl::Status ended = player.finish();
  if (!report.status.ok()) return report;
  report.record.finished = ended.ok();
  report.record.stuck = std::string(ended.message());
  report.record.last = player.observe();
  report.record.history = player.history();
  judge_record(report);
  return report;
}

}  // namespace futures::spec_tests
