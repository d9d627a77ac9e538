// Statements of a trace as the model's operations.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_OPERATION_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_OPERATION_H_

#include <cstddef>

#include "reference/model.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// The operation that a statement stands for. OpKind::kNone for the verbs of gates, and for as_completed and map, which
// stand for several.
model::Operation operation_of(const Statement& statement);

// Whether it is done to the executor itself, so that there must be one.
bool needs_executor(Verb verb);

// The calls of a map's inputs number `begin` to `end` - 1.
model::CallSet calls_between(const Statement& map, std::size_t begin, std::size_t end);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_OPERATION_H_
