#include "spec_tests/traces/trace_operation.h"

#include <cstdint>
#include <vector>

namespace futures::spec_tests {
namespace {

using model::Call;
using model::OpKind;

OpKind kind_of(Verb verb) {
  switch (verb) {
    case Verb::kSubmit:
      return OpKind::kSubmit;
    case Verb::kCancel:
      return OpKind::kCancel;
    case Verb::kResult:
      return OpKind::kResult;
    case Verb::kPoll:
      return OpKind::kPoll;
    case Verb::kCallback:
      return OpKind::kAddCallback;
    case Verb::kShutdown:
      return OpKind::kShutdown;
    case Verb::kWait:
      return OpKind::kWait;
    case Verb::kDestroy:
      return OpKind::kDestroy;
    case Verb::kRelease:
    case Verb::kGate:
    case Verb::kAsCompleted:
    case Verb::kMap:
      return OpKind::kNone;
  }
  return OpKind::kNone;
}

model::ReturnWhen when_of(WaitFor wait_for) {
  switch (wait_for) {
    case WaitFor::kAll:
      return model::ReturnWhen::kAllCompleted;
    case WaitFor::kFirst:
      return model::ReturnWhen::kFirstCompleted;
    case WaitFor::kException:
      return model::ReturnWhen::kFirstException;
  }
  return model::ReturnWhen::kAllCompleted;
}

}  // namespace

model::Operation operation_of(const Statement& statement) {
  return {.kind = kind_of(statement.verb),
          .call = static_cast<Call>(statement.call),
          .registration = static_cast<std::int8_t>(statement.registration),
          .wait = statement.wait,
          .cancel_futures = statement.cancel_futures,
          .calls = statement.calls,
          .when = when_of(statement.wait_for),
          .poll = statement.poll};
}

bool needs_executor(Verb verb) {
  return verb == Verb::kSubmit || verb == Verb::kShutdown || verb == Verb::kMap || verb == Verb::kDestroy;
}

model::CallSet calls_between(const Statement& map, std::size_t begin, std::size_t end) {
  const std::vector<Statement>& inputs = map.body[0].statements;
  model::CallSet calls = 0;
  for (std::size_t i = begin; i < end; ++i) calls |= model::set_of(static_cast<Call>(inputs[i].call));
  return calls;
}

}  // namespace futures::spec_tests
