#include "futures/internal/executor_life.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/cpus.h"

namespace futures::internal {
namespace {

sync::atomic<std::uint64_t> executors_made{0};

// What an executor's own thread knows of itself. Plain values, which no destructor ends: they can be asked for as long
// as the thread runs anything, and nothing resets them.
struct OwnThread {
  std::uint64_t executor;  // The id of the one that it belongs to; 0 on other threads.
  bool exits_the_program;  // It has invoked std::exit, and is the executor's own no more.
};
constinit thread_local OwnThread this_thread{};

}  // namespace

int checked_max_workers(std::optional<Count> asked, int most) {
  if (!asked) return std::min(available_cpus(), most);
  const long long number = asked->value();
  if (number >= 1 && number <= most) return static_cast<int>(number);
  throw std::invalid_argument(absl::StrCat("max_workers must be from 1 to ", most, ", not ", number));
}

ExecutorLife::ExecutorLife(OnUnwind on_unwind, ExitPolicy exit_policy)
    : on_unwind_(on_unwind),
      exit_policy_(exit_policy),
      exceptions_at_start_(std::uncaught_exceptions()),
      id_(executors_made.fetch_add(1, std::memory_order_relaxed) + 1) {}

bool ExecutorLife::is_own_thread() const { return this_thread.executor == id_ && !this_thread.exits_the_program; }

void ExecutorLife::check_may_wait() const {
  if (!is_own_thread()) return;
  throw DeadlockError("shutdown with wait on one of the executor's own threads would wait for itself");
}

void ExecutorLife::adopt_this_thread() const { this_thread.executor = id_; }

bool ExecutorLife::exits_the_program() const { return this_thread.executor == id_ && this_thread.exits_the_program; }

void ExecutorLife::close_at_exit() {
  if (exit_policy_ != ExitPolicy::kAbandon) close_intake(exit_policy_ == ExitPolicy::kCancelPending);
}

void ExecutorLife::wait_at_exit() {
  if (exit_policy_ == ExitPolicy::kAbandon) return;
  if (is_own_thread()) {
    if (!replace_own_thread()) return;
    this_thread.exits_the_program = true;
  }
  await_end(std::nullopt);
}

void destroy_executor(const std::shared_ptr<ExecutorLife>& executor) {
  // Its threads, which own it too, are in the parent; its locks may be held for ever.
  if (executor->is_of_another_process()) return leave_to_parent(executor);
  const bool is_left = executor->left_to_itself_.load(std::memory_order_relaxed);
  const bool is_unwinding = std::uncaught_exceptions() > executor->exceptions_at_start_;
  executor->shutdown({.wait = !is_left && !executor->is_own_thread(),
                      .cancel_futures = is_unwinding && executor->on_unwind_ == OnUnwind::kCancelPending});
}

}  // namespace futures::internal
