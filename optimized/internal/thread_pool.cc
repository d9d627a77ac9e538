#include "optimized/internal/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <cxxabi.h>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/current_exception.h"

namespace futures::internal {
namespace {

// The pool whose worker this thread is.
thread_local const ThreadPool* current_pool = nullptr;

}  // namespace

// Tells the pool that its worker leaves, however it does: at the end of its loop or by a forced unwind.
class ThreadPool::Departure {
 public:
  explicit Departure(ThreadPool& pool) : pool_(pool) { current_pool = &pool; }
  ~Departure() {
    current_pool = nullptr;
    pool_.leave();
  }
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

 private:
  ThreadPool& pool_;
};

ThreadPool::ThreadPool(int max_workers, std::string name_prefix, std::function<void()> initializer)
    : max_workers_(max_workers), name_prefix_(std::move(name_prefix)), initializer_(std::move(initializer)) {}

ThreadPool::~ThreadPool() {
  // The last owner may be a worker on its way out. The other threads have left their loops and end without us.
  sync::mutex_lock lock(mutex_);
  for (sync::thread& thread : threads_) {
    if (thread.is_current()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool ThreadPool::is_own_worker() const { return current_pool == this; }

bool ThreadPool::left_to_itself() const {
  sync::mutex_lock lock(mutex_);
  return left_to_itself_;
}

void ThreadPool::schedule(Task task) {
  sync::mutex_lock lock(mutex_);
  if (broken_ != nullptr) std::rethrow_exception(broken_);
  if (!intake_open_) throw ShutdownError();
  provide_worker();
  queue_.push_back(std::move(task));
}

void ThreadPool::provide_worker() {
  const std::size_t on_their_way = static_cast<std::size_t>(woken_workers_ + starting_workers_);
  if (queue_.size() < on_their_way) return;
  if (woken_workers_ < idle_workers_) {
    ++woken_workers_;
    work_or_closing_.notify_one();
    return;
  }
  if (live_workers_ == max_workers_) return;
  try {
    start_worker();
  } catch (const std::system_error&) {
    if (live_workers_ == 0) throw;  // Law T5: otherwise the pool goes on with the workers it has.
  }
}

void ThreadPool::start_worker() {
  threads_.reserve(threads_.size() + 1);  // So that a started thread is never lost.
  threads_.push_back(sync::thread::start({.name = absl::StrCat(name_prefix_, "_", workers_started_)},
                                         [self = shared_from_this()] { self->run_worker(); }));
  ++workers_started_;
  ++live_workers_;
  ++starting_workers_;
}

void ThreadPool::run_worker() {
  const Departure departure(*this);
  if (!initialize_worker()) return;
  while (Task task = next_task()) task.run();
}

bool ThreadPool::initialize_worker() {
  try {
    if (initializer_ != nullptr) initializer_();
  } catch (abi::__forced_unwind&) {
    break_pool("a worker's initializer ended its thread");
    throw;
  } catch (...) {
    const std::string reason = absl::StrCat("a worker's initializer threw: ", describe_current_exception());
    LOG(ERROR) << reason;
    break_pool(reason);
    return false;
  }
  sync::mutex_lock lock(mutex_);
  --starting_workers_;
  return true;
}

Task ThreadPool::next_task() {
  TaskQueue cancelled;  // Dropped without the lock.
  sync::mutex_lock lock(mutex_);
  for (;;) {
    while (!queue_.empty()) {
      Task task = queue_.pop_front();
      if (task.claim()) return task;
      cancelled.push_back(std::move(task));
    }
    if (!intake_open_ || broken_ != nullptr) return Task();
    ++idle_workers_;
    work_or_closing_.wait(mutex_);
    --idle_workers_;
    // A wake-up for no reason counts off one that another worker is owed: a later submit then sends one too many.
    if (woken_workers_ > 0) --woken_workers_;
  }
}

void ThreadPool::leave() {
  std::string failure;
  {
    sync::mutex_lock lock(mutex_);
    --live_workers_;
    const bool too_early = broken_ == nullptr && (intake_open_ || !queue_.empty());
    if (too_early) detach_own_thread();  // A call has ended its thread: law E3.
    if (too_early && !queue_.empty()) {
      try {
        start_worker();
      } catch (const std::exception& e) {
        if (live_workers_ == 0) failure = absl::StrCat("the last worker ended and cannot be replaced: ", e.what());
      }
    }
  }
  if (!failure.empty()) break_pool(failure);
  sync::mutex_lock lock(mutex_);
  workers_changed_.notify_all();
}

void ThreadPool::detach_own_thread() {
  const auto own = std::find_if(threads_.begin(), threads_.end(), [](const sync::thread& t) { return t.is_current(); });
  own->detach();
  threads_.erase(own);
}

void ThreadPool::break_pool(const std::string& reason) {
  TaskQueue pending;
  const std::exception_ptr error = std::make_exception_ptr(BrokenThreadPool(reason));
  {
    sync::mutex_lock lock(mutex_);
    if (broken_ == nullptr) broken_ = error;
    pending = std::exchange(queue_, TaskQueue());
    work_or_closing_.notify_all();
  }
  while (!pending.empty()) pending.pop_front().fail(error);
}

void ThreadPool::close_intake(bool cancel_futures) {
  TaskQueue cancelled_here;
  TaskQueue cancelled_before;  // Dropped without the lock.
  {
    sync::mutex_lock lock(mutex_);
    intake_open_ = false;
    work_or_closing_.notify_all();
    // All at once under the lock: when any shutdown returns, no call is pending (laws S3, S5).
    while (cancel_futures && !queue_.empty()) {
      Task task = queue_.pop_front();
      (task.mark_cancelled() ? cancelled_here : cancelled_before).push_back(std::move(task));
    }
  }
  while (!cancelled_here.empty()) cancelled_here.pop_front().announce_cancelled();
}

bool ThreadPool::shutdown(const ShutdownOptions& options) {
  const sync::deadline until = options.timeout.deadline();
  close_intake(options.cancel_futures);
  if (!options.wait) {
    sync::mutex_lock lock(mutex_);
    left_to_itself_ = true;
    return live_workers_ == 0;
  }
  if (is_own_worker()) {
    throw DeadlockError("shutdown with wait by one of the executor's own workers would wait for itself");
  }
  return await_workers(until);
}

bool ThreadPool::await_workers(sync::deadline until) {
  std::vector<sync::thread> ended;
  {
    sync::mutex_lock lock(mutex_);
    while (live_workers_ > 0 || joining_) {
      if (!workers_changed_.wait_until(mutex_, until)) return live_workers_ == 0 && !joining_;
    }
    joining_ = true;
    ended = std::move(threads_);
    threads_.clear();
  }
  for (sync::thread& thread : ended) thread.join();
  sync::mutex_lock lock(mutex_);
  joining_ = false;
  workers_changed_.notify_all();
  return true;
}

}  // namespace futures::internal
