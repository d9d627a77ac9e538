#include "spec_tests/simulator/future_scope.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/futures/wait.h"

namespace futures::simulator {
namespace {

using Kind = FutureEvent::Kind;
using Reply = FutureEvent::Reply;

struct NumberedError {
  std::int8_t number;
};

struct Answer {
  Reply reply;
  std::int8_t number = 0;
};

bool needs_promise(FutureOperation operation) {
  return operation == FutureOperation::kSetResult || operation == FutureOperation::kSetException ||
         operation == FutureOperation::kSetRunning;
}

// All scripts of one client, the shorter ones first.
std::vector<std::vector<FutureOperation>> scripts_of_client(int operations_max) {
  std::vector<std::vector<FutureOperation>> scripts = {{}};
  std::size_t first = 0;  // Of the longest ones so far.
  for (int length = 1; length <= operations_max; ++length) {
    const std::size_t end = scripts.size();
    for (std::size_t i = first; i < end; ++i) {
      for (int operation = 0; operation < kFutureOperations; ++operation) {
        std::vector<FutureOperation> longer = scripts[i];
        longer.push_back(static_cast<FutureOperation>(operation));
        scripts.push_back(std::move(longer));
      }
    }
    first = end;
  }
  return scripts;
}

}  // namespace

std::string to_text(const FutureScript& script) {
  std::string text;
  for (std::size_t client = 0; client < script.size(); ++client) {
    for (const FutureOperation operation : script[client])
      absl::StrAppend(&text, client, " ", to_text(operation), "\n");
  }
  return text;
}

void visit_future_scripts(int operations_per_client, int operations_in_all,
                          const std::function<void(const FutureScript&)>& visit) {
  const std::vector<std::vector<FutureOperation>> scripts = scripts_of_client(operations_per_client);
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    for (std::size_t j = i; j < scripts.size(); ++j) {
      if (static_cast<int>(scripts[i].size() + scripts[j].size()) <= operations_in_all) visit({scripts[i], scripts[j]});
    }
  }
}

// One run.
class FutureProgram::Play {
 public:
  Play(const FutureScript& script, std::vector<FutureEvent>& history) : script_(script), history_(history) {}

  void run() {
    together({[this] { play(0); }, [this] { play(1); },
              [this] {
                await_rest();
                drop();
              }});
  }

 private:
  // The main thread has number 0.
  static std::int8_t this_client() { return static_cast<std::int8_t>(this_thread() - 1); }

  void record(const FutureEvent& event) {
    meet(&history_);
    const Bookkeeping bookkeeping;
    history_.push_back(event);
  }

  void play(int client) {
    std::int8_t number = static_cast<std::int8_t>(client == 0 ? 1 : 1 + script_[0].size());
    for (const FutureOperation operation : script_[static_cast<std::size_t>(client)]) perform(operation, number++);
  }

  void perform(FutureOperation operation, std::int8_t number) {
    meet(&history_);
    if (needs_promise(operation) && !promise_.has_value()) return;
    record({.kind = Kind::kInvoke, .client = this_client(), .operation = operation, .number = number});
    const Answer answer = answer_of(operation, number);
    record({.kind = Kind::kReturn,
            .client = this_client(),
            .operation = operation,
            .reply = answer.reply,
            .number = answer.number});
  }

  // What no law allows here leaves the thread, and is found.
  Answer answer_of(FutureOperation operation, std::int8_t number) {
    try {
      return do_operation(operation, number);
    } catch (const InvalidStateError&) {
      return {Reply::kInvalid};
    } catch (const NumberedError& error) {
      return {Reply::kError, error.number};
    } catch (const CancelledError&) {
      return {Reply::kCancelled};
    } catch (const TimeoutError&) {
      return {Reply::kTimeout};
    } catch (const BrokenExecutor&) {
      return {Reply::kBroken};
    }
  }

  Answer do_operation(FutureOperation operation, std::int8_t number) {
    switch (operation) {
      case FutureOperation::kSetResult:
        promise_->set_result(number);
        return {Reply::kOk};
      case FutureOperation::kSetException:
        promise_->set_exception(std::make_exception_ptr(NumberedError{number}));
        return {Reply::kOk};
      case FutureOperation::kSetRunning:
        return {promise_->set_running_or_notify_cancel() ? Reply::kTrue : Reply::kFalse};
      case FutureOperation::kCancel:
        return {future_.cancel() ? Reply::kTrue : Reply::kFalse};
      case FutureOperation::kResult:
        return {Reply::kValue, static_cast<std::int8_t>(std::as_const(future_).result())};
      case FutureOperation::kPoll:
        return {Reply::kValue, static_cast<std::int8_t>(std::as_const(future_).result(std::chrono::seconds(0)))};
      case FutureOperation::kWait:
        return {futures::wait(std::vector{future_}).done.size() == 1 ? Reply::kOk : Reply::kNone};
      case FutureOperation::kCallback:
        future_.add_done_callback([this, number](const Future<int>&) {
          record({.kind = Kind::kCallback, .client = this_client(), .number = number});
        });
        return {Reply::kOk};
      case FutureOperation::kDrop:
        break;
    }
    return {Reply::kNone};
  }

  void drop() {
    record({.kind = Kind::kInvoke, .client = this_client(), .operation = FutureOperation::kDrop});
    promise_.reset();
    record({.kind = Kind::kReturn, .client = this_client(), .operation = FutureOperation::kDrop, .reply = Reply::kOk});
  }

  const FutureScript& script_;
  std::vector<FutureEvent>& history_;
  std::optional<Promise<int>> promise_{std::in_place};
  const Future<int> future_ = promise_->future();
};

Program FutureProgram::program() {
  return {.body =
              [this] {
                history_.clear();
                Play(script_, history_).run();
              },
          .judge = [this] { return judge(); }};
}

std::optional<Program::Verdict> FutureProgram::judge() {
  key_.clear();
  for (const FutureEvent& event : history_) {
    for (const int byte :
         {static_cast<int>(event.kind), static_cast<int>(event.client), static_cast<int>(event.operation),
          static_cast<int>(event.reply), static_cast<int>(event.number)}) {
      key_.push_back(static_cast<char>(byte));
    }
  }
  if (known_good_.contains(key_)) return std::nullopt;
  std::string wrong = judge_future_history(history_);
  if (!wrong.empty()) return Program::Verdict{Finding::Kind::kNotOfTheModel, std::move(wrong)};
  known_good_.insert(key_);
  return std::nullopt;
}

}  // namespace futures::simulator
