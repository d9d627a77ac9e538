#include "spec_tests/laws/log_capture.h"

#include <string_view>

#include "absl/log/log_entry.h"
#include "absl/log/log_sink_registry.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace futures::spec_tests {

LogCapture::LogCapture() { absl::AddLogSink(this); }

LogCapture::~LogCapture() { absl::RemoveLogSink(this); }

void LogCapture::Send(const absl::LogEntry& entry) {
  absl::MutexLock lock(&mutex_);
  absl::StrAppend(&text_, entry.text_message(), "\n");
}

bool LogCapture::holds(std::string_view text) const {
  absl::MutexLock lock(&mutex_);
  return absl::StrContains(text_, text);
}

}  // namespace futures::spec_tests
