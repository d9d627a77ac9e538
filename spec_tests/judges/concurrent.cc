#include "spec_tests/judges/concurrent.h"

#include <iterator>
#include <string>

namespace futures::spec_tests {

EpisodeReport run_concurrent(Subject& subject, const Trace& trace) {
  EpisodeReport report;
  report.deterministic = false;
  report.record = {.trace = trace, .policy = subject.policy(trace.workers)};
  report.status = subject.begin(trace);
  if (!report.status.ok()) return report;
  for (int index = 0; index < std::ssize(trace.steps); ++index) {
    report.status = subject.issue(index);
    if (!report.status.ok()) break;
  }
  const absl::Status ended = subject.finish();
  if (!report.status.ok()) return report;
  report.record.finished = ended.ok();
  report.record.stuck = std::string(ended.message());
  report.record.last = subject.observe();
  report.record.history = subject.history();
  judge_record(report);
  return report;
}

}  // namespace futures::spec_tests
