// The errors that this library throws, or stores in a future. Every one but std::invalid_argument is listed here.
//
// An error that Python raises as RuntimeError derives from std::runtime_error. A mistake of the program, which would
// be a hang or a race without the check, derives from std::logic_error.
#ifndef CONCURRENT_FUTURES_FUTURES_ERRORS_H_
#define CONCURRENT_FUTURES_FUTURES_ERRORS_H_

#include <stdexcept>
#include <string>
#include <utility>

namespace futures {

// The call was cancelled; thrown by `result` and `exception`. Laws F3, F4.
class CancelledError : public std::runtime_error {
 public:
  CancelledError() : std::runtime_error("the call was cancelled") {}
};

// Time was up before the call was done. The call goes on. Laws F3, F4, W5, M2.
class TimeoutError : public std::runtime_error {
 public:
  TimeoutError() : std::runtime_error("the call did not finish in time") {}
  explicit TimeoutError(const std::string& what) : std::runtime_error(what) {}
};

// `submit` or `map` after the intake was closed. Law E4.
class ShutdownError : public std::runtime_error {
 public:
  ShutdownError() : std::runtime_error("cannot schedule new futures after shutdown") {}
};

// The future's state does not allow the operation: a second outcome, a second take, an empty handle. Laws F3, F6, F7.
class InvalidStateError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// This wait could never end. Thrown by a shutdown(wait) in one of the executor's own workers. Law S7.
class DeadlockError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// The executor or the producer of a future is gone, or the executor can run nothing any more. Laws E3, F12.
class BrokenExecutor : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A worker's initializer failed. The pool's pending calls and later submits get this. Law T4.
class BrokenThreadPool : public BrokenExecutor {
 public:
  using BrokenExecutor::BrokenExecutor;
};

// Worker processes died, or a pool of processes can run nothing any more. Laws P5, P8.
class BrokenProcessPool : public BrokenExecutor {
 public:
  using BrokenExecutor::BrokenExecutor;
};

// The worker process died while it ran the call. Law P5.
class WorkerDiedError : public BrokenProcessPool {
 public:
  // `status` is what waitpid gives, or -1 if it is unknown.
  WorkerDiedError(int pid, int status);
  int pid() const noexcept { return pid_; }
  // The signal that ended the worker; 0 if it exited, -1 if unknown.
  int signal() const noexcept;
  // The worker's exit code; -1 if a signal ended it or it is unknown.
  int exit_code() const noexcept;

 private:
  int pid_;
  int status_;
};

// The call ran for longer than the pool's call_timeout, and its worker was killed. A waiter whose own time is up gets
// TimeoutError instead. Law P12.
class CallTimeoutError : public BrokenExecutor {
 public:
  using BrokenExecutor::BrokenExecutor;
};

// A call, argument or result cannot travel to another process or back. Laws P2, P3.
class SerializationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a call threw in another process, of a type that is not rebuilt here. Law P4.
class RemoteError : public std::runtime_error {
 public:
  RemoteError(std::string type_name, const std::string& what, int worker_pid)
      : std::runtime_error(what), type_name_(std::move(type_name)), worker_pid_(worker_pid) {}
  const std::string& type_name() const noexcept { return type_name_; }
  int worker_pid() const noexcept { return worker_pid_; }

 private:
  std::string type_name_;
  int worker_pid_;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_ERRORS_H_
