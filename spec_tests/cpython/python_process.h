// A child process that is asked and answers in lines of text. Private to the target :cpython_player.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PYTHON_PROCESS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PYTHON_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "futures/internal/time.h"

namespace futures::spec_tests {

// Not thread-safe. The child holds none of our descriptors but standard error, and sees the end of its input, its
// signal to go, when this process ends in any way.
class PythonProcess {
 public:
  // Starts `arguments[0]`, looked for on PATH. Unavailable if there is no such program.
  static absl::StatusOr<std::unique_ptr<PythonProcess>> start(const std::vector<std::string>& arguments);

  PythonProcess(const PythonProcess&) = delete;
  PythonProcess& operator=(const PythonProcess&) = delete;
  ~PythonProcess();  // Kills it and its children, and reaps it.

  // Sends whole lines. Unavailable if the child has ended.
  absl::Status write(std::string_view lines);

  // Waits for the next line and returns it without its end. DeadlineExceeded when `patience` is over, Unavailable if
  // the child has ended.
  absl::StatusOr<std::string> read_line(std::chrono::milliseconds patience);

 private:
  PythonProcess(pid_t pid, int socket) : pid_(pid), socket_(socket) {}

  const pid_t pid_;
  const int socket_;
  std::string unread_;         // Received and not yet returned.
  std::size_t searched_ = 0;  // So many bytes of it hold no end of line.
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_PYTHON_PROCESS_H_
