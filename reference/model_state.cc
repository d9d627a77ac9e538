// Functions that read a state: what is visible, counts, and its fingerprint.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/model.h"

namespace futures::model {
namespace {

bool holds_worker(Phase phase) {
  return phase == Phase::kTaken || phase == Phase::kClaimed || phase == Phase::kStarted || phase == Phase::kEnded;
}

// The words of a state. Two different states with the same numbers of clients, calls and callbacks have different
// words.
class Fingerprint {
 public:
  void add(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15u;
    hash_ ^= hash_ >> 32;
  }
  void add(const Reply& reply) { add(bits(reply)); }
  void add(const ClientState& client) {
    const Operation& operation = client.operation;
    add(byte(client.phase) | byte(operation.kind) << 8 | byte(operation.call) << 16 |
        byte(operation.registration) << 24 | byte(operation.wait) << 32 | byte(operation.cancel_futures) << 33 |
        byte(operation.when) << 34 | byte(operation.poll) << 36 | bits(client.reply) << 40);
    if (operation.calls != 0) add(std::uint64_t{operation.calls} << 16 | client.due);
  }
  void add(const CallState& call) {
    add(byte(call.phase) | byte(call.starts) << 8 | bits(call.outcome) << 16 | byte(call.ahead) << 48);
  }
  void add(const CallbackState& callback) {
    add(byte(callback.phase) | byte(callback.call) << 8 | byte(callback.late) << 16 | byte(callback.runs_on) << 24 |
        byte(callback.ahead) << 32);
  }
  std::uint64_t hash() const { return hash_; }

 private:
  template <typename T>
  static std::uint64_t byte(T value) {
    return static_cast<std::uint8_t>(value);
  }
  static std::uint64_t bits(const Reply& reply) {
    return byte(reply.kind) | std::uint64_t{static_cast<std::uint16_t>(reply.value)} << 8;
  }

  std::uint64_t hash_ = 0x2545F4914F6CDD1Du;
};

}  // namespace

State initial_state(int clients) {
  State state;
  state.clients.resize(std::clamp(clients, 0, kModelClientsMax));
  return state;
}

Visible visible(const State& state, Call call) {
  switch (phase_of(state, call)) {
    case Phase::kAbsent:
      return Visible::kAbsent;
    case Phase::kPending:
    case Phase::kTaken:
      return Visible::kPending;
    case Phase::kClaimed:
    case Phase::kStarted:
    case Phase::kEnded:
      return Visible::kRunning;
    case Phase::kFinished:
      return Visible::kFinished;
    case Phase::kCancelled:
      return Visible::kCancelled;
  }
  return Visible::kAbsent;
}

Reply result_of(const State& state, Call call) {
  if (!is_done(state, call)) return {};
  return phase_of(state, call) == Phase::kCancelled ? Reply{ReplyKind::kCancelled} : state.calls[call].outcome;
}

const ClientState* find_client(const State& state, Client client) {
  if (client < 0) return nullptr;
  const bool body = is_body_client(client);
  const std::size_t index = static_cast<std::size_t>(body ? call_of_body(client) : client);
  if (index >= (body ? state.bodies.size() : state.clients.size())) return nullptr;
  return body ? &state.bodies[index] : &state.clients[index];
}

std::vector<Client> clients_of(const State& state) {
  std::vector<Client> clients;
  clients.reserve(state.clients.size());
  for (std::size_t i = 0; i < state.clients.size(); ++i) clients.push_back(static_cast<Client>(i));
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    if (state.calls[i].phase == Phase::kStarted) clients.push_back(body_client(static_cast<Call>(i)));
  }
  return clients;
}

int count_occupied(const State& state) {
  return static_cast<int>(std::count_if(state.calls.begin(), state.calls.end(),
                                        [](const CallState& call) { return holds_worker(call.phase); }));
}

int count_under_way(const State& state) {
  return static_cast<int>(std::count_if(state.calls.begin(), state.calls.end(), [](const CallState& call) {
    return holds_worker(call.phase) && call.phase != Phase::kEnded;
  }));
}

int count_holding(const Policy& policy, const State& state) {
  return policy.outcomes_travel ? count_under_way(state) : count_occupied(state);
}

int count_started(const State& state) {
  return static_cast<int>(std::count_if(state.calls.begin(), state.calls.end(),
                                        [](const CallState& call) { return call.phase == Phase::kStarted; }));
}

bool is_cancellable(const Policy& policy, const State& state, Call call) {
  const Phase phase = phase_of(state, call);
  return phase == Phase::kPending || (phase == Phase::kTaken && policy.shutdown_cancels_taken);
}

bool is_enough(const State& state, ReturnWhen when, CallSet calls, CallSet done) {
  if (done == calls) return true;
  switch (when) {
    case ReturnWhen::kAllCompleted:
      return false;
    case ReturnWhen::kFirstCompleted:
      return done != 0;
    case ReturnWhen::kFirstException:
      for (Call call = 0; call < kCallSetMax; ++call) {
        const ReplyKind outcome = result_of(state, call).kind;
        if (is_in(done, call) && (outcome == ReplyKind::kError || outcome == ReplyKind::kBroken)) return true;
      }
      return false;
  }
  return false;
}

bool is_drained_by(const Policy& policy, const State& state, const ClientState& in, Call call) {
  if (in.operation.kind == OpKind::kShutdown) return is_cancellable(policy, state, call);
  const Phase phase = phase_of(state, call);
  return is_in(in.operation.calls, call) && (phase == Phase::kPending || phase == Phase::kTaken);
}

std::uint64_t fingerprint(const State& state) {
  Fingerprint fingerprint;
  fingerprint.add((state.intake_open ? 1u : 0u) | (state.broken ? 2u : 0u) | (state.left_alone ? 4u : 0u) |
                  static_cast<unsigned>(state.note) << 3 | state.queue.size() << 8 | state.calls.size() << 16 |
                  state.clients.size() << 24 | state.callbacks.size() << 32);
  for (const CallState& call : state.calls) fingerprint.add(call);
  std::uint64_t order = 0;
  for (const Call call : state.queue) order = order * 67 + static_cast<std::uint64_t>(call) + 1;
  fingerprint.add(order);
  for (const ClientState& client : state.clients) fingerprint.add(client);
  for (const ClientState& client : state.bodies) fingerprint.add(client);
  for (const CallbackState& callback : state.callbacks) fingerprint.add(callback);
  return fingerprint.hash();
}

}  // namespace futures::model
