#include "optimized/thread_pool/thread_pool.h"

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

// Whether this thread, a worker's, has invoked std::exit inside a call and so will not come back to its pool.
thread_local bool exits_the_program = false;

// The pool whose last worker this thread was, and whose calls it fails now. A done callback of theirs may wait for the pool.
thread_local const ThreadPool* fails_last_calls_of = nullptr;

}  // namespace

// Tells the pool that its worker leaves, however it does: at the end of its loop or by a forced unwind.
class ThreadPool::Departure {
 public:
  explicit Departure(ThreadPool& pool) : pool_(pool) { current_pool = &pool; }
  ~Departure() {
    current_pool = nullptr;
    if (!pool_.belongs_to_another_process()) pool_.leave(others_join_it);
  }
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  bool others_join_it = false;  // Stays so if a call ends the thread with pthread_exit: law E3.

 private:
  ThreadPool& pool_;
};

ThreadPool::ThreadPool(ThreadPoolOptions options) : options_(std::move(options)), max_workers_(*options_.max_workers) {}

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
  check_generation(generation_);
  sync::mutex_lock lock(mutex_);
  check_open();
  provide_worker();
  queue_.push_back(std::move(task));
}

void ThreadPool::check_intake() {
  check_generation(generation_);
  sync::mutex_lock lock(mutex_);
  check_open();
}

void ThreadPool::check_open() {
  if (broken_ != nullptr) std::rethrow_exception(broken_);
  if (!intake_open_) throw ShutdownError();
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
  const sync::thread_options thread_options = {
      .name = absl::StrCat(options_.thread_name_prefix, "_", workers_started_), .stack_bytes = options_.stack_bytes};
  threads_.push_back(sync::thread::start(thread_options, [self = shared_from_this()] { self->run_worker(); }));
  ++workers_started_;
  ++live_workers_;
  ++starting_workers_;
}

void ThreadPool::run_worker() {
  Departure departure(*this);
  if (initialize_worker()) {
    // A call that has forked returns twice. In the child the pool is inert, and this thread, its only one, ends (law T9).
    for (Task task = next_task(); task; task = next_task()) {
      run(std::move(task));
      if (belongs_to_another_process()) return;
      sync::end_if_cancelled();  // By the call: the next one is not to end with it.
    }
  }
  departure.others_join_it = true;
}

void ThreadPool::run(Task task) {
  if (!task.takes_stop_token()) return task.run();
  struct Listed {
    ThreadPool& pool;
    const Task::StopHandle call;
    ~Listed() {
      if (pool.belongs_to_another_process()) return;
      sync::mutex_lock lock(pool.mutex_);
      std::erase(pool.stoppable_running_, call);
    }
  } listed{*this, task.stop_handle()};
  task.run();
}

bool ThreadPool::initialize_worker() {
  try {
    if (options_.initializer != nullptr) options_.initializer();
    sync::end_if_cancelled();
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
      if (task.claim()) {
        if (task.takes_stop_token()) stoppable_running_.push_back(task.stop_handle());
        return task;
      }
      cancelled.push_back(std::move(task));
    }
    if (!intake_open_ || broken_ != nullptr) return Task();
    be_idle();
  }
}

// Also if the wait ends the thread: a call may have cancelled it.
void ThreadPool::be_idle() {
  struct Idle {
    ThreadPool& pool;
    explicit Idle(ThreadPool& p) : pool(p) { ++pool.idle_workers_; }
    ~Idle() {
      --pool.idle_workers_;
      // A wake-up for no reason counts off one that another worker is owed: a later submit then sends one too many.
      if (pool.woken_workers_ > 0) --pool.woken_workers_;
    }
  } idle(*this);
  work_or_closing_.wait(mutex_);
}

void ThreadPool::leave(bool others_join_it) {
  std::string failure;
  {
    sync::mutex_lock lock(mutex_);
    --live_workers_;
    if (!others_join_it) detach_own_thread();
    if (!queue_.empty()) {
      try {
        start_worker();
      } catch (const std::exception& e) {
        if (live_workers_ == 0) failure = absl::StrCat("the last worker ended and cannot be replaced: ", e.what());
      }
    }
    if (!failure.empty()) ++live_workers_;  // Until the calls have failed: who waits for the pool waits for them.
  }
  if (!failure.empty()) {
    fails_last_calls_of = this;
    break_pool(failure);
    fails_last_calls_of = nullptr;
  }
  sync::mutex_lock lock(mutex_);
  if (!failure.empty()) --live_workers_;
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
  pending.fail(error);
}

std::size_t ThreadPool::close_intake(bool cancel_futures) {
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
  const std::size_t cancelled = cancelled_here.size();
  cancelled_here.announce_cancelled();
  return cancelled;
}

void ThreadPool::request_stop() {
  std::vector<Task::StopHandle> calls;
  {
    sync::mutex_lock lock(mutex_);
    calls = stoppable_running_;
    queue_.add_stop_handles(calls);
  }
  for (const Task::StopHandle& call : calls) call.request_stop();
}

void ThreadPool::close_at_exit() {
  if (options_.exit_policy != ExitPolicy::kAbandon) close_intake(options_.exit_policy == ExitPolicy::kCancelPending);
}

void ThreadPool::wait_at_exit() {
  if (options_.exit_policy == ExitPolicy::kAbandon) return;
  if (is_own_worker()) {
    // A call has invoked std::exit and will never come back: this worker is no more. Who waits for the pool elsewhere does
    // so until the program has ended: it must not go on while the statics die, or end the program with another status.
    current_pool = nullptr;
    exits_the_program = true;
    {
      sync::mutex_lock lock(mutex_);
      a_call_exits_ = true;
    }
    leave(/*others_join_it=*/false);
  }
  await_workers(std::nullopt);
}

ThreadPool::Progress ThreadPool::shutdown(const ShutdownOptions& options) {
  check_generation(generation_);
  const sync::deadline until = options.timeout.deadline();
  const std::size_t cancelled = close_intake(options.cancel_futures);
  if (options.request_stop) request_stop();
  if (!options.wait) {
    sync::mutex_lock lock(mutex_);
    left_to_itself_ = true;
    return {.all_done = live_workers_ == 0 && !a_call_exits_, .cancelled = cancelled};
  }
  if (is_own_worker()) {
    throw DeadlockError("shutdown with wait by one of the executor's own workers would wait for itself");
  }
  return {.all_done = await_workers(until), .cancelled = cancelled};
}

bool ThreadPool::can_be_joined() const {
  const int others_live = live_workers_ - (fails_last_calls_of == this ? 1 : 0);
  return others_live == 0 && !joining_ && (!a_call_exits_ || exits_the_program);
}

bool ThreadPool::await_workers(sync::deadline until) {
  std::vector<sync::thread> ended;
  {
    sync::mutex_lock lock(mutex_);
    while (!can_be_joined()) {
      if (!workers_changed_.wait_until(mutex_, until) && !can_be_joined()) return false;
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
