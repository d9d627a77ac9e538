// A small thread pool with one fault, chosen when it is made. Each fault is one that pools have had, and each breaks
// one law first: they prove that the checks raise the alarm.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_THREAD_POOL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_THREAD_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "futures/executor.h"
#include "futures/task.h"

namespace futures::spec_tests {

enum class ThreadFault : std::uint8_t {
  kNone,  // Beside it the faults are the only differences: it keeps the laws of traces.
  kDawdles,  // No fault either: it takes its time, awake, between claiming a call and running it.
  kLosesCallOnShutdown,  // E7: a shutdown drops the last call in the queue.
  kRunsCancelled,  // F2: what shutdown(cancel_futures) has cancelled runs all the same.
  kIgnoresMaxWorkers,  // E6: one thread per call.
  kStartsOutOfOrder,  // E5: last in, first out.
  kAcceptsAfterShutdown,  // E4: the intake never closes.
  kSwallowsException,  // E3: a call that throws finishes with the value 0.
  kCancelMissesOne,  // S3: cancel_futures leaves the last call in the queue.
  kDropsCallbacks,  // F8: the done callbacks of what shutdown cancels never run.
  kReturnsEarly,  // S1: a shutdown with wait does not wait.
};

class FaultyThreadPool final : public Executor {
 public:
  FaultyThreadPool(int max_workers, ThreadFault fault);
  ~FaultyThreadPool() override;

 private:
  struct Shared;
  class Departure;

  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;

  static void start_thread(const std::shared_ptr<Shared>& shared);
  static void work(const std::shared_ptr<Shared>& shared);
  static std::size_t cancel_pending(Shared& shared);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_THREAD_POOL_H_
