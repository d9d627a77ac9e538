#include "reference/reference_executor.h"

#include <algorithm>
#include <cstddef>
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
#include "futures/internal/sync.h"

namespace futures {

// Everything there is. A call is in `queue` until a worker, holding the mutex, makes its future running; so every call
// is in the queue, running or done, and shutdown can see which.
struct ReferenceExecutor::Shared : std::enable_shared_from_this<Shared> {
  explicit Shared(ReferenceOptions options_given) : options(std::move(options_given)) {}
  ~Shared();

  void start_thread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void thread_leaves();
  void break_with(const std::string& reason);

  const ReferenceOptions options;
  sync::mutex mutex;
  sync::condition_variable changed;  // Anything below has changed.
  TaskQueue queue ABSL_GUARDED_BY(mutex);
  bool intake_open ABSL_GUARDED_BY(mutex) = true;
  bool shut_down_without_wait ABSL_GUARDED_BY(mutex) = false;
  std::exception_ptr broken ABSL_GUARDED_BY(mutex);
  int threads_live ABSL_GUARDED_BY(mutex) = 0;  // Started and not yet left.
  int threads_free ABSL_GUARDED_BY(mutex) = 0;  // Started and not busy with a call.
  int threads_started ABSL_GUARDED_BY(mutex) = 0;
  bool joining ABSL_GUARDED_BY(mutex) = false;
  std::vector<sync::thread> threads ABSL_GUARDED_BY(mutex);
};

namespace {

// Whose worker this thread is.
thread_local const void* current_executor = nullptr;

int checked_max_workers(const ReferenceOptions& options) {
  const int max_workers = options.max_workers.value_or(internal::available_cpus());
  if (max_workers < 1) throw std::invalid_argument(absl::StrCat("max_workers must be at least 1, not ", max_workers));
  return max_workers;
}

}  // namespace

ReferenceExecutor::ReferenceExecutor(ReferenceOptions options) : shared_([&] {
  options.max_workers = checked_max_workers(options);
  return std::make_shared<Shared>(std::move(options));
}()) {}

ReferenceExecutor::~ReferenceExecutor() {
  bool wait = current_executor != shared_.get();
  {
    sync::mutex_lock lock(shared_->mutex);
    if (shared_->shut_down_without_wait) wait = false;
  }
  do_shutdown({.wait = wait});
}

ReferenceExecutor::Shared::~Shared() {
  // The last owner may be a worker that is leaving. The other threads have left and end without us.
  sync::mutex_lock lock(mutex);
  for (sync::thread& thread : threads) {
    if (thread.is_current()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

void ReferenceExecutor::schedule(Task task) {
  Shared& s = *shared_;
  sync::mutex_lock lock(s.mutex);
  if (s.broken != nullptr) std::rethrow_exception(s.broken);
  if (!s.intake_open) throw ShutdownError();
  // Law T2: a new thread only when the calls in the queue, this one included, outnumber the free threads.
  if (static_cast<std::size_t>(s.threads_free) <= s.queue.size() && s.threads_live < *s.options.max_workers) {
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
  threads.reserve(threads.size() + 1);
  threads.push_back(sync::thread::start({.name = absl::StrCat(options.thread_name_prefix, "_", threads_started)},
                                        [self = shared_from_this()] { work(*self); }));
  ++threads_started;
  ++threads_live;
  ++threads_free;
}

void ReferenceExecutor::work(Shared& s) {
  current_executor = &s;
  struct Departure {
    Shared& shared;
    ~Departure() { shared.thread_leaves(); }
  } departure{s};

  try {
    if (s.options.initializer != nullptr) s.options.initializer();
  } catch (abi::__forced_unwind&) {
    s.break_with("a worker's initializer ended its thread");
    throw;
  } catch (...) {
    s.break_with(absl::StrCat("a worker's initializer threw: ", internal::describe_current_exception()));
    return;
  }

  for (;;) {
    Task task;
    bool claimed = false;
    {
      sync::mutex_lock lock(s.mutex);
      while (s.queue.empty() && s.intake_open && s.broken == nullptr) s.changed.wait(s.mutex);
      if (s.queue.empty()) return;
      task = s.queue.pop_front();
      claimed = task.claim();
      if (claimed) --s.threads_free;
    }
    if (!claimed) continue;  // It was cancelled.
    struct Busy {
      Shared& shared;
      ~Busy() {
        sync::mutex_lock lock(shared.mutex);
        ++shared.threads_free;
      }
    } busy{s};
    task.run();
  }
}

void ReferenceExecutor::Shared::thread_leaves() {
  current_executor = nullptr;
  bool must_break = false;
  {
    sync::mutex_lock lock(mutex);
    --threads_live;
    --threads_free;
    if (intake_open && broken == nullptr) {
      // Law E3: a call has ended its thread. Nobody will join it.
      const auto own = std::find_if(threads.begin(), threads.end(), [](const sync::thread& t) { return t.is_current(); });
      own->detach();
      threads.erase(own);
    }
    if (!queue.empty()) {
      try {
        start_thread();
      } catch (const std::exception&) {
        must_break = threads_live == 0;
      }
    }
  }
  if (must_break) break_with("the last worker ended and cannot be replaced");
  sync::mutex_lock lock(mutex);
  changed.notify_all();
}

void ReferenceExecutor::Shared::break_with(const std::string& reason) {
  LOG(ERROR) << reason;
  const std::exception_ptr error = std::make_exception_ptr(BrokenThreadPool(reason));
  TaskQueue pending;
  {
    sync::mutex_lock lock(mutex);
    if (broken == nullptr) broken = error;
    pending = std::exchange(queue, TaskQueue());
    changed.notify_all();
  }
  while (!pending.empty()) pending.pop_front().fail(error);
}

bool ReferenceExecutor::do_shutdown(const ShutdownOptions& options) {
  Shared& s = *shared_;
  const sync::deadline until = options.timeout.deadline();
  TaskQueue cancelled;
  TaskQueue cancelled_before;  // Dropped, as all user code runs, without the lock.
  {
    sync::mutex_lock lock(s.mutex);
    s.intake_open = false;
    if (!options.wait) s.shut_down_without_wait = true;
    while (options.cancel_futures && !s.queue.empty()) {
      Task task = s.queue.pop_front();
      (task.mark_cancelled() ? cancelled : cancelled_before).push_back(std::move(task));
    }
    s.changed.notify_all();
  }
  while (!cancelled.empty()) cancelled.pop_front().announce_cancelled();

  if (options.wait && current_executor == &s) {
    throw DeadlockError("shutdown with wait by one of the executor's own workers would wait for itself");
  }
  std::vector<sync::thread> ended;
  {
    sync::mutex_lock lock(s.mutex);
    if (!options.wait) return s.threads_live == 0;
    while (s.threads_live > 0 || s.joining) {
      if (!s.changed.wait_until(s.mutex, until)) return s.threads_live == 0 && !s.joining;
    }
    s.joining = true;
    std::swap(ended, s.threads);
  }
  for (sync::thread& thread : ended) thread.join();
  sync::mutex_lock lock(s.mutex);
  s.joining = false;
  s.changed.notify_all();
  return true;
}

}  // namespace futures
