#include "reference/exploration.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "reference/model.h"

namespace futures::model {
namespace {

constexpr int kClients = 2;
constexpr int kCallsMax = 3;
constexpr int kRegistrationsMax = 3;
constexpr int kOperationsMax = 4;

// A state of the scope, with what each body has done.
struct Packed {
  std::array<std::uint64_t, 4> words = {};

  friend bool operator==(const Packed& a, const Packed& b) {
    return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1]) | (a.words[2] ^ b.words[2]) |
            (a.words[3] ^ b.words[3])) == 0;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Packed& packed) {
    return H::combine(std::move(h), packed.words[0], packed.words[1], packed.words[2], packed.words[3]);
  }
};

struct Node {
  State state;
  std::array<int, kClients> used = {};  // Operations invoked so far.
  std::array<bool, kCallsMax> body_used = {};
};

// Writes or reads the fields of a node in one order, so that reading inverts writing.
class Packer {
 public:
  template <typename T>
  void field(const T& value, int bits, int offset = 0) {
    const auto number = static_cast<std::uint64_t>(static_cast<int>(value) + offset);
    if (number >> bits != 0) std::abort();  // The scope has outgrown the packed form: states would be confused.
    if (position_ / 64 != (position_ + bits - 1) / 64) position_ = (position_ / 64 + 1) * 64;
    packed_.words[position_ / 64] |= number << (position_ % 64);
    position_ += bits;
  }
  const Packed& packed() const { return packed_; }

 private:
  Packed packed_ = {};
  int position_ = 0;
};

class Unpacker {
 public:
  explicit Unpacker(const Packed& packed) : packed_(packed) {}
  template <typename T>
  void field(T& value, int bits, int offset = 0) {
    if (position_ / 64 != (position_ + bits - 1) / 64) position_ = (position_ / 64 + 1) * 64;
    const std::uint64_t number = packed_.words[position_ / 64] >> (position_ % 64) & ((std::uint64_t{1} << bits) - 1);
    value = static_cast<T>(static_cast<int>(number) - offset);
    position_ += bits;
  }

 private:
  const Packed& packed_;
  int position_ = 0;
};

// Clients 0 and 1, bodies and kWorker as numbers from 0 to 5.
int pack_client(Client client) { return is_body_client(client) ? 3 + call_of_body(client) : client + 1; }
Client unpack_client(int number) {
  return number >= 3 ? body_client(static_cast<Call>(number - 3)) : static_cast<Client>(number - 1);
}

template <typename Coder, typename CodedClient>
void code_client(Coder& coder, CodedClient& client) {
  coder.field(client.phase, 2);
  coder.field(client.operation.kind, 4);
  coder.field(client.operation.call, 2, 1);
  coder.field(client.operation.calls, kCallsMax);
  coder.field(client.operation.when, 2);
  coder.field(client.operation.poll, 1);
  coder.field(client.due, kCallsMax);
  coder.field(client.operation.registration, 2, 1);
  coder.field(client.operation.wait, 1);
  coder.field(client.operation.cancel_futures, 1);
  coder.field(client.reply.kind, 4);
}

template <typename Coder, typename CodedNode>
void code(Coder& coder, CodedNode& node) {
  auto& state = node.state;
  coder.field(state.intake_open, 1);
  coder.field(state.left_alone, 1);
  coder.field(state.note, 2);
  for (auto& call : state.calls) {
    coder.field(call.phase, 3);
    coder.field(call.outcome.kind, 4);
    coder.field(call.starts, 2);
  }
  for (auto& client : state.clients) code_client(coder, client);
  for (auto& client : state.bodies) code_client(coder, client);
  for (auto& callback : state.callbacks) {
    coder.field(callback.phase, 2);
    coder.field(callback.call, 2, 1);
    coder.field(callback.late, 1);
    coder.field(callback.ahead, 2);
    int runs_on = pack_client(callback.runs_on);
    coder.field(runs_on, 3);
    callback.runs_on = unpack_client(runs_on);
  }
  for (auto& used : node.body_used) coder.field(used, 1);
  for (auto& call : state.queue) coder.field(call, 2);
}

Packed pack(Node& node) {
  Packer packer;
  packer.field(node.state.queue.size(), 2);
  code(packer, node);
  return packer.packed();
}

Node unpack(const Scope& scope, const Packed& packed) {
  Node node;
  node.state = initial_state(kClients);
  node.state.calls.resize(scope.calls);
  node.state.bodies.resize(scope.calls);
  node.state.callbacks.resize(scope.registrations);
  Unpacker unpacker(packed);
  int queued = 0;
  unpacker.field(queued, 2);
  node.state.queue.resize(queued);
  code(unpacker, node);
  return node;
}

// Renames clients, calls and callbacks so that states that differ by names only become equal, most of them.
class Renaming {
 public:
  explicit Renaming(const Policy& policy, Node& node) : policy_(policy), node_(node) {}

  void apply() {
    order_clients();
    order_calls();
    order_callbacks();
  }

 private:
  static int shape(const ClientState& client) {
    Packer packer;
    packer.field(client.phase, 2);
    packer.field(client.operation.kind, 4);
    packer.field(client.operation.wait, 1);
    packer.field(client.operation.cancel_futures, 1);
    packer.field(client.operation.when, 2);
    packer.field(client.operation.poll, 1);
    packer.field(client.reply.kind, 4);
    return static_cast<int>(packer.packed().words[0]);
  }

  std::uint64_t shape_of_client(int client) const {
    const State& state = node_.state;
    auto shape_of = static_cast<std::uint64_t>(shape(state.clients[client]));
    const Call call = state.clients[client].operation.call;
    if (call != kNoCall) {
      shape_of = shape_of << 8 | static_cast<std::uint64_t>(state.calls[call].phase) << 5 |
                 static_cast<std::uint64_t>(state.calls[call].outcome.kind) << 1;
    }
    for (const CallbackState& callback : state.callbacks) {
      shape_of = shape_of << 1 | (callback.runs_on == client ? 1u : 0u);
    }
    return shape_of << 3 | static_cast<std::uint64_t>(node_.used[client]);
  }

  void order_clients() {
    State& state = node_.state;
    if (shape_of_client(0) >= shape_of_client(1)) return;
    std::swap(state.clients[0], state.clients[1]);
    std::swap(node_.used[0], node_.used[1]);
    for (CallbackState& callback : state.callbacks) {
      if (callback.runs_on == 0 || callback.runs_on == 1) callback.runs_on = static_cast<Client>(1 - callback.runs_on);
    }
  }

  std::uint64_t shape_of_call(Call call) const {
    const State& state = node_.state;
    Packer packer;
    packer.field(state.calls[call].phase, 3);
    packer.field(state.calls[call].outcome.kind, 4);
    packer.field(node_.body_used[call], 1);
    int position = 0;
    if (policy_.start_order == StartOrder::kFifo) {
      const auto found = std::find(state.queue.begin(), state.queue.end(), call);
      position = found == state.queue.end() ? 0 : 1 + static_cast<int>(found - state.queue.begin());
    }
    packer.field(position, 2);
    for (const ClientState& client : state.clients) packer.field(client.operation.call == call, 1);
    for (const ClientState& client : state.bodies) packer.field(client.operation.call == call, 1);
    packer.field(shape(state.bodies[call]), 15);
    for (const ClientState& client : state.clients) {
      packer.field(is_in(client.operation.calls, call), 1);
      packer.field(is_in(client.due, call), 1);
    }
    for (const CallbackState& callback : state.callbacks) {
      packer.field(callback.call == call ? 1 + static_cast<int>(callback.ahead) : 0, 2);
      packer.field(callback.runs_on == body_client(call), 1);
    }
    return packer.packed().words[0];
  }

  void order_calls() {
    State& state = node_.state;
    const std::size_t size = state.calls.size();
    std::array<std::uint64_t, kCallsMax> shapes = {};
    for (std::size_t i = 0; i < size; ++i) shapes[i] = shape_of_call(static_cast<Call>(i));
    std::array<Call, kCallsMax> from = {0, 1, 2};
    std::stable_sort(from.begin(), from.begin() + size, [&](Call a, Call b) { return shapes[a] > shapes[b]; });
    if (std::is_sorted(from.begin(), from.begin() + size)) return;
    std::array<Call, kCallsMax> to = {};
    for (std::size_t i = 0; i < size; ++i) to[from[i]] = static_cast<Call>(i);
    const Node old = node_;
    const auto rename_call = [&](Call& call) { call = call == kNoCall ? kNoCall : to[call]; };
    for (std::size_t i = 0; i < size; ++i) {
      state.calls[i] = old.state.calls[from[i]];
      state.bodies[i] = old.state.bodies[from[i]];
      node_.body_used[i] = old.body_used[from[i]];
    }
    const auto rename_calls = [&](CallSet& calls) {
      CallSet renamed = 0;
      for (std::size_t i = 0; i < size; ++i) {
        if (is_in(calls, from[i])) renamed |= set_of(static_cast<Call>(i));
      }
      calls = renamed;
    };
    const auto rename_in = [&](ClientState& client) {
      rename_call(client.operation.call);
      rename_calls(client.operation.calls);
      rename_calls(client.due);
    };
    for (ClientState& client : state.clients) rename_in(client);
    for (ClientState& client : state.bodies) rename_in(client);
    for (Call& call : state.queue) rename_call(call);
    if (policy_.start_order == StartOrder::kAny) std::sort(state.queue.begin(), state.queue.end());
    for (CallbackState& callback : state.callbacks) {
      rename_call(callback.call);
      if (is_body_client(callback.runs_on)) callback.runs_on = body_client(to[call_of_body(callback.runs_on)]);
    }
  }

  std::uint64_t shape_of_callback(std::size_t registration) const {
    const CallbackState& callback = node_.state.callbacks[registration];
    Packer packer;
    packer.field(callback.phase, 2);
    packer.field(callback.call, 2, 1);
    packer.field(callback.late, 1);
    packer.field(callback.ahead, 2);
    packer.field(pack_client(callback.runs_on), 3);
    for (const ClientState& client : node_.state.clients) {
      packer.field(client.operation.registration == static_cast<int>(registration), 1);
    }
    return packer.packed().words[0];
  }

  void order_callbacks() {
    State& state = node_.state;
    const std::size_t size = state.callbacks.size();
    if (size < 2) return;
    std::array<std::uint64_t, kRegistrationsMax> shapes = {};
    for (std::size_t i = 0; i < size; ++i) shapes[i] = shape_of_callback(i);
    std::array<int, kRegistrationsMax> from = {0, 1, 2};
    std::stable_sort(from.begin(), from.begin() + size, [&](int a, int b) { return shapes[a] > shapes[b]; });
    const auto old = state.callbacks;
    std::array<std::int8_t, kRegistrationsMax> to = {};
    for (std::size_t i = 0; i < size; ++i) {
      state.callbacks[i] = old[from[i]];
      to[from[i]] = static_cast<std::int8_t>(i);
    }
    for (ClientState& client : state.clients) {
      std::int8_t& registration = client.operation.registration;
      if (registration >= 0) registration = to[registration];
    }
  }

  const Policy& policy_;
  Node& node_;
};

// Grows with every step, or the exploration has a cycle.
int rank(const Node& node) {
  constexpr int kOperation = 4;  // An operation's phases: invoked, draining, effective, returned.
  const auto left = [](const ClientState& client) {
    return client.phase == OpPhase::kIdle ? 0 : kOperation - static_cast<int>(client.phase);
  };
  int sum = 0;
  for (const CallState& call : node.state.calls) {
    sum += 2 * kOperation * static_cast<int>(call.phase == Phase::kCancelled ? Phase::kFinished : call.phase);
  }
  for (std::size_t i = 0; i < node.state.bodies.size(); ++i) {
    sum += (node.body_used[i] ? kOperation : 0) - left(node.state.bodies[i]);
  }
  for (int i = 0; i < kClients; ++i) sum += kOperation * node.used[i] - left(node.state.clients[i]);
  for (const CallbackState& callback : node.state.callbacks) sum += static_cast<int>(callback.phase);
  return sum;
}

Node start_of(const Scope& scope) {
  Node start;
  start.state = initial_state(kClients);
  start.state.calls.resize(scope.calls);
  start.state.bodies.resize(scope.calls);
  start.state.callbacks.resize(scope.registrations);
  return start;
}

class Explorer {
 public:
  Explorer(const Scope& scope, const Watch& watch, const Change& change, bool keeps_paths)
      : scope_(scope), watch_(watch), change_(change), keeps_paths_(keeps_paths) {}

  Exploration run() {
    visit(start_of(scope_), {}, {});
    for (std::vector<Todo>& todo : todo_) {
      while (!todo.empty() && result_.violation.empty()) {
        here_ = todo.back();
        todo.pop_back();
        Node node = unpack(scope_, here_.packed);
        node.used = here_.used;
        expand(node);
      }
      todo = {};
    }
    result_.states = covered_.size();
    return result_;
  }

 private:
  struct Todo {
    Packed packed;
    std::array<int, kClients> used = {};
  };
  struct Origin {
    Packed before;
    Action action;
  };

  static std::uint32_t bit_of(int a, int b) { return 1u << (a * (kOperationsMax + 1) + b); }

  // The pairs of budgets that `used` covers, as bits.
  std::uint32_t covered_by(const std::array<int, kClients>& used) const {
    if (!scope_.merge) return bit_of(used[0], used[1]);
    std::uint32_t bits = 0;
    for (int a = used[0]; a <= kOperationsMax; ++a) {
      for (int b = used[1]; b <= kOperationsMax; ++b) bits |= bit_of(a, b);
    }
    return bits;
  }

  void visit(Node node, const Packed& before, const Action& action) {
    if (scope_.merge) Renaming(scope_.policy, node).apply();
    const Packed packed = pack(node);
    const auto [found, is_new] = covered_.try_emplace(packed, 0);
    if ((found->second & bit_of(node.used[0], node.used[1])) != 0) return;
    found->second |= covered_by(node.used);
    if (is_new && keeps_paths_) origins_.emplace(packed, Origin{before, action});
    ++result_.visits;
    todo_[node.used[0] + node.used[1]].push_back({packed, node.used});
  }

  void fail(const std::string& why, const State& last) {
    if (!result_.violation.empty()) return;
    std::vector<std::string> lines = {absl::StrCat("  ", to_string(last))};
    Packed at = here_.packed;
    for (auto origin = origins_.find(at); origin != origins_.end(); origin = origins_.find(at)) {
      lines.push_back(absl::StrCat("  ", to_string(unpack(scope_, at).state)));
      if (at == origin->second.before || origin->second.before == Packed{}) break;
      lines.push_back(absl::StrCat("    ", to_string(origin->second.action)));
      at = origin->second.before;
    }
    result_.violation = why;
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) absl::StrAppend(&result_.violation, "\n", *line);
  }

  void follow(const Node& node, Node next, const Action& action) {
    if (!result_.violation.empty()) return;
    ++result_.steps;
    if (watch_) watch_(node.state, action, next.state);
    std::optional<std::string> broken = broken_law(scope_.policy, node.state, action, next.state);
    if (!broken.has_value()) broken = broken_law(scope_.policy, next.state);
    if (!broken.has_value() && rank(next) <= rank(node)) broken = "a step that may repeat for ever";
    if (broken.has_value()) return fail(absl::StrCat(*broken, ", after: ", to_string(action)), next.state);
    visit(std::move(next), here_.packed, action);
  }

  void expand(const Node& node) {
    bool quiet = true;
    for (Move& move : executor_moves(node.state)) {
      quiet = false;
      follow(node, {std::move(move.state), node.used, node.body_used}, move.action);
    }
    for (std::size_t i = 0; i < node.state.calls.size(); ++i) {
      for (const ReplyKind reply : {ReplyKind::kValue, ReplyKind::kError}) {
        const Call call = static_cast<Call>(i);
        const Action end{.kind = ActionKind::kBodyEnd, .call = call, .reply = {reply}};
        std::optional<State> after = step(scope_.policy, node.state, end);
        if (!after.has_value()) continue;
        quiet = false;
        Node next{*std::move(after), node.used, node.body_used};
        next.body_used[i] = false;
        follow(node, std::move(next), end);
      }
    }
    if (quiet) end(node);
    invoke_all(node);
  }

  std::vector<Move> executor_moves(const State& state) {
    std::vector<Move> moves;
    for (const std::vector<Action>& actions :
         {internal_actions(scope_.policy, state), executor_events(scope_.policy, state)}) {
      for (const Action& action : actions) moves.push_back({action, *step(scope_.policy, state, action)});
    }
    if (change_) change_(scope_.policy, state, moves);
    return moves;
  }

  // Nothing can happen by itself any more. So all must be done (laws E7, F5, S9).
  void end(const Node& node) {
    ++result_.endings;
    bool stuck = false;
    for (std::size_t i = 0; i < node.state.calls.size(); ++i) {
      const Call call = static_cast<Call>(i);
      stuck |= visible(node.state, call) != Visible::kAbsent && !is_done(node.state, call);
      stuck |= node.state.bodies[i].phase != OpPhase::kIdle;
    }
    for (const ClientState& client : node.state.clients) stuck |= client.phase != OpPhase::kIdle;
    for (const CallbackState& callback : node.state.callbacks) {
      stuck |= callback.phase == CallbackPhase::kRegistered || callback.phase == CallbackPhase::kDue;
    }
    if (stuck) fail("E7: stuck", node.state);
  }

  void invoke_all(const Node& node) {
    const std::vector<Operation> operations = alphabet(node.state);
    for (int client = 0; client < kClients; ++client) {
      if (node.used[client] == scope_.operations_max) continue;
      for (const Operation& operation : operations) invoke(node, static_cast<Client>(client), operation);
    }
    if (!scope_.bodies_act) return;
    for (std::size_t i = 0; i < node.state.calls.size(); ++i) {
      if (node.state.calls[i].phase != Phase::kStarted || node.body_used[i]) continue;
      for (const Operation& operation : operations) {
        if (operation.kind != OpKind::kSubmit && operation.kind != OpKind::kCancel &&
            operation.kind != OpKind::kShutdown) {
          continue;
        }
        invoke(node, body_client(static_cast<Call>(i)), operation);
      }
    }
  }

  void invoke(const Node& node, Client client, const Operation& operation) {
    const Action action{.kind = ActionKind::kInvoke, .client = client, .operation = operation};
    std::optional<State> after = step(scope_.policy, node.state, action);
    if (!after.has_value()) return;
    Node next{*std::move(after), node.used, node.body_used};
    if (is_body_client(client)) {
      next.body_used[call_of_body(client)] = true;
    } else {
      ++next.used[client];
    }
    follow(node, std::move(next), action);
  }

  // On `there`, the calls whose submit has returned.
  static void add_waits(CallSet there, std::vector<Operation>& operations) {
    for (const ReturnWhen when :
         {ReturnWhen::kAllCompleted, ReturnWhen::kFirstCompleted, ReturnWhen::kFirstException}) {
      operations.push_back({.kind = OpKind::kWait, .calls = there, .when = when});
    }
    operations.push_back({.kind = OpKind::kWait, .calls = there, .poll = true});
    operations.push_back({.kind = OpKind::kDestroy});
    if (there == 0) return;
    operations.push_back({.kind = OpKind::kNext, .calls = there});
    operations.push_back({.kind = OpKind::kNext, .calls = there, .poll = true});
    operations.push_back({.kind = OpKind::kAbandon, .calls = there});
  }

  // Every operation that a client may invoke: on calls whose submit has returned.
  std::vector<Operation> alphabet(const State& state) const {
    std::vector<Operation> operations;
    std::array<bool, kCallsMax> submitting = {};
    std::array<bool, kRegistrationsMax> adding = {};
    const auto note = [&](const ClientState& client) {
      if (client.operation.kind == OpKind::kSubmit) submitting[client.operation.call] = true;
      if (client.operation.registration >= 0) adding[client.operation.registration] = true;
    };
    for (const ClientState& client : state.clients) note(client);
    for (const ClientState& client : state.bodies) note(client);
    std::size_t free = 0;
    while (free < state.callbacks.size() && (adding[free] || state.callbacks[free].phase != CallbackPhase::kAbsent)) {
      ++free;
    }
    CallSet there = 0;
    for (std::size_t i = 0; i < state.calls.size(); ++i) {
      if (!submitting[i] && state.calls[i].phase != Phase::kAbsent) there |= set_of(static_cast<Call>(i));
    }
    if (scope_.waits) add_waits(there, operations);
    bool submits = false;
    for (std::size_t i = 0; i < state.calls.size(); ++i) {
      const Call call = static_cast<Call>(i);
      if (submitting[i]) continue;
      if (state.calls[i].phase == Phase::kAbsent) {
        if (!submits) operations.push_back({.kind = OpKind::kSubmit, .call = call});
        if (!submits && scope_.waits && there != 0) {
          operations.push_back({.kind = OpKind::kSubmit, .call = call, .calls = there});
        }
        submits = true;  // Absent calls differ by name only.
        continue;
      }
      operations.push_back({.kind = OpKind::kCancel, .call = call});
      operations.push_back({.kind = OpKind::kResult, .call = call});
      operations.push_back({.kind = OpKind::kPoll, .call = call});
      const auto others = static_cast<CallSet>(there & ~set_of(call));
      if (scope_.waits && scope_.policy.map_ends_at_error && others != 0) {
        operations.push_back({.kind = OpKind::kResult, .call = call, .calls = others});
      }
      if (free == state.callbacks.size()) continue;
      const auto registration = static_cast<std::int8_t>(free);
      operations.push_back({.kind = OpKind::kAddCallback, .call = call, .registration = registration});
    }
    for (const bool wait : {false, true}) {
      for (const bool cancel_futures : {false, true}) {
        operations.push_back({.kind = OpKind::kShutdown, .wait = wait, .cancel_futures = cancel_futures});
      }
    }
    return operations;
  }

  const Scope scope_;
  const Watch& watch_;
  const Change& change_;
  const bool keeps_paths_;
  absl::flat_hash_map<Packed, std::uint32_t> covered_;  // By state: the pairs of budgets that need no other visit.
  std::array<std::vector<Todo>, kClients * kOperationsMax + 1> todo_;  // By operations invoked.
  absl::flat_hash_map<Packed, Origin> origins_;
  Todo here_;  // What is being expanded.
  Exploration result_;
};

}  // namespace

Exploration explore(const Scope& scope, const Watch& watch, const Change& change) {
  Exploration result = Explorer(scope, watch, change, /*keeps_paths=*/false).run();
  // Only a report needs paths, and they cost memory. So after a violation all is explored once more, in the same order.
  if (!result.violation.empty()) result.violation = Explorer(scope, nullptr, change, true).run().violation;
  return result;
}

}  // namespace futures::model
