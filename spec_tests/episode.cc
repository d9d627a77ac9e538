#include "spec_tests/episode.h"

#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "futures/errors.h"
#include "futures/future.h"

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::Client;
using model::Operation;
using model::OpKind;
using model::Reply;
using model::ReplyKind;

thread_local Client this_client = model::kWorker;

// The episodes that are under way, by number.
class Table {
 public:
  static Table& instance() {
    static Table* const table = new Table;  // Bodies of a leaked executor may look into it until the program ends.
    return *table;
  }

  int enter(std::shared_ptr<Episode> episode) {
    absl::MutexLock lock(&mutex_);
    episodes_[++last_id_] = std::move(episode);
    return last_id_;
  }

  void remove(int id) {
    absl::MutexLock lock(&mutex_);
    episodes_.erase(id);
  }

  std::shared_ptr<Episode> find(int id) {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = episodes_.find(id);
    return found == episodes_.end() ? nullptr : found->second;
  }

 private:
  absl::Mutex mutex_;
  int last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int, std::shared_ptr<Episode>> episodes_ ABSL_GUARDED_BY(mutex_);
};

Reply reply_of(ReplyKind kind, int value = 0) { return {.kind = kind, .value = static_cast<std::int16_t>(value)}; }

// The operation that a statement stands for; none for the verbs of gates.
Operation operation_of(const Statement& statement) {
  Operation operation;
  operation.call = static_cast<model::Call>(statement.call);
  switch (statement.verb) {
    case Verb::kSubmit:
      operation.kind = OpKind::kSubmit;
      break;
    case Verb::kCancel:
      operation.kind = OpKind::kCancel;
      break;
    case Verb::kResult:
      operation.kind = OpKind::kResult;
      break;
    case Verb::kPoll:
      operation.kind = OpKind::kPoll;
      break;
    case Verb::kCallback:
      operation.kind = OpKind::kAddCallback;
      operation.registration = static_cast<std::int8_t>(statement.registration);
      break;
    case Verb::kShutdown:
      operation.kind = OpKind::kShutdown;
      operation.call = model::kNoCall;
      operation.wait = statement.wait;
      operation.cancel_futures = statement.cancel_futures;
      break;
    case Verb::kRelease:
    case Verb::kGate:
      break;
  }
  return operation;
}

}  // namespace

Client current_client() { return this_client; }

AsClient::AsClient(Client client) : before_(std::exchange(this_client, client)) {}
AsClient::~AsClient() { this_client = before_; }

int run_body(int episode_id, int call) {
  const std::shared_ptr<Episode> episode = Table::instance().find(episode_id);
  return episode == nullptr ? 0 : episode->run(call);
}

Episode::Episode(const Trace& trace, std::unique_ptr<Executor> executor)
    : trace_(trace),
      bodies_(bodies_of(trace_)),
      executor_(std::move(executor)),
      slots_(bodies_.size()),
      callback_calls_(count_registrations(trace_)),
      callbacks_ran_(count_registrations(trace_)) {
  for (auto& call : callback_calls_) call.store(model::kNoCall, std::memory_order_relaxed);
  for (auto& reply : replies_) reply.store(Reply{}, std::memory_order_relaxed);
}

std::shared_ptr<Episode> Episode::start(const Trace& trace, std::unique_ptr<Executor> executor) {
  std::shared_ptr<Episode> episode(new Episode(trace, std::move(executor)));
  episode->id_ = Table::instance().enter(episode);
  return episode;
}

void Episode::end() { Table::instance().remove(id_); }

void Episode::release(int gate) {
  if (!gates_[gate].HasBeenNotified()) gates_[gate].Notify();
}

void Episode::release_all() {
  for (int gate = 0; gate < kGatesMax; ++gate) release(gate);
}

int Episode::run(int call) {
  Slot& slot = slots_[call];
  const Client client = model::body_client(static_cast<model::Call>(call));
  const AsClient as_client(client);
  slot.at.store(kActive, std::memory_order_release);
  recorder_.record({.kind = ActionKind::kBodyStart, .call = static_cast<model::Call>(call)});
  slot.started.store(true, std::memory_order_release);
  for (const Statement& statement : bodies_[call]->statements) {
    if (statement.verb != Verb::kGate) {
      perform(client, statement);
      continue;
    }
    slot.at.store(statement.gate, std::memory_order_release);
    gates_[statement.gate].WaitForNotification();
    slot.at.store(kActive, std::memory_order_release);
  }
  const Body& body = *bodies_[call];
  recorder_.record({.kind = ActionKind::kBodyEnd,
                    .call = static_cast<model::Call>(call),
                    .reply = reply_of(body.throws ? ReplyKind::kError : ReplyKind::kValue, body.value)});
  slot.at.store(kEnded, std::memory_order_release);
  if (body.throws) throw NumberedError(body.value);
  return body.value;
}

bool Episode::perform(Client client, const Statement& statement) {
  const Operation operation = operation_of(statement);
  if (operation.kind == OpKind::kNone) return false;
  if (operation.kind != OpKind::kShutdown) {
    const bool has_future = slots_[operation.call].has_future.load(std::memory_order_acquire);
    if (has_future == (operation.kind == OpKind::kSubmit)) return false;
  }
  recorder_.record({.kind = ActionKind::kInvoke, .client = client, .operation = operation});
  Reply reply;
  // An error that no law allows here has no reply: no history of the model has it.
  try {
    reply = do_operation(client, operation);
  } catch (...) {
    reply = reply_of(ReplyKind::kNone);
  }
  recorder_.record({.kind = ActionKind::kReturn, .client = client, .reply = reply});
  if (operation.kind == OpKind::kSubmit && reply.kind == ReplyKind::kOk) {
    slots_[operation.call].has_future.store(true, std::memory_order_release);
  }
  if (!model::is_body_client(client)) replies_[client].store(reply, std::memory_order_release);
  return true;
}

Reply Episode::do_operation(Client, const Operation& operation) {
  switch (operation.kind) {
    case OpKind::kSubmit:
      return submit(operation.call);
    case OpKind::kCancel:
      return reply_of(slots_[operation.call].future.cancel() ? ReplyKind::kTrue : ReplyKind::kFalse);
    case OpKind::kResult:
      return await(operation.call, Timeout());
    case OpKind::kPoll:
      return await(operation.call, std::chrono::seconds(0));
    case OpKind::kAddCallback:
      add_callback(operation.call, operation.registration);
      return reply_of(ReplyKind::kOk);
    case OpKind::kShutdown:
      return shut_down(operation.wait, operation.cancel_futures);
    case OpKind::kNone:
      break;
  }
  return {};
}

Reply Episode::submit(model::Call call) {
  try {
    slots_[call].future = executor_->submit(&run_body, id_, static_cast<int>(call));
    return reply_of(ReplyKind::kOk);
  } catch (const ShutdownError&) {
    return reply_of(ReplyKind::kShutdownError);
  } catch (const BrokenExecutor&) {
    return reply_of(ReplyKind::kBroken);
  }
}

Reply Episode::await(model::Call call, Timeout timeout) {
  try {
    return reply_of(ReplyKind::kValue, std::as_const(slots_[call].future).result(timeout));
  } catch (const NumberedError& error) {
    return reply_of(ReplyKind::kError, error.number());
  } catch (const CancelledError&) {
    return reply_of(ReplyKind::kCancelled);
  } catch (const TimeoutError&) {
    return reply_of(ReplyKind::kTimeout);
  } catch (const BrokenExecutor&) {
    return reply_of(ReplyKind::kBroken);
  }
}

void Episode::add_callback(model::Call call, int registration) {
  callback_calls_[registration].store(call, std::memory_order_release);
  // By number, not by pointer: a callback that never runs must not keep the episode, which keeps the future.
  slots_[call].future.add_done_callback([id = id_, call, registration](const Future<int>&) {
    const std::shared_ptr<Episode> episode = Table::instance().find(id);
    if (episode == nullptr) return;
    episode->recorder_.record({.kind = ActionKind::kCallback,
                               .client = current_client(),
                               .call = call,
                               .operation = {.registration = static_cast<std::int8_t>(registration)}});
    episode->callbacks_ran_[registration].store(true, std::memory_order_release);
  });
}

Reply Episode::shut_down(bool wait, bool cancel_futures) {
  try {
    executor_->shutdown({.wait = wait, .cancel_futures = cancel_futures});
    return reply_of(ReplyKind::kOk);
  } catch (const DeadlockError&) {
    return reply_of(ReplyKind::kDeadlockError);
  }
}

bool Episode::rests() const {
  for (const Slot& slot : slots_) {
    const int at = slot.at.load(std::memory_order_acquire);
    if (at == kActive || (at >= 0 && gates_[at].HasBeenNotified())) return false;
  }
  for (std::size_t registration = 0; registration < callbacks_ran_.size(); ++registration) {
    const int call = callback_calls_[registration].load(std::memory_order_acquire);
    if (call == model::kNoCall || callbacks_ran_[registration].load(std::memory_order_acquire)) continue;
    if (slots_[call].future.done()) return false;
  }
  return true;
}

bool Episode::all_done() const {
  const std::size_t events = recorder_.size();
  if (!rests()) return false;
  for (const Slot& slot : slots_) {
    if (slot.has_future.load(std::memory_order_acquire) && !slot.future.done()) return false;
  }
  return recorder_.size() == events;  // Otherwise what was looked at first may be out of date.
}

void Episode::look(Observation& observation) {
  observation.calls.assign(slots_.size(), model::Visible::kAbsent);
  observation.outcomes.assign(slots_.size(), Reply{});
  observation.started.assign(slots_.size(), false);
  for (std::size_t call = 0; call < slots_.size(); ++call) {
    Slot& slot = slots_[call];
    observation.started[call] = slot.started.load(std::memory_order_acquire);
    if (!slot.has_future.load(std::memory_order_acquire)) continue;
    // Forward along F1, so that what is reported was so at one of these looks.
    if (slot.future.running()) {
      observation.calls[call] = model::Visible::kRunning;
    } else if (!slot.future.done()) {
      observation.calls[call] = model::Visible::kPending;
    } else if (slot.future.cancelled()) {
      observation.calls[call] = model::Visible::kCancelled;
    } else {
      observation.calls[call] = model::Visible::kFinished;
      if (slot.outcome == Reply{}) slot.outcome = await(static_cast<model::Call>(call), std::chrono::seconds(0));
      observation.outcomes[call] = slot.outcome;
    }
  }
  observation.callbacks_ran.clear();
  for (const auto& ran : callbacks_ran_) observation.callbacks_ran.push_back(ran.load(std::memory_order_acquire));
}

}  // namespace futures::spec_tests
