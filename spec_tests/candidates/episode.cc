#include "spec_tests/candidates/episode.h"

#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <ranges>
#include <span>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "futures/encoding/encoding.h"  // Calls of bodies can travel.
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "futures/map.h"
#include "futures/wait.h"
#include "spec_tests/candidates/numbered_error.h"
#include "spec_tests/traces/trace_operation.h"

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::Client;
using model::Operation;
using model::OpKind;
using model::Reply;
using model::ReplyKind;

thread_local Client this_client = model::kWorker;

// The episodes of this process that are under way, by key.
class Table {
 public:
  static Table& instance() {
    static Table* const table = new Table;  // Bodies of a leaked executor may look into it until the program ends.
    return *table;
  }

  void enter(std::uint64_t key, std::shared_ptr<Episode> episode) {
    absl::MutexLock lock(&mutex_);
    episodes_[key] = std::move(episode);
  }

  void remove(std::uint64_t key) {
    absl::MutexLock lock(&mutex_);
    episodes_.erase(key);
  }

  std::shared_ptr<Episode> find(std::uint64_t key) {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = episodes_.find(key);
    return found == episodes_.end() ? nullptr : found->second;
  }

 private:
  absl::Mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Episode>> episodes_ ABSL_GUARDED_BY(mutex_);
};

Reply reply_of(ReplyKind kind, int value = 0) { return {.kind = kind, .value = static_cast<std::int16_t>(value)}; }

constexpr int kNoValue = -1;

// What `result`, which returns a value or throws, says of a call.
template <typename Result>
Reply reply_of_result(Result result) {
  try {
    const int value = result();
    return value == kNoValue ? Reply{} : reply_of(ReplyKind::kValue, value);
  } catch (const NumberedError& error) {
    return reply_of(ReplyKind::kError, error.number());
  } catch (const CancelledError&) {
    return reply_of(ReplyKind::kCancelled);
  } catch (const TimeoutError&) {
    return reply_of(ReplyKind::kTimeout);
  } catch (const BrokenExecutor&) {
    return reply_of(ReplyKind::kBroken);
  } catch (...) {
    return {};  // No law allows it, and no history of the model has it.
  }
}

// The inputs of a map: the numbers of its calls. Says when one is asked for, which is when the call before it has been
// submitted.
class Inputs : public std::ranges::view_base {
 public:
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    int operator*() const { return inputs_->statements_[inputs_->next_].call; }
    Iterator& operator++() {
      inputs_->on_submitted_(inputs_->next_++);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return it.inputs_->next_ == it.inputs_->statements_.size();
    }

   private:
    friend class Inputs;
    explicit Iterator(Inputs* inputs) : inputs_(inputs) {}
    Inputs* inputs_ = nullptr;
  };

  Inputs(const std::vector<Statement>& statements, std::function<void(std::size_t)> on_submitted)
      : statements_(statements), on_submitted_(std::move(on_submitted)) {}
  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  std::span<const Statement> statements_;
  std::function<void(std::size_t)> on_submitted_;  // Gets the number of the input.
  std::size_t next_ = 0;
};

}  // namespace

Client current_client() { return this_client; }

AsClient::AsClient(Client client) : before_(std::exchange(this_client, client)) {}
AsClient::~AsClient() { this_client = before_; }

int run_body(std::uint64_t packed_key, int call) {
  // A child that was forked has a copy of the table, and no part in the episode.
  if (!is_of_this_process(packed_key)) return run_body_elsewhere(packed_key, call);
  const std::shared_ptr<Episode> episode = Table::instance().find(packed_key);
  return episode == nullptr ? 0 : episode->run(call);
}

class Episode::InExecutor {
 public:
  explicit InExecutor(std::atomic<int>& users) : users_(users) {
    int before = users_.load(std::memory_order_relaxed);
    while (before != kDestroyed && !users_.compare_exchange_weak(before, before + 1, std::memory_order_acquire)) {
    }
    is_in_ = before != kDestroyed;
  }
  ~InExecutor() { leave(); }
  InExecutor(const InExecutor&) = delete;
  InExecutor& operator=(const InExecutor&) = delete;

  explicit operator bool() const { return is_in_; }
  void leave() {
    if (std::exchange(is_in_, false)) users_.fetch_sub(1, std::memory_order_release);
  }

 private:
  std::atomic<int>& users_;
  bool is_in_;
};

void Episode::expect(const Statement& statement) {
  if (begins_unseen(statement.verb)) beginnings_.fetch_add(1, std::memory_order_relaxed);
}

bool Episode::begins_unseen(Verb verb) {
  return verb == Verb::kMap || verb == Verb::kWait || verb == Verb::kAsCompleted;
}

// The unseen beginning of a statement that was expected.
class Episode::Beginning {
 public:
  explicit Beginning(std::atomic<int>* count) : count_(count) {}
  ~Beginning() { is_over(); }
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;

  void is_over() {
    if (auto* const count = std::exchange(count_, nullptr)) count->fetch_sub(1, std::memory_order_release);
  }

 private:
  std::atomic<int>* count_;
};

Episode::Episode(const Trace& trace, std::unique_ptr<Executor> executor)
    : trace_(trace),
      bodies_(bodies_of(trace_)),
      memory_(EpisodeMemory::create(trace)),
      executor_(std::move(executor)),
      slots_(bodies_.size()),
      callback_calls_(count_registrations(trace_)),
      callbacks_ran_(count_registrations(trace_)) {
  for (auto& call : callback_calls_) call.store(model::kNoCall, std::memory_order_relaxed);
  for (auto& reply : replies_) reply.store(Reply{}, std::memory_order_relaxed);
}

std::shared_ptr<Episode> Episode::start(const Trace& trace, std::unique_ptr<Executor> executor) {
  std::shared_ptr<Episode> episode(new Episode(trace, std::move(executor)));
  Table::instance().enter(episode->memory_->key().packed(), episode);
  return episode;
}

void Episode::end() { Table::instance().remove(memory_->key().packed()); }

int Episode::run(int call) {
  const Client client = model::body_client(static_cast<model::Call>(call));
  const AsClient as_client(client);
  return memory_->play(static_cast<model::Call>(call), *bodies_[call],
                       [&](const Statement& statement) { perform(client, statement); });
}

model::CallSet Episode::known(model::CallSet calls) const {
  model::CallSet known = 0;
  for (std::size_t call = 0; call < slots_.size(); ++call) {
    const model::CallSet one = model::set_of(static_cast<model::Call>(call));
    if ((calls & one) != 0 && slots_[call].has_future.load(std::memory_order_acquire)) known |= one;
  }
  return known;
}

std::vector<Future<int>> Episode::futures_of(model::CallSet calls) const {
  std::vector<Future<int>> futures;
  for (std::size_t call = 0; call < slots_.size(); ++call) {
    if (model::is_in(calls, static_cast<model::Call>(call))) futures.push_back(slots_[call].future);
  }
  return futures;
}

model::Call Episode::call_of(const Future<int>& future) const {
  for (std::size_t call = 0; call < slots_.size(); ++call) {
    const bool known = slots_[call].has_future.load(std::memory_order_acquire);
    if (known && slots_[call].future == future) return static_cast<model::Call>(call);
  }
  return model::kNoCall;
}

void Episode::perform(Client client, const Statement& statement) {
  if (statement.verb == Verb::kDestroy) return destroy(client);
  Beginning beginning(begins_unseen(statement.verb) ? &beginnings_ : nullptr);
  InExecutor in_executor(users_);
  if (needs_executor(statement.verb) && !in_executor) return;
  if (!needs_executor(statement.verb)) in_executor.leave();
  if (statement.verb == Verb::kMap) return map(client, statement, beginning, in_executor);
  if (statement.verb == Verb::kAsCompleted) {
    const model::CallSet calls = known(statement.calls);
    beginning.is_over();
    return go_through_completed(client, calls, statement.poll);
  }
  Operation operation = operation_of(statement);
  if (operation.kind == OpKind::kNone) return;
  operation.calls = known(operation.calls);
  beginning.is_over();
  if (statement.call >= 0) {
    const bool has_future = slots_[operation.call].has_future.load(std::memory_order_acquire);
    if (has_future == (operation.kind == OpKind::kSubmit)) return;
  }
  perform(client, operation);
}

void Episode::invoke(Client client, const Operation& operation) {
  memory_->recorder().record({.kind = ActionKind::kInvoke, .client = client, .operation = operation});
}

void Episode::reply(Client client, const Reply& reply) {
  memory_->recorder().record({.kind = ActionKind::kReturn, .client = client, .reply = reply});
  if (!model::is_body_client(client)) replies_[client].store(reply, std::memory_order_release);
}

void Episode::perform(Client client, const Operation& operation) {
  invoke(client, operation);
  Reply reply;
  // An error that no law allows here has no reply: no history of the model has it.
  try {
    reply = do_operation(operation);
  } catch (...) {
    reply = reply_of(ReplyKind::kNone);
  }
  this->reply(client, reply);
  if (operation.kind == OpKind::kSubmit && reply.kind == ReplyKind::kOk) {
    slots_[operation.call].has_future.store(true, std::memory_order_release);
  }
}

Reply Episode::do_operation(const Operation& operation) {
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
    case OpKind::kWait:
      return wait(operation);
    case OpKind::kNext:
    case OpKind::kAbandon:
    case OpKind::kDestroy:
    case OpKind::kNone:
      break;
  }
  return {};
}

Reply Episode::wait(const Operation& operation) {
  static constexpr ReturnWhen kReturnWhen[] = {ReturnWhen::kAllCompleted, ReturnWhen::kFirstCompleted,
                                               ReturnWhen::kFirstException};  // By model::ReturnWhen.
  const std::vector<Future<int>> futures = futures_of(operation.calls);
  WaitOptions options{.return_when = kReturnWhen[static_cast<std::size_t>(operation.when)]};
  if (operation.poll) options.timeout = std::chrono::seconds(0);
  const WaitResult<Future<int>> result = futures::wait(futures, options);
  model::CallSet done = 0;
  model::CallSet not_done = 0;
  for (const Future<int>& future : result.done) done |= model::set_of(call_of(future));
  for (const Future<int>& future : result.not_done) not_done |= model::set_of(call_of(future));
  const bool is_partition = (done & not_done) == 0 && (done | not_done) == operation.calls &&
                            result.done.size() + result.not_done.size() == futures.size();
  return is_partition ? reply_of(ReplyKind::kDone, done) : Reply{};  // Law W2.
}

void Episode::go_through_completed(Client client, model::CallSet calls, bool poll) {
  std::vector<Future<int>> futures = futures_of(calls);
  Timeout timeout;
  if (poll) timeout = std::chrono::seconds(0);
  auto completed = as_completed(std::move(futures), timeout);
  for (auto it = completed.begin(); calls != 0; ++it) {
    invoke(client, {.kind = OpKind::kNext, .calls = calls, .poll = poll});
    Reply yielded;  // Says nothing, as no history of the model does, if the end comes too early.
    try {
      if (it != completed.end()) yielded = reply_of(ReplyKind::kDone, call_of(*it));
    } catch (const TimeoutError&) {
      yielded = reply_of(ReplyKind::kTimeout);
    }
    reply(client, yielded);
    if (yielded.kind != ReplyKind::kDone) return;
    calls &= static_cast<model::CallSet>(~model::set_of(static_cast<model::Call>(yielded.value)));
  }
}

// A map records itself as what it is: a submit for each input, a result for each item that is taken, and that the rest
// is let go.
void Episode::map(Client client, const Statement& statement, Beginning& beginning, InExecutor& in_executor) {
  const std::vector<Statement>& inputs = statement.body[0].statements;
  const std::size_t taken = static_cast<std::size_t>(statement.body[0].value);
  const auto invoke_submit = [&](std::size_t i) {
    invoke(client, {.kind = OpKind::kSubmit,
                    .call = static_cast<model::Call>(inputs[i].call),
                    .calls = calls_between(statement, 0, i)});
  };
  const auto on_submitted = [&](std::size_t i) {
    reply(client, reply_of(ReplyKind::kOk));
    if (i + 1 < inputs.size()) invoke_submit(i + 1);
  };
  // Last of all, once the range is gone.
  const absl::Cleanup note_let_go = [&] {
    let_go_.fetch_or(calls_between(statement, 0, inputs.size()), std::memory_order_release);
  };
  const std::vector<std::uint64_t> keys(inputs.size() + 1, memory_->key().packed());  // So that the inputs end it.
  using Results = decltype(executor_->map(&run_body, keys, std::declval<Inputs>()));
  std::optional<Results> results;

  invoke_submit(0);
  Reply refusal;
  try {
    results.emplace(executor_->map(&run_body, keys, Inputs(inputs, on_submitted)));
  } catch (const ShutdownError&) {
    refusal = reply_of(ReplyKind::kShutdownError);
  } catch (const BrokenExecutor&) {
    refusal = reply_of(ReplyKind::kBroken);
  } catch (...) {
  }
  in_executor.leave();
  if (!results) reply(client, refusal);
  beginning.is_over();
  if (!results) return;

  auto it = results->begin();
  for (std::size_t i = 0; i < taken; ++i, ++it) {
    invoke(client, {.kind = OpKind::kResult, .call = static_cast<model::Call>(inputs[i].call)});
    reply(client, reply_of_result([&] { return it == results->end() ? kNoValue : *it; }));
  }
  if (taken == inputs.size()) return;
  invoke(client, {.kind = OpKind::kAbandon, .calls = calls_between(statement, taken, inputs.size())});
  results.reset();
  reply(client, reply_of(ReplyKind::kOk));
}

void Episode::destroy(Client client) {
  int nobody = 0;
  if (!users_.compare_exchange_strong(nobody, kDestroyed, std::memory_order_acquire)) return;
  invoke(client, {.kind = OpKind::kDestroy});
  executor_.reset();
  reply(client, reply_of(ReplyKind::kOk));
}

void Episode::end_executor(Client client) {
  if (users_.load(std::memory_order_acquire) == kDestroyed) return;
  perform(client, Statement{.verb = Verb::kShutdown, .wait = true});
  executor_.reset();
}

Reply Episode::submit(model::Call call) {
  try {
    slots_[call].future = executor_->submit(&run_body, memory_->key().packed(), static_cast<int>(call));
    return reply_of(ReplyKind::kOk);
  } catch (const ShutdownError&) {
    return reply_of(ReplyKind::kShutdownError);
  } catch (const BrokenExecutor&) {
    return reply_of(ReplyKind::kBroken);
  }
}

Reply Episode::await(model::Call call, Timeout timeout) {
  return reply_of_result([&] { return std::as_const(slots_[call].future).result(timeout); });
}

void Episode::add_callback(model::Call call, int registration) {
  callback_calls_[registration].store(call, std::memory_order_release);
  // By number, not by pointer: a callback that never runs must not keep the episode, which keeps the future.
  slots_[call].future.add_done_callback([key = memory_->key().packed(), call, registration](const Future<int>&) {
    const std::shared_ptr<Episode> episode = Table::instance().find(key);
    if (episode == nullptr) return;
    episode->memory_->recorder().record({.kind = ActionKind::kCallback,
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
  if (beginnings_.load(std::memory_order_acquire) > 0) return false;
  for (int call = 0; call < static_cast<int>(slots_.size()); ++call) {
    const int at = memory_->position(call);
    if (at == EpisodeMemory::kActive || (at >= 0 && memory_->is_released(at))) return false;
  }
  for (std::size_t registration = 0; registration < callbacks_ran_.size(); ++registration) {
    const int call = callback_calls_[registration].load(std::memory_order_acquire);
    if (call == model::kNoCall || callbacks_ran_[registration].load(std::memory_order_acquire)) continue;
    if (slots_[call].future.done()) return false;
  }
  return true;
}

model::CallSet Episode::let_go() const {
  model::CallSet calls = let_go_.load(std::memory_order_acquire);
  for (int call = 0; call < static_cast<int>(slots_.size()); ++call) {
    if (memory_->has_started(call))
      calls &= static_cast<model::CallSet>(~model::set_of(static_cast<model::Call>(call)));
  }
  return calls;
}

bool Episode::all_done() const {
  const std::size_t events = recorder().size();
  for (const Slot& slot : slots_) {
    if (slot.has_future.load(std::memory_order_acquire) && !slot.future.done()) return false;
  }
  if (!rests()) return false;  // After that: callbacks are due once their calls are done.
  return recorder().size() == events;  // Otherwise what was looked at first may be out of date.
}

void Episode::look(Observation& observation) {
  observation.calls.assign(slots_.size(), model::Visible::kAbsent);
  observation.outcomes.assign(slots_.size(), Reply{});
  observation.started.assign(slots_.size(), false);
  for (std::size_t call = 0; call < slots_.size(); ++call) {
    Slot& slot = slots_[call];
    observation.started[call] = memory_->has_started(static_cast<int>(call));
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
