#include "spec_tests/broken/faulty_thread_pool.h"

#include <deque>
#include <utility>

#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "spec_tests/broken/swallow.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {
namespace {

thread_local const void* current_pool = nullptr;

// Longer than a checker needs to look at a pool a few times.
void dawdle() {
  const auto until = sync::clock::now() + std::chrono::milliseconds(20);
  while (sync::clock::now() < until) yield();
}

// Takes one out; `queue` must not be empty.
Task next(std::deque<Task>& queue, bool last_first) {
  Task task = std::move(last_first ? queue.back() : queue.front());
  last_first ? queue.pop_back() : queue.pop_front();
  return task;
}

}  // namespace

// Threads are detached and counted: one that a fault leaves behind is in nobody's way.
struct FaultyThreadPool::Shared {
  const int max_workers;
  const ThreadFault fault;
  sync::mutex mutex;
  sync::condition_variable changed;
  std::deque<Task> queue;
  std::deque<Task> cancelled_and_kept;  // kRunsCancelled: they run after the queue. kDropsCallbacks: nobody is told.
  bool intake_open = true;
  bool left_alone = false;  // After a shutdown without wait the destructor does not wait.
  int threads = 0;
  int idle = 0;

  bool has(ThreadFault which) const { return fault == which; }
  bool refuses() const { return !intake_open && !has(ThreadFault::kAcceptsAfterShutdown); }
};

FaultyThreadPool::FaultyThreadPool(int max_workers, ThreadFault fault)
    : shared_(new Shared{.max_workers = max_workers, .fault = fault}) {}

FaultyThreadPool::~FaultyThreadPool() {
  const sync::mutex_lock lock(shared_->mutex);
  shared_->intake_open = false;
  shared_->changed.notify_all();
  if (current_pool == shared_.get() || shared_->left_alone) return;
  while (shared_->threads > 0) shared_->changed.wait(shared_->mutex);
}

void FaultyThreadPool::schedule(Task task) {
  Shared& shared = *shared_;
  const sync::mutex_lock lock(shared.mutex);
  if (shared.refuses()) throw ShutdownError();
  shared.queue.push_back(std::move(task));
  const bool may_grow = shared.threads < shared.max_workers || shared.has(ThreadFault::kIgnoresMaxWorkers);
  if (shared.queue.size() > static_cast<std::size_t>(shared.idle) && may_grow) start_thread(shared_);
  shared.changed.notify_all();
}

// With the mutex held.
void FaultyThreadPool::start_thread(const std::shared_ptr<Shared>& shared) {
  ++shared->threads;
  ++shared->idle;
  sync::thread::start({}, [shared] { work(shared); }).detach();
}

// A thread on its way out: at the end of its loop, or because a call has ended it with pthread_exit.
class FaultyThreadPool::Departure {
 public:
  explicit Departure(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) { current_pool = shared_.get(); }
  ~Departure() {
    current_pool = nullptr;
    const sync::mutex_lock lock(shared_->mutex);
    --shared_->threads;
    if (!shared_->queue.empty()) start_thread(shared_);
    shared_->changed.notify_all();
  }

 private:
  const std::shared_ptr<Shared> shared_;
};

void FaultyThreadPool::work(const std::shared_ptr<Shared>& keep) {
  Shared& shared = *keep;
  const Departure departure(keep);
  for (;;) {
    Task task;
    bool runs = false;
    bool was_cancelled = false;
    {
      const sync::mutex_lock lock(shared.mutex);
      while (shared.queue.empty() && shared.intake_open) shared.changed.wait(shared.mutex);
      --shared.idle;
      was_cancelled = shared.queue.empty() && shared.has(ThreadFault::kRunsCancelled);
      std::deque<Task>& source = was_cancelled ? shared.cancelled_and_kept : shared.queue;
      if (source.empty()) return;
      task = next(source, shared.has(ThreadFault::kStartsOutOfOrder));
      runs = task.claim() || was_cancelled;
    }
    if (shared.has(ThreadFault::kDawdles)) dawdle();
    if (runs && !(shared.has(ThreadFault::kSwallowsException) && run_swallowing(task))) task.run();
    if (was_cancelled) task.announce_cancelled();
    task = Task();
    const sync::mutex_lock lock(shared.mutex);
    ++shared.idle;
  }
}

std::size_t FaultyThreadPool::cancel_pending(Shared& shared) {
  std::deque<Task> cancelled;
  std::size_t count = 0;
  {
    const sync::mutex_lock lock(shared.mutex);
    const std::size_t left = shared.has(ThreadFault::kCancelMissesOne) ? 1 : 0;
    const bool tells = !shared.has(ThreadFault::kRunsCancelled) && !shared.has(ThreadFault::kDropsCallbacks);
    std::deque<Task>& kept = tells ? cancelled : shared.cancelled_and_kept;
    while (shared.queue.size() > left) {
      Task task = next(shared.queue, false);
      if (!task.mark_cancelled()) continue;
      ++count;
      kept.push_back(std::move(task));
    }
  }
  for (Task& task : cancelled) task.announce_cancelled();
  return count;
}

void FaultyThreadPool::check_intake() {
  const sync::mutex_lock lock(shared_->mutex);
  if (shared_->refuses()) throw ShutdownError();
}

Executor::ShutdownResult FaultyThreadPool::do_shutdown(const ShutdownOptions& options) {
  Shared& shared = *shared_;
  Task lost;  // Dropped without the lock.
  {
    const sync::mutex_lock lock(shared.mutex);
    shared.intake_open = false;
    shared.left_alone = shared.left_alone || !options.wait;
    shared.changed.notify_all();
    const bool loses =
        shared.has(ThreadFault::kLosesCallOnShutdown) && !options.cancel_futures && !shared.queue.empty();
    if (loses) lost = next(shared.queue, true);
  }
  lost = Task();
  const std::size_t cancelled = options.cancel_futures ? cancel_pending(shared) : 0;
  if (!options.wait) return {.all_done = false, .cancelled = cancelled};
  if (current_pool == &shared) throw DeadlockError("a worker would wait for itself");
  const sync::mutex_lock lock(shared.mutex);
  const bool waits = !shared.has(ThreadFault::kReturnsEarly);
  while (waits && shared.threads > 0) shared.changed.wait(shared.mutex);
  return {.all_done = waits, .cancelled = cancelled};
}

}  // namespace futures::spec_tests
