// ProcessPoolExecutor: runs calls in other processes of this program.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_EXECUTOR_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_EXECUTOR_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "futures/encoding/buffer.h"
#include "futures/encoding/encoding.h"
#include "futures/executor.h"
#include "optimized/process_main.h"
#include "optimized/process_pool_options.h"

namespace futures {

namespace internal {
class ProcessPool;
}

// Calls run on at most `max_workers` worker processes, which take them in the order of their submits. A call runs in a
// memory of its own: it sees copies of its arguments, and the program gets a copy of its result;
// futures/encoding/encoding.h says what can travel. A worker that dies costs the call that it ran and nothing else (law
// P5). A future becomes running only when its body is about to start in a worker; until then `cancel` succeeds, exactly
// (law P1).
//
// A worker finds the program as it was when main began: nothing that main has set since, arguments of main included; no
// descriptor of the program but stdout and stderr (laws P13, P15); and the folder and environment of the time when the
// fork server was started. StartMethod::kFork keeps more.
//
// What `result` throws beside what the call threw (law P4): WorkerDiedError, which says how; CallTimeoutError;
// SerializationError; BrokenProcessPool, which every WorkerDiedError is too, so catch that one first.
//
// A result is read, by its type's own `load` if it has one, on a thread of the pool or on one that waits for it or for
// a later call of the same worker; that takes up to 256 KB of stack where values are nested deeply. A thread that waits
// for a large one may begin before the call is done: so a `load` may run more than once for one value, at the same time
// even, and for a call that fails after all; and it may be ended by a SerializationError in the middle. What it made
// then is destroyed.
//
// Workers keep the memory that calls free for the next calls, until they have rested for a while. When all calls are
// done they leave, and write out what they have printed; one that takes longer than five seconds for that is killed.
//
// Thread-safe as Executor says. The destructor is shutdown with wait, unless shutdown was called without (law S6). Done
// callbacks run on a thread of the pool (law F8). The program's main must begin with process_main.
//
//   int main(int argc, char** argv) {
//     futures::process_main(argc, argv);
//     futures::ProcessPoolExecutor executor({.max_workers = 4});
//     futures::Future<Image> image = executor.submit(decode, bytes);
//   }
class ProcessPoolExecutor final : public Executor {
 public:
  // Starts the fork server, and no worker yet. Throws std::invalid_argument if an option is out of its bounds,
  // std::logic_error, naming the line to add, if main does not begin with process_main, and std::system_error.
  explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
  ~ProcessPoolExecutor() override;

  // As Executor::submit; refuses what cannot travel when it is compiled. Law P2.
  template <typename F, typename... Args>
  auto submit(F&& fn, Args&&... args) {
    static_assert(
        internal::CallableTravels<std::decay_t<F>>,
        "ProcessPoolExecutor::submit: the callable cannot travel to another process; give a function, a lambda "
        "without captures, or a function object with a `serialize`");
    static_assert((internal::ValueTravels<internal::stored_argument_t<Args>> && ...),
                  "ProcessPoolExecutor::submit: an argument cannot travel to another process; pointers, references and "
                  "views never can, a type of yours needs a `serialize` or travels_bitwise");
    if constexpr (internal::is_callable_v<F, Args...>) {  // Executor::submit says so if not.
      static_assert(
          internal::ResultTravels<internal::call_result_t<F, Args...>>,
          "ProcessPoolExecutor::submit: the result cannot travel back from another process; pointers, references "
          "and views never can, a type of yours needs a `serialize` or travels_bitwise");
    }
    using Encoding = internal::encoding_of_t<F, Args...>;
    if constexpr (!internal::is_storable_v<F, Args...> || !internal::is_quietly_destroyed_v<F, Args...> ||
                  std::is_same_v<Encoding, internal::NoEncoding>) {
      return Executor::submit(std::forward<F>(fn), std::forward<Args>(args)...);  // Which says what is wrong.
    } else {
      using R = internal::call_result_t<F, Args...>;
      if (internal::is_null_callable(fn)) throw std::invalid_argument("submit: the callable is null");
      Future<R> future = submit_encoded<R, std::decay_t<F>, internal::stored_argument_t<Args>...>(fn, args...);
      internal::consume_rvalue(std::forward<F>(fn));
      (internal::consume_rvalue(std::forward<Args>(args)), ...);
      return future;
    }
  }

  // A buffer that calls of this pool take without a copy; an ordinary one, which is copied, with Isolation::kPerWorker
  // or if the pool has no room for it now. Any thread. Throws std::bad_alloc. Law P12.
  Buffer make_buffer(std::size_t size);

  // The processes that are alive as workers now; that of each running call is among them. Any thread. Throws as submit
  // in a child made by fork.
  std::vector<pid_t> worker_pids() const;

  // Close the intake, cancel what has not started, end every worker by SIGTERM or SIGKILL, and return when none is
  // left; the calls that were running get BrokenProcessPool. Workers that ignore SIGTERM, or are stopped, get SIGKILL
  // after ProcessPoolOptions::terminate_grace. From a thread of the pool they do not wait. Any thread. Law P8.
  void terminate_workers();
  void kill_workers();

 private:
  // Encodes the call from where the caller has its parts, without a copy of them.
  template <typename R, typename Fn, typename... Args>
  Future<R> submit_encoded(const Fn& fn, const Args&... args) {
    const auto parts = std::tie(fn, args...);
    auto* call = new internal::RemoteCall<R, Fn, Args...>(parts);
    Task task(call);
    Future<R> future = internal::FutureAccess::future<R>(*call);
    schedule(std::move(task));
    return future;
  }

  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;
  bool calls_travel() const noexcept override { return true; }

  const std::shared_ptr<internal::ProcessPool> pool_;  // Its threads and the futures of its calls share it.
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_EXECUTOR_H_
