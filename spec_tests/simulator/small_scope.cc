#include "spec_tests/simulator/small_scope.h"

#include <string>
#include <utility>
#include <vector>

namespace futures::simulator {
namespace {

using spec_tests::Body;
using spec_tests::Statement;
using spec_tests::Step;
using spec_tests::Trace;
using spec_tests::Verb;

constexpr int kClients = 2;

// Makes the programs: all of client 0's operations stand before client 1's in the text, so that its calls have the
// smaller numbers.
class Enumeration {
 public:
  Enumeration(const SmallScope& scope, const std::function<void(const Trace&)>& visit) : scope_(scope), visit_(visit) {}

  void run() {
    // How many calls there are must be known before client 0 may name those of client 1.
    for (int first = 0; first <= scope_.operations_per_client; ++first) {
      for (int second = 0; second <= scope_.operations_per_client; ++second) {
        submits_[0] = first;
        submits_[1] = second;
        if (first + second <= scope_.operations_in_all) fill(0);
      }
    }
  }

 private:
  int operations() const { return static_cast<int>(client_[0].size() + client_[1].size()); }

  // Goes on with the operations of `client`: ends them here, or adds each that may come next.
  void fill(int client) {
    std::vector<Statement>& done = client_[client];
    if (submitted_[client] == submits_[client]) {
      if (client + 1 < kClients) {
        fill(client + 1);
      } else {
        finish();
      }
    }
    if (static_cast<int>(done.size()) == scope_.operations_per_client || operations() == scope_.operations_in_all)
      return;
    for (const Statement& next : operations_of(client)) {
      done.push_back(next);
      submitted_[client] += next.verb == Verb::kSubmit ? 1 : 0;
      fill(client);
      submitted_[client] -= next.verb == Verb::kSubmit ? 1 : 0;
      done.pop_back();
    }
  }

  std::vector<Statement> operations_of(int client) const {
    std::vector<Statement> operations;
    bool destroyed = false;
    for (const Statement& before : client_[client]) destroyed = destroyed || before.verb == Verb::kDestroy;
    const int first_own = client == 0 ? 0 : submits_[0];
    if (!destroyed) {
      if (submitted_[client] < submits_[client]) {
        operations.push_back({.verb = Verb::kSubmit,
                              .call = first_own + submitted_[client],
                              .body = {Body{.value = first_own + submitted_[client]}}});
      }
      for (const bool wait : {true, false}) {
        for (const bool cancel : {true, false}) {
          operations.push_back({.verb = Verb::kShutdown, .wait = wait, .cancel_futures = cancel});
        }
      }
      operations.push_back({.verb = Verb::kDestroy});
    }
    for (int call = 0; call < submits_[0] + submits_[1]; ++call) {
      const bool own = call >= first_own && call < first_own + submits_[client];
      if (own && call >= first_own + submitted_[client]) continue;
      operations.push_back({.verb = Verb::kCancel, .call = call});
      operations.push_back({.verb = Verb::kResult, .call = call});
      operations.push_back({.verb = Verb::kPoll, .call = call});
      operations.push_back({.verb = Verb::kCallback, .call = call});
    }
    return operations;
  }

  Trace trace_with(int first) const {
    Trace trace{.workers = scope_.workers, .clients = kClients};
    for (int i = 0; i < kClients; ++i) {
      for (const Statement& statement : client_[i == 0 ? first : 1 - first]) {
        trace.steps.push_back(Step{.client = i, .statement = statement});
      }
    }
    return trace;
  }

  // The same program with the clients exchanged, its calls numbered in the order of the text again.
  Trace exchanged() const {
    Trace trace = trace_with(1);
    for (Step& step : trace.steps) {
      int& call = step.statement.call;
      if (call < 0) continue;
      call = call < submits_[0] ? call + submits_[1] : call - submits_[0];
      for (Body& body : step.statement.body) body.value = call;
    }
    return spec_tests::normalised(std::move(trace));
  }

  void finish() {
    Trace trace = spec_tests::normalised(trace_with(0));
    // Of two that only differ in who is called client 0, the one whose text is smaller.
    if (to_text(exchanged()) < to_text(trace)) return;
    visit_(trace);
  }

  const SmallScope scope_;
  const std::function<void(const Trace&)>& visit_;
  int submits_[kClients] = {};  // How many there are going to be.
  int submitted_[kClients] = {};
  std::vector<Statement> client_[kClients];
};

}  // namespace

void visit_programs(const SmallScope& scope, const std::function<void(const Trace&)>& visit) {
  Enumeration(scope, visit).run();
}

}  // namespace futures::simulator
