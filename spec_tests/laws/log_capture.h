// What is logged while a check runs.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LOG_CAPTURE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LOG_CAPTURE_H_

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/synchronization/mutex.h"

namespace futures::spec_tests {

// What was logged while it lives, by any thread.
class LogCapture final : public absl::LogSink {
 public:
  LogCapture();
  ~LogCapture() override;
  void Send(const absl::LogEntry& entry) override;
  bool holds(std::string_view text) const;

 private:
  mutable absl::Mutex mutex_;  // Not of sync: what is logged comes under locks of absl's own.
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LOG_CAPTURE_H_
