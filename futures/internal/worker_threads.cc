#include "futures/internal/worker_threads.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include <cxxabi.h>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/current_exception.h"

namespace futures::internal {
namespace {

// Whether this thread, a worker's, has left. Plain, as a thread_local whose destructor has run must not be asked.
constinit thread_local bool has_left = false;

// What becomes of an executor because of the exception that is being handled. If there is no memory for the text, a
// std::bad_alloc.
std::exception_ptr broken_by_current_exception(std::string_view what) noexcept {
  try {
    return std::make_exception_ptr(BrokenThreadPool(absl::StrCat(what, describe_current_exception())));
  } catch (const std::bad_alloc&) {
    return std::current_exception();
  }
}

}  // namespace

// Has the worker leave, however its thread ends: by itself, or unwound by a call.
class WorkerThreads::Departure {
 public:
  explicit Departure(WorkerThreads& workers) : workers_(workers) {}
  ~Departure() {
    if (!workers_.is_of_another_process()) workers_.leave(others_join_it);
  }
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

  bool others_join_it = false;  // Stays so if a call ends the thread with pthread_exit: law E3.

 private:
  WorkerThreads& workers_;
};

WorkerThreads::WorkerThreads(WorkerThreadsOptions options)
    : ExecutorLife(options.on_unwind, options.exit_policy), options_(std::move(options)) {}

WorkerThreads::~WorkerThreads() {
  // Nobody has waited for these: they have left, and end by themselves. One of them may be this thread. Joining them
  // would wait for destructors of their thread_locals (law S6).
  sync::mutex_lock lock(mutex_);
  for (sync::thread& thread : threads_) thread.detach();
}

bool WorkerThreads::has_ended() const {
  sync::mutex_lock lock(mutex_);
  return live_workers_ == 0 && !a_call_exits_;
}

void WorkerThreads::start_worker() {
  threads_.reserve(threads_.size() + 1);  // So that a started thread is never lost.
  const sync::thread_options thread_options = {.name = absl::StrCat(options_.name_prefix, "_", workers_started_),
                                               .stack_bytes = options_.stack_bytes};
  threads_.push_back(sync::thread::start(thread_options, [self = shared_from_this()] { self->run_worker(); }));
  ++workers_started_;
  ++live_workers_;
  ++starting_workers_;
}

void WorkerThreads::run_worker() {
  adopt_this_thread();
  Departure departure(*this);
  if (initialize()) work();
  departure.others_join_it = true;
}

// Returns false if the executor is broken now. Law T4.
bool WorkerThreads::initialize() {
  try {
    if (options_.initializer != nullptr) options_.initializer();
    sync::end_if_cancelled();
  } catch (abi::__forced_unwind&) {
    break_with(make_error<BrokenThreadPool>("a worker's initializer ended its thread"));
    throw;
  } catch (...) {
    constexpr const char* kWhat = "a worker's initializer threw: ";
    log_current_exception(kWhat);
    break_with(broken_by_current_exception(kWhat));
    return false;
  }
  sync::mutex_lock lock(mutex_);
  --starting_workers_;
  return true;
}

// The worker of this thread is no more: its last act, or the thread will never come back from where it is.
// `others_join_it`: the thread ends by itself now.
void WorkerThreads::leave(bool others_join_it) {
  std::exception_ptr failure;
  {
    sync::mutex_lock lock(mutex_);
    if (!others_join_it) detach_own_thread();
    if (has_pending()) {
      try {
        start_worker();
      } catch (const std::exception&) {
        if (live_workers_ == 1) failure = broken_by_current_exception("the last worker ended and cannot be replaced: ");
      }
    }
    if (failure == nullptr) return count_off_own_worker();
  }
  // It still counts: whoever waits for the workers waits for these calls. A callback of theirs must not end this
  // thread, which is being ended already (law F10): the program would end instead.
  break_with(failure);
  sync::mutex_lock lock(mutex_);
  count_off_own_worker();
}

void WorkerThreads::count_off_own_worker() {
  has_left = true;
  --live_workers_;
  workers_changed_.notify_all();
}

// Nobody joins it. Somebody may have taken it to do so already.
void WorkerThreads::detach_own_thread() {
  const auto own = std::find_if(threads_.begin(), threads_.end(), [](const sync::thread& t) { return t.is_current(); });
  if (own == threads_.end()) return;
  own->detach();
  threads_.erase(own);
}

// While a call exits, other threads wait until the program has ended: they must not go on while the statics die, or end
// the program with another status. The thread that exits may be the one that others try to join: it does not wait for
// them.
bool WorkerThreads::may_stop_waiting() const {
  return live_workers_ == 0 && (exits_the_program() || (!a_call_exits_ && !joining_));
}

bool WorkerThreads::await_end(sync::deadline until) {
  std::vector<sync::thread> ended;
  {
    sync::mutex_lock lock(mutex_);
    while (!may_stop_waiting()) {
      if (!workers_changed_.wait_until(mutex_, until) && !may_stop_waiting()) return false;
    }
    if (joining_) return true;
    joining_ = true;
    ended = std::exchange(threads_, {});
  }
  for (sync::thread& thread : ended) thread.join();
  sync::mutex_lock lock(mutex_);
  joining_ = false;
  workers_changed_.notify_all();
  return true;
}

bool WorkerThreads::replace_own_thread() {
  {
    sync::mutex_lock lock(mutex_);
    a_call_exits_ = true;
    if (has_left) detach_own_thread();  // The destructor of a thread_local exits.
  }
  if (!has_left) leave(/*others_join_it=*/false);
  return true;
}

}  // namespace futures::internal
