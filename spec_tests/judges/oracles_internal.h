// What the files of the oracles share. Private to the target :oracles.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_INTERNAL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_INTERNAL_H_

#include <vector>

#include "reference/model.h"
#include "spec_tests/judges/history.h"
#include "spec_tests/judges/oracles.h"

namespace futures::spec_tests {

// One record under judgement.
struct Judge {
  Judge(const Record& record, Findings& findings);

  model::Visible last_seen(int call) const;
  // Whether the last observation shows `call` as done.
  bool ended_done(int call) const;
  bool some_body_runs() const;
  // Whether `shutdown` must have closed the intake, and cancelled what it has to, before `moment`: it had returned, or
  // everything was quiet in between.
  bool effective_by(const OperationRecord& shutdown, Moment moment) const;

  const Record& record;
  const History history;
  Findings& findings;
  std::vector<int> accepted;  // But for those of maps, which have no future to look at.
};

void check_future_laws(Judge& judge);
void check_shutdown_laws(Judge& judge);
void check_wait_laws(Judge& judge);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_INTERNAL_H_
