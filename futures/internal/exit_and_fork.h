// What an executor has to know about the life of the process that it is in: its end, and its forks.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_EXIT_AND_FORK_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_EXIT_AND_FORK_H_

#include <cstdint>
#include <memory>

namespace futures::internal {

// Which process this is, counted along the line of forks: 1 in the program that was started, one more in a child made
// by fork() without exec. Something made in an earlier generation has lost its threads, and its locks may be held for
// ever. Costs one load. Law T9.
std::uint32_t fork_generation() noexcept;

// Throws BrokenExecutor if `generation` is not this process's. Law T9.
void check_generation(std::uint32_t generation);

// An executor that the program must not exit before: law S8.
class DrainedAtExit {
 public:
  virtual ~DrainedAtExit() = default;
  // No new call is accepted from here on. First, for all executors, so that none can feed another.
  virtual void close_at_exit() = 0;
  // Returns when the accepted calls are done. If it runs on a worker of the executor, inside a call or callback that
  // has invoked std::exit, that call is not waited for, and another worker takes the worker's place.
  virtual void wait_at_exit() = 0;
};

// In a child made by fork(): what is left of an executor of an earlier generation is never touched again, nor freed.
void leave_to_parent(std::shared_ptr<DrainedAtExit> executor);

// From now until it dies, `executor` is drained when `main` returns or std::exit is called: before the destructors of
// static objects that were built before the first executor. Any thread.
void drain_at_exit(const std::shared_ptr<DrainedAtExit>& executor);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_EXIT_AND_FORK_H_
