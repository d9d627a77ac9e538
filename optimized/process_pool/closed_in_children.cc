#include "optimized/process_pool/closed_in_children.h"

#include <pthread.h>
#include <unistd.h>

#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "futures/internal/sync.h"

namespace futures::internal {
namespace {

// The descriptors that children close. Never destroyed: pools may end during the exit itself. fork() runs handlers of
// others, too, in an order that depends on what was used first; this one takes no lock but its own, so any order will
// do.
class ClosedInChildren {
 public:
  static ClosedInChildren& instance() {
    static absl::NoDestructor<ClosedInChildren> descriptors;
    return *descriptors;
  }

  ClosedInChildren() { pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child); }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex_) { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION(mutex_) { mutex_.unlock(); }
  // Its callers hold a NoForks, which the analysis cannot see.
  std::vector<int>& descriptors() ABSL_NO_THREAD_SAFETY_ANALYSIS { return descriptors_; }

 private:
  static void before_fork() ABSL_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.lock(); }
  static void after_fork_in_parent() ABSL_NO_THREAD_SAFETY_ANALYSIS { instance().mutex_.unlock(); }
  static void after_fork_in_child() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const int fd : instance().descriptors_) close(fd);
    instance().descriptors_.clear();
    instance().mutex_.unlock();
  }

  sync::mutex mutex_;
  std::vector<int> descriptors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

NoForks::NoForks() ABSL_NO_THREAD_SAFETY_ANALYSIS { ClosedInChildren::instance().lock(); }
NoForks::~NoForks() ABSL_NO_THREAD_SAFETY_ANALYSIS { ClosedInChildren::instance().unlock(); }

void close_in_children(int fd) { ClosedInChildren::instance().descriptors().push_back(fd); }
void keep_in_children(int fd) noexcept { std::erase(ClosedInChildren::instance().descriptors(), fd); }

}  // namespace futures::internal
