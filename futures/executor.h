// Executor: the one interface of every pool.
#ifndef CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_
#define CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "futures/future.h"
#include "futures/internal/result_state.h"
#include "futures/task.h"
#include "futures/timeout.h"

namespace futures {

struct ShutdownOptions {
  bool wait = true;             // Return only when every call is done and the workers have ended.
  bool cancel_futures = false;  // Cancel what has not started.
  Timeout timeout = {};         // How long to wait; for ever by default. Law S10.
};

// Runs calls, some time, somewhere. Submit returns at once; the Future tells the outcome.
//
// Thread-safe: any thread may use one executor at any time, its own calls included; the destructor alone must not run
// while another thread is inside a member function. Destroying a concrete executor shuts it down and waits (law S6).
//
//   void greet(futures::Executor& executor) {
//     futures::Future<int> f = executor.submit([](int x) { return 2 * x; }, 21);
//     std::cout << f.result();
//   }
class Executor {
 public:
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  // Schedules `fn(args...)` and returns the future of what it returns.
  // The callable and the arguments are moved or copied in, as for std::thread; wrap in std::ref what must stay shared.
  // Any thread, also a call of this executor. Does not wait for any call. One allocation. Throws ShutdownError once the
  // intake is closed, BrokenExecutor once the executor can run nothing, std::invalid_argument for a null callable,
  // std::system_error if not even one worker thread can be started: in all of these `fn` never runs. Laws E1 to E10.
  template <typename F, typename... Args>
  auto submit(F&& fn, Args&&... args) {
    static_assert(std::is_constructible_v<std::decay_t<F>, F&&> && (std::is_constructible_v<std::decay_t<Args>, Args&&> && ...),
                  "submit: the callable and every argument are stored, so each must be copyable or given with std::move");
    static_assert(std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>,
                  "submit: the callable cannot be called with these arguments; they are passed as rvalues of their "
                  "decayed types, so a parameter of type T& needs std::ref");
    using R = internal::call_result_t<F, Args...>;
    if (internal::is_null_callable(fn)) throw std::invalid_argument("submit: the callable is null");
    auto* call = new internal::Call<R, std::decay_t<F>, std::decay_t<Args>...>(std::forward<F>(fn),
                                                                               std::forward<Args>(args)...);
    Task task(call);
    Future<R> future = internal::FutureAccess::future<R>(*call);
    schedule(std::move(task));
    return future;
  }

  // Closes the intake: every later submit throws ShutdownError. Accepted calls still run, unless `cancel_futures`.
  //
  // With `wait`, returns when every call is done and the workers have ended; without, at once, and the work still
  // completes. With `cancel_futures`, whatever has not started is cancelled when this returns, and the done callbacks of
  // what this call cancelled have run, here; what is running finishes. Returns whether every call is done: always true
  // with `wait` and no timeout.
  //
  // Any thread, any number of times, also at once. Throws DeadlockError when one of the executor's own workers waits
  // here: the intake is closed and `cancel_futures` done even so. Laws S1 to S5, S7, S9, S10.
  bool shutdown(ShutdownOptions options = {}) { return do_shutdown(options); }

 protected:
  Executor() = default;

  // Takes the call into the queue, or throws as `submit` says and drops it. Does not wait for any call.
  virtual void schedule(Task task) = 0;

  virtual bool do_shutdown(const ShutdownOptions& options) = 0;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_EXECUTOR_H_
