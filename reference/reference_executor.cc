#include "reference/reference_executor.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <cxxabi.h>

#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/cpus.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/exit_and_fork.h"
#include "futures/internal/sync.h"

namespace futures {
namespace {

// Whose worker this thread is.
thread_local const void* current_executor = nullptr;

// Whether this thread, a worker's, has invoked std::exit inside a call and so will not come back to its executor.
thread_local bool exits_the_program = false;

// The executor whose last worker this thread was, and whose calls it fails now. A done callback of theirs may wait for it.
thread_local const void* fails_last_calls_of = nullptr;

ReferenceOptions checked(ReferenceOptions options) {
  if (!options.max_workers) options.max_workers = internal::available_cpus();
  if (*options.max_workers < 1) {
    throw std::invalid_argument(absl::StrCat("max_workers must be at least 1, not ", *options.max_workers));
  }
  sync::check_stack_bytes(options.stack_bytes);
  return options;
}

}  // namespace

// Everything there is. A call is in `queue` until a worker, holding the mutex, makes its future running; so every call
// is in the queue, running or done, and shutdown can see which.
//
// The mutex is never held while code of the user runs: bodies, callbacks, destructors of callables, stop callbacks.
struct ReferenceExecutor::Shared final : internal::DrainedAtExit, std::enable_shared_from_this<Shared> {
  explicit Shared(ReferenceOptions options_given) : options(std::move(options_given)) {}
  ~Shared() override;

  // In a child made by fork(). Law T9.
  bool is_of_another_process() const { return generation != internal::fork_generation(); }

  // What a worker thread does.
  void work();
  void initialize();
  bool take(Task& task, bool& claimed);
  void run(Task& task);

  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void start_thread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void forget_own_thread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void worker_ends(bool others_join_it);
  void break_with(const std::string& reason);
  std::size_t close(bool cancel_futures);
  void request_stop();
  // Whether all threads have ended their work, and this one may join them.
  bool can_be_joined() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool wait_for_workers(sync::deadline until);

  void close_at_exit() override;
  void wait_at_exit() override;

  const ReferenceOptions options;
  const std::uint32_t generation = internal::fork_generation();
  sync::mutex mutex;
  sync::condition_variable changed;  // Anything below has changed.
  TaskQueue queue ABSL_GUARDED_BY(mutex);
  bool intake_open ABSL_GUARDED_BY(mutex) = true;
  bool shut_down_without_wait ABSL_GUARDED_BY(mutex) = false;
  std::exception_ptr broken ABSL_GUARDED_BY(mutex);
  int threads_live ABSL_GUARDED_BY(mutex) = 0;  // Started and not yet ended.
  int threads_busy ABSL_GUARDED_BY(mutex) = 0;  // With a call.
  int threads_started ABSL_GUARDED_BY(mutex) = 0;
  bool joining ABSL_GUARDED_BY(mutex) = false;
  bool a_call_exits ABSL_GUARDED_BY(mutex) = false;  // It has invoked std::exit and never gets done. Law S8.
  std::vector<sync::thread> threads ABSL_GUARDED_BY(mutex);
  std::vector<Task::StopHandle> stoppable ABSL_GUARDED_BY(mutex);  // Of running calls that take a stop token.
};

ReferenceExecutor::ReferenceExecutor(ReferenceOptions options)
    : shared_(std::make_shared<Shared>(checked(std::move(options)))), exceptions_at_start_(std::uncaught_exceptions()) {
  internal::drain_at_exit(shared_);
}

ReferenceExecutor::~ReferenceExecutor() {
  if (shared_->is_of_another_process()) {
    // Law T9. The threads, and perhaps the lock, are in the parent process: nothing is to be done, or freed.
    internal::leave_to_parent(shared_);
    return;
  }
  bool wait = current_executor != shared_.get();
  {
    sync::mutex_lock lock(shared_->mutex);
    if (shared_->shut_down_without_wait) wait = false;
  }
  const bool unwinding = std::uncaught_exceptions() > exceptions_at_start_;
  do_shutdown({.wait = wait,
               .cancel_futures = unwinding && shared_->options.on_unwind == OnUnwind::kCancelPending});
}

ReferenceExecutor::Shared::~Shared() {
  // The last owner may be a worker that is ending. The other threads have done their work and end without us.
  sync::mutex_lock lock(mutex);
  for (sync::thread& thread : threads) {
    if (thread.is_current()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

// --- Submit.

void ReferenceExecutor::Shared::check_open() {
  if (broken != nullptr) std::rethrow_exception(broken);
  if (!intake_open) throw ShutdownError();
}

void ReferenceExecutor::check_intake() {
  internal::check_generation(shared_->generation);
  sync::mutex_lock lock(shared_->mutex);
  shared_->check_open();
}

void ReferenceExecutor::schedule(Task task) {
  Shared& s = *shared_;
  internal::check_generation(s.generation);
  sync::mutex_lock lock(s.mutex);
  s.check_open();
  // Law T2: a new thread only if this call and those before it outnumber the threads that are not busy.
  const bool enough_threads = static_cast<std::size_t>(s.threads_live - s.threads_busy) > s.queue.size();
  if (!enough_threads && s.threads_live < *s.options.max_workers) {
    try {
      s.start_thread();
    } catch (const std::system_error&) {
      if (s.threads_live == 0) throw;  // Law T5.
    }
  }
  s.queue.push_back(std::move(task));
  s.changed.notify_all();
}

void ReferenceExecutor::Shared::start_thread() {
  threads.reserve(threads.size() + 1);  // So that a started thread is never lost.
  const sync::thread_options thread_options = {
      .name = absl::StrCat(options.thread_name_prefix, "_", threads_started), .stack_bytes = options.stack_bytes};
  threads.push_back(sync::thread::start(thread_options, [self = shared_from_this()] { self->work(); }));
  ++threads_started;
  ++threads_live;
}

// --- Workers.

void ReferenceExecutor::Shared::work() {
  current_executor = this;
  struct AtEnd {
    Shared& shared;
    bool others_join_it = false;  // Stays so if a call ends this thread (pthread_exit): law E3.
    ~AtEnd() {
      current_executor = nullptr;
      if (!shared.is_of_another_process()) shared.worker_ends(others_join_it);
    }
  } at_end{*this};

  initialize();
  Task task;
  for (bool claimed = false; take(task, claimed);) {
    if (claimed) run(task);
    task = Task();
    // A call that has forked returns twice. In the child this thread is the only one, and ends (law T9).
    if (is_of_another_process()) return;
    sync::end_if_cancelled();  // By the call: the next one is not to end with it.
  }
  at_end.others_join_it = true;
}

void ReferenceExecutor::Shared::initialize() {
  try {
    if (options.initializer != nullptr) options.initializer();
    sync::end_if_cancelled();
  } catch (abi::__forced_unwind&) {
    break_with("a worker's initializer ended its thread");
    throw;
  } catch (...) {
    break_with(absl::StrCat("a worker's initializer threw: ", internal::describe_current_exception()));
  }
}

// Waits for a call and takes it; `claimed` is false if it has been cancelled. Returns false when the worker is to end.
bool ReferenceExecutor::Shared::take(Task& task, bool& claimed) {
  sync::mutex_lock lock(mutex);
  while (queue.empty() && intake_open && broken == nullptr) changed.wait(mutex);
  if (queue.empty()) return false;
  task = queue.pop_front();
  claimed = task.claim();
  if (claimed) ++threads_busy;
  if (claimed && task.takes_stop_token()) stoppable.push_back(task.stop_handle());
  return true;
}

void ReferenceExecutor::Shared::run(Task& task) {
  struct Afterwards {
    Shared& shared;
    const Task::StopHandle call;
    ~Afterwards() {
      if (shared.is_of_another_process()) return;
      sync::mutex_lock lock(shared.mutex);
      --shared.threads_busy;
      std::erase(shared.stoppable, call);
    }
  } afterwards{*this, task.stop_handle()};
  task.run();
}

void ReferenceExecutor::Shared::forget_own_thread() {
  const auto own = std::find_if(threads.begin(), threads.end(), [](const sync::thread& t) { return t.is_current(); });
  own->detach();
  threads.erase(own);
}

void ReferenceExecutor::Shared::worker_ends(bool others_join_it) {
  bool must_break = false;
  {
    sync::mutex_lock lock(mutex);
    --threads_live;
    if (!others_join_it) forget_own_thread();
    if (!queue.empty()) {
      try {
        start_thread();
      } catch (const std::exception&) {
        must_break = threads_live == 0;
      }
    }
    if (must_break) ++threads_live;  // Until the calls have failed: who waits for the workers waits for them.
  }
  if (must_break) {
    fails_last_calls_of = this;
    break_with("the last worker ended and cannot be replaced");
    fails_last_calls_of = nullptr;
  }
  sync::mutex_lock lock(mutex);
  if (must_break) --threads_live;
  changed.notify_all();
}

void ReferenceExecutor::Shared::break_with(const std::string& reason) {
  LOG(ERROR) << reason;
  const std::exception_ptr error = std::make_exception_ptr(BrokenThreadPool(reason));
  TaskQueue pending;
  {
    sync::mutex_lock lock(mutex);
    if (broken == nullptr) broken = error;
    std::swap(pending, queue);
    changed.notify_all();
  }
  pending.fail(error);
}

// --- Shutdown.

std::size_t ReferenceExecutor::Shared::close(bool cancel_futures) {
  TaskQueue cancelled;
  TaskQueue cancelled_before;
  {
    sync::mutex_lock lock(mutex);
    intake_open = false;
    while (cancel_futures && !queue.empty()) {
      Task task = queue.pop_front();
      (task.mark_cancelled() ? cancelled : cancelled_before).push_back(std::move(task));
    }
    changed.notify_all();
  }
  const std::size_t count = cancelled.size();
  cancelled.announce_cancelled();
  return count;
}

void ReferenceExecutor::Shared::request_stop() {
  std::vector<Task::StopHandle> calls;
  {
    sync::mutex_lock lock(mutex);
    calls = stoppable;
    queue.add_stop_handles(calls);
  }
  for (const Task::StopHandle& call : calls) call.request_stop();
}

bool ReferenceExecutor::Shared::can_be_joined() const {
  const int others_live = threads_live - (fails_last_calls_of == this ? 1 : 0);
  return others_live == 0 && !joining && (!a_call_exits || exits_the_program);
}

bool ReferenceExecutor::Shared::wait_for_workers(sync::deadline until) {
  std::vector<sync::thread> ended;
  {
    sync::mutex_lock lock(mutex);
    while (!can_be_joined()) {
      if (!changed.wait_until(mutex, until) && !can_be_joined()) return false;
    }
    joining = true;
    std::swap(ended, threads);
  }
  for (sync::thread& thread : ended) thread.join();
  sync::mutex_lock lock(mutex);
  joining = false;
  changed.notify_all();
  return true;
}

Executor::ShutdownResult ReferenceExecutor::do_shutdown(const ShutdownOptions& options) {
  Shared& s = *shared_;
  internal::check_generation(s.generation);
  const sync::deadline until = options.timeout.deadline();
  const std::size_t cancelled = s.close(options.cancel_futures);
  if (options.request_stop) s.request_stop();
  if (!options.wait) {
    sync::mutex_lock lock(s.mutex);
    s.shut_down_without_wait = true;
    return {.all_done = s.threads_live == 0 && !s.a_call_exits, .cancelled = cancelled};
  }
  if (current_executor == &s) {
    throw DeadlockError("shutdown with wait by one of the executor's own workers would wait for itself");
  }
  return {.all_done = s.wait_for_workers(until), .cancelled = cancelled};
}

void ReferenceExecutor::Shared::close_at_exit() {
  if (options.exit_policy != ExitPolicy::kAbandon) close(options.exit_policy == ExitPolicy::kCancelPending);
}

void ReferenceExecutor::Shared::wait_at_exit() {
  if (options.exit_policy == ExitPolicy::kAbandon) return;
  if (current_executor == this) {
    // A call has invoked std::exit and will never come back: this worker is no more. Who waits elsewhere for all to be done
    // does so until the program has ended.
    current_executor = nullptr;
    exits_the_program = true;
    {
      sync::mutex_lock lock(mutex);
      a_call_exits = true;
    }
    worker_ends(/*others_join_it=*/false);
  }
  wait_for_workers(std::nullopt);
}

}  // namespace futures
