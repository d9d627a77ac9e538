// The table of verbs: what trace.cc and trace_bytes.cc share. Private to the target :trace.
//
// A new verb takes a row here, a place in the opcode tables of trace_bytes.cc, and, if its operands are of a new kind,
// one case in each switch over Operands: the compiler names them all.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_VERBS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_VERBS_H_

#include <cstdint>
#include <string_view>

#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// What stands behind a verb. Code that treats verbs alike goes by this, not by the verb.
enum class Operands : std::uint8_t {
  kCallAndBody,
  kCall,
  kCallAndRegistration,
  kShutdown,
  kGate,
  kWait,
  kCalls,
  kInputs,
  kNothing,
};

struct VerbRow {
  Verb verb;
  std::string_view word;
  Operands operands;
  bool in_steps;
  bool in_bodies;
};

inline constexpr std::string_view kWaitForWords[] = {"all", "first", "exception"};  // By WaitFor.

// A body never waits for a call (all workers could), and a gate is opened by the program, not by the executor's work.
inline constexpr VerbRow kVerbs[] = {
    {Verb::kSubmit, "submit", Operands::kCallAndBody, true, true},
    {Verb::kCancel, "cancel", Operands::kCall, true, true},
    {Verb::kResult, "result", Operands::kCall, true, false},
    {Verb::kPoll, "poll", Operands::kCall, true, true},
    {Verb::kCallback, "callback", Operands::kCallAndRegistration, true, true},
    {Verb::kShutdown, "shutdown", Operands::kShutdown, true, true},
    {Verb::kRelease, "release", Operands::kGate, true, false},
    {Verb::kGate, "gate", Operands::kGate, false, true},
    {Verb::kWait, "wait", Operands::kWait, true, false},
    {Verb::kAsCompleted, "as_completed", Operands::kCalls, true, false},
    {Verb::kMap, "map", Operands::kInputs, true, false},
    {Verb::kDestroy, "destroy", Operands::kNothing, true, false},
};

inline const VerbRow& row_of(Verb verb) {
  for (const VerbRow& row : kVerbs) {
    if (row.verb == verb) return row;
  }
  return kVerbs[0];  // Not a verb at all; normalised() makes it one.
}

inline const VerbRow* row_of(std::string_view word) {
  for (const VerbRow& row : kVerbs) {
    if (row.word == word) return &row;
  }
  return nullptr;
}

inline bool names_call(Operands operands) {
  return operands == Operands::kCall || operands == Operands::kCallAndRegistration;
}

// Calls visit(statement) for every statement of the trace, nested ones too, in the order of the text.
template <typename StatementType, typename Visit>
void visit_statement(StatementType& statement, const Visit& visit) {
  visit(statement);
  for (auto& body : statement.body) {
    for (auto& nested : body.statements) visit_statement(nested, visit);
  }
}

template <typename TraceType, typename Visit>
void visit_statements(TraceType& trace, const Visit& visit) {
  for (auto& step : trace.steps) visit_statement(step.statement, visit);
}

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_TRACES_TRACE_VERBS_H_
