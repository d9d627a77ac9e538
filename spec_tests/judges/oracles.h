// The laws as predicates over what was seen of one trace on one executor.
//
// They know nothing of the model: each is written from its law's text. The model judges more strictly; these say which
// law it was.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// How often each law's premise held, and what broke it.
struct Findings {
  struct Violation {
    std::string law;
    std::string what;
  };

  // The premise of `law` held; it is violated unless `kept`.
  void check(std::string_view law, bool kept, std::string_view what);
  void add(const Findings& other);
  bool violates(std::string_view law) const;

  std::map<std::string, int> checked;  // By law.
  std::vector<Violation> violations;
};

// Everything seen of one trace on one executor.
struct Record {
  struct Quiet {
    int step = 0;            // Of the trace.
    std::size_t events = 0;  // How many there had been by then.
    Observation seen;
  };

  Trace trace;
  model::Policy policy;
  std::vector<Quiet> quiet;  // After steps, once nothing happened any more. Empty if nobody waited for that.
  std::vector<model::Event> history;
  bool finished = false;  // Whether the epilogue came to its end in time.
  std::string stuck;  // What did not, if not.
  Observation last;  // After the epilogue, or when it was given up.
};

// The laws that check_laws looks at.
absl::Span<const std::string_view> oracle_laws();

Findings check_laws(const Record& record);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_JUDGES_ORACLES_H_
