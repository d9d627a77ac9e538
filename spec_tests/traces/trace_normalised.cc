// Fits traces into their bounds.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_verbs.h"

namespace futures::spec_tests {
namespace {

// Fits statements into the bounds, outermost first, and notes which number each remaining call had.
class Fitter {
 public:
  // The statement with every number in its bounds and what its verb does not use blank; nothing if there is no room for
  // it. `depth` is the number of bodies around it.
  std::optional<Statement> fit(Statement statement, int depth) {
    const bool in_body = depth > 0;
    Statement fitted;
    fitted.verb = row_of(statement.verb).verb;
    if (in_body && fitted.verb == Verb::kResult) fitted.verb = Verb::kPoll;
    if (in_body && fitted.verb == Verb::kRelease) fitted.verb = Verb::kGate;
    if (!in_body && fitted.verb == Verb::kGate) fitted.verb = Verb::kRelease;
    if (in_body && !row_of(fitted.verb).in_bodies) return std::nullopt;
    switch (row_of(fitted.verb).operands) {
      case Operands::kCallAndBody:
        if (depth >= kNestingMax || numbers_before_.size() >= kCallsMax) return std::nullopt;
        numbers_before_.push_back(statement.call);
        fitted.call = static_cast<int>(numbers_before_.size()) - 1;
        statement.body.resize(1);
        fitted.body.push_back(fit(std::move(statement.body[0]), depth + 1));
        break;
      case Operands::kCall:
      case Operands::kCallAndRegistration:
        fitted.call = statement.call;
        break;
      case Operands::kShutdown:
        fitted.wait = statement.wait;
        fitted.cancel_futures = statement.cancel_futures;
        break;
      case Operands::kGate:
        fitted.gate = std::clamp(statement.gate, 0, kGatesMax - 1);
        break;
      case Operands::kWait:
        fitted.wait_for = std::clamp(statement.wait_for, WaitFor::kAll, WaitFor::kException);
        [[fallthrough]];
      case Operands::kCalls:
        fitted.calls = statement.calls;
        fitted.poll = statement.poll;
        break;
      case Operands::kInputs:
        statement.body.resize(1);
        std::erase_if(statement.body[0].statements, [](const Statement& input) { return input.verb != Verb::kSubmit; });
        fitted.body.push_back(fit(std::move(statement.body[0]), depth + 1));
        if (fitted.body[0].statements.empty()) return std::nullopt;
        fitted.body[0].throws = false;
        fitted.body[0].value = std::min(fitted.body[0].value, static_cast<int>(fitted.body[0].statements.size()));
        break;
      case Operands::kNothing:
        break;
    }
    return fitted;
  }

  // The number that the call once numbered `before` has now. A removed call's references go to the remaining one before
  // it, so that removing a submit keeps its neighbours' cancels and callbacks. Requires a remaining call.
  int number_now(int before) const {
    int best = -1;
    for (int now = 0; now < static_cast<int>(numbers_before_.size()); ++now) {
      if (numbers_before_[now] > before) continue;
      if (best < 0 || numbers_before_[now] > numbers_before_[best]) best = now;
    }
    return std::max(best, 0);
  }

  bool has_calls() const { return !numbers_before_.empty(); }

 private:
  Body fit(Body body, int depth) {
    Body fitted;
    fitted.throws = body.throws;
    fitted.value = std::clamp(body.value, 0, kValueMax);
    for (Statement& statement : body.statements) {
      if (fitted.statements.size() >= kBodyStatementsMax) break;
      if (auto kept = fit(std::move(statement), depth)) fitted.statements.push_back(*std::move(kept));
    }
    return fitted;
  }

  std::vector<int> numbers_before_;  // By number now.
};

// Removes what names calls, for a trace that has none.
void drop_references(Trace& trace) {
  std::erase_if(trace.steps, [](const Step& step) { return names_call(row_of(step.statement.verb).operands); });
  for (Step& step : trace.steps) step.statement.calls = 0;
}

// The calls of `before`, by the numbers that they have now.
std::uint16_t numbers_now(const Fitter& fitter, std::uint16_t before) {
  std::uint16_t now = 0;
  for (int call = 0; call < kCallsMax; ++call) {
    if ((before >> call & 1) != 0) now |= static_cast<std::uint16_t>(1u << fitter.number_now(call));
  }
  return now;
}

// In ascending order, one deviation for each choice, every number in its bounds.
simulator::Schedule normalised(simulator::Schedule schedule) {
  std::erase_if(schedule, [](const simulator::Deviation& deviation) {
    return deviation.choice < 0 || deviation.choice > kChoiceMax || deviation.option < 1;
  });
  const auto choice = [](const simulator::Deviation& deviation) { return deviation.choice; };
  std::ranges::stable_sort(schedule, {}, choice);
  const auto repeated = std::ranges::unique(schedule, {}, choice);
  schedule.erase(repeated.begin(), repeated.end());
  if (schedule.size() > kDeviationsMax) schedule.resize(kDeviationsMax);
  for (simulator::Deviation& deviation : schedule) deviation.option = std::min(deviation.option, kOptionMax);
  return schedule;
}

}  // namespace

Trace normalised(Trace trace) {
  Trace fitted;
  fitted.schedule = normalised(std::move(trace.schedule));
  fitted.workers = std::clamp(trace.workers, 1, kTraceWorkersMax);
  fitted.clients = std::clamp(trace.clients, 1, kClientsMax);
  Fitter fitter;
  for (Step& step : trace.steps) {
    if (fitted.steps.size() >= kStepsMax) break;
    const int client = std::clamp(step.client, 0, fitted.clients - 1);
    if (auto statement = fitter.fit(std::move(step.statement), /*depth=*/0)) {
      fitted.steps.push_back({.client = client, .statement = *std::move(statement)});
    }
  }
  if (!fitter.has_calls()) drop_references(fitted);
  int registrations = 0;
  visit_statements(fitted, [&](Statement& statement) {
    const Operands operands = row_of(statement.verb).operands;
    if (names_call(operands)) statement.call = fitter.number_now(statement.call);
    statement.calls = numbers_now(fitter, statement.calls);
    if (operands == Operands::kCallAndRegistration) statement.registration = registrations++;
  });
  return fitted;
}

}  // namespace futures::spec_tests
