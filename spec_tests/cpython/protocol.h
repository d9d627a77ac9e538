// What driver.py says, read as values. Its file comment describes the form. Private to the target :cpython_player.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PROTOCOL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PROTOCOL_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"

namespace futures::spec_tests {

// Reads one line of a history. Internal if driver.py said something else.
absl::StatusOr<model::Event> parse_event(std::string_view line);

// Reads what follows the word `observation`. Internal if driver.py said something else.
absl::StatusOr<Observation> parse_observation(std::string_view text);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PROTOCOL_H_
