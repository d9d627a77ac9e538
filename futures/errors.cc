#include "futures/errors.h"

#include <sys/wait.h>

#include <cstring>

namespace futures {
namespace {

std::string describe_death(int pid, int status) {
  const std::string worker = "worker process " + std::to_string(pid);
  if (status == -1) return worker + " died";
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* const name = sigabbrev_np(signal);
    return worker + " was ended by signal " + std::to_string(signal) +
           (name == nullptr ? "" : std::string(" SIG") + name);
  }
  return worker + " exited with code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

WorkerDiedError::WorkerDiedError(int pid, int status)
    : BrokenProcessPool(describe_death(pid, status)), pid_(pid), status_(status) {}

int WorkerDiedError::signal() const noexcept {
  if (status_ == -1) return -1;
  return WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
}

int WorkerDiedError::exit_code() const noexcept {
  return status_ != -1 && WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
}

}  // namespace futures
