#include "futures/internal/exit_and_fork.h"

#include <pthread.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "futures/errors.h"
#include "futures/internal/sync.h"

namespace futures::internal {
namespace {

sync::atomic<std::uint32_t> generation_now{1};

// The executors alive. Never destroyed: executors may be made and die during the exit itself.
class ExitList {
 public:
  static ExitList& instance() {
    static absl::NoDestructor<ExitList> list;
    return *list;
  }

  ExitList() {
    // The one list registers for the rest of the program's life.
    std::atexit([] { instance().drain(); });
    pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
  }

  void add(std::weak_ptr<DrainedAtExit> executor) {
    sync::mutex_lock lock(mutex_);
    if (executors_.size() >= purge_at_) {
      std::erase_if(executors_, [](const auto& e) { return e.expired(); });
      purge_at_ = 2 * executors_.size() + 16;  // So that adding costs constant time on average.
    }
    executors_.push_back(std::move(executor));
  }

 private:
  // Again while calls that are being waited for have made new executors.
  void drain() {
    for (std::vector<std::shared_ptr<DrainedAtExit>> alive = take_alive(); !alive.empty(); alive = take_alive()) {
      for (const auto& executor : alive) executor->close_at_exit();
      for (const auto& executor : alive) executor->wait_at_exit();
    }
  }

  std::vector<std::shared_ptr<DrainedAtExit>> take_alive() {
    sync::mutex_lock lock(mutex_);
    std::vector<std::shared_ptr<DrainedAtExit>> alive;
    for (const auto& executor : std::exchange(executors_, {})) {
      if (auto locked = executor.lock()) alive.push_back(std::move(locked));
    }
    return alive;
  }

  // The child must find the list whole and the mutex free. The analysis cannot follow a lock from one to the other.
  static void before_fork() ABSL_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.lock(); }
  static void after_fork_in_parent() ABSL_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.unlock(); }
  static void after_fork_in_child() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    generation_now.fetch_add(1, std::memory_order_relaxed);
    instance().executors_.clear();  // The parent's: no business of the child's exit.
    instance().mutex_.unlock();
  }

  sync::mutex mutex_;
  std::vector<std::weak_ptr<DrainedAtExit>> executors_ ABSL_GUARDED_BY(mutex_);
  std::size_t purge_at_ ABSL_GUARDED_BY(mutex_) = 16;
};

}  // namespace

std::uint32_t fork_generation() noexcept { return generation_now.load(std::memory_order_relaxed); }

void check_generation(std::uint32_t generation) {
  if (generation != fork_generation()) {
    throw BrokenExecutor("this executor's threads are in the parent process: a child made by fork() cannot use it");
  }
}

void leave_to_parent(std::shared_ptr<DrainedAtExit> executor) {
  struct Left {
    const std::shared_ptr<DrainedAtExit> executor;
    Left* next;
  };
  static sync::atomic<Left*> first{nullptr};  // From here a leak checker finds them.
  Left* const left = new Left{std::move(executor), first.load(std::memory_order_relaxed)};
  // Release and acquire: nobody reads the list but the next writer, who takes it as `next`.
  while (!first.compare_exchange_weak(left->next, left, std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
}

void drain_at_exit(const std::shared_ptr<DrainedAtExit>& executor) { ExitList::instance().add(executor); }

}  // namespace futures::internal
