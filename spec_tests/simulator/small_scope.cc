#include "spec_tests/simulator/small_scope.h"

#include <limits>
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

// An operation of a client. There are a hundred times as many as there are traces, so it is small.
struct Next {
  Verb verb;
  int call = -1;
  bool wait = false;
  bool cancel_futures = false;
};

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
    std::vector<Next>& done = client_[client];
    if (submitted_[client] == submits_[client]) {
      if (client + 1 < kClients) {
        fill(client + 1);
      } else {
        finish();
      }
    }
    if (static_cast<int>(done.size()) == scope_.operations_per_client || operations() == scope_.operations_in_all)
      return;
    for (const Next& next : operations_of(client)) {
      done.push_back(next);
      submitted_[client] += next.verb == Verb::kSubmit ? 1 : 0;
      fill(client);
      submitted_[client] -= next.verb == Verb::kSubmit ? 1 : 0;
      done.pop_back();
    }
  }

  std::vector<Next> operations_of(int client) const {
    std::vector<Next> operations;
    bool destroyed = false;
    for (const Next& before : client_[client]) destroyed = destroyed || before.verb == Verb::kDestroy;
    const int first_own = client == 0 ? 0 : submits_[0];
    if (!destroyed) {
      if (submitted_[client] < submits_[client]) {
        operations.push_back({.verb = Verb::kSubmit, .call = first_own + submitted_[client]});
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
      for (const Verb verb : {Verb::kCancel, Verb::kResult, Verb::kPoll, Verb::kCallback}) {
        operations.push_back({.verb = verb, .call = call});
      }
    }
    return operations;
  }

  // The program as numbers, with client `first` as client 0.
  std::vector<int> numbers(int first) const {
    std::vector<int> numbers;
    for (const int client : {first, 1 - first}) {
      for (const Next& next : client_[client]) {
        // Client 0's calls come first.
        const int call = next.call < 0 || first == 0 ? next.call
                         : next.call < submits_[0]   ? next.call + submits_[1]
                                                     : next.call - submits_[0];
        numbers.push_back(rank(next) * 2 * scope_.operations_in_all + call + 1);
      }
      numbers.push_back(std::numeric_limits<int>::max());  // The longer one comes first.
    }
    return numbers;
  }

  // Of two programs that only differ in who is called client 0, the one with the smaller rank is visited.
  static int rank(const Next& next) {
    switch (next.verb) {
      case Verb::kCallback:
        return 0;
      case Verb::kCancel:
        return 1;
      case Verb::kDestroy:
        return 2;
      case Verb::kPoll:
        return 3;
      case Verb::kResult:
        return 4;
      case Verb::kShutdown:
        return 5 + (next.wait ? 2 : 0) + (next.cancel_futures ? 1 : 0);
      default:
        return 9;
    }
  }

  void finish() {
    if (numbers(1) < numbers(0)) return;
    Trace trace{.workers = scope_.workers, .clients = kClients};
    for (int client = 0; client < kClients; ++client) {
      for (const Next& next : client_[client]) {
        Statement statement{
            .verb = next.verb, .call = next.call, .wait = next.wait, .cancel_futures = next.cancel_futures};
        if (next.verb == Verb::kSubmit) statement.body = {Body{.value = next.call}};
        trace.steps.push_back(Step{.client = client, .statement = std::move(statement)});
      }
    }
    visit_(spec_tests::normalised(std::move(trace)));  // Numbers the callbacks.
  }

  const SmallScope scope_;
  const std::function<void(const Trace&)>& visit_;
  int submits_[kClients] = {};  // How many there are going to be.
  int submitted_[kClients] = {};
  std::vector<Next> client_[kClients];
};

}  // namespace

void visit_programs(const SmallScope& scope, const std::function<void(const Trace&)>& visit) {
  Enumeration(scope, visit).run();
}

}  // namespace futures::simulator
