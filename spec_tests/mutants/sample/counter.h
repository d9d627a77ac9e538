// A source for the tests of the mutants themselves.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SAMPLE_COUNTER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SAMPLE_COUNTER_H_

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace futures::mutants {

class ABSL_LOCKABLE Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Counts up to a limit. Thread-safe.
class Counter {
 public:
  explicit Counter(int limit) : limit_(limit) {}

  // Returns whether it could count one more.
  bool count();
  int counted();
  template <typename T>
  static T twice(T value) {
    return value + value;
  }

 private:
  Mutex mutex_;
  const int limit_;
  int counted_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SAMPLE_COUNTER_H_
