// A small pool of processes with one fault, chosen when it is made. Each fault is one that process pools have had, and
// each breaks one law first: they prove that the checks raise the alarm where bodies run in other processes.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_PROCESS_POOL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_PROCESS_POOL_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "futures/executor.h"
#include "futures/task.h"
#include "optimized/process_pool_options.h"

namespace futures::spec_tests {

enum class ProcessFault : std::uint8_t {
  kNone,  // Beside it the faults are the only differences: it keeps the laws of traces and of group P.
  kSendsTwice,  // E2: every third result is lost on its way, and the call is sent again.
  kStartsOutOfOrder,  // E5: last in, first out.
  kIgnoresMaxWorkers,  // E6: one worker per call.
  kLosesResult,  // E7: every third result is lost on its way, and nobody notices.
  kRunsCancelled,  // F2: workers run what is in the queue, cancelled or not.
  kReturnsEarly,  // S1: a shutdown with wait does not wait.
  kCancelMissesOne,  // S3: cancel_futures leaves the last call in the queue.
  kMarksQueuedRunning,  // P1: marks calls as running while they wait for a worker, as many as there are workers and one
                        // more.
  kFlattensExceptions,  // P4: of what a call throws only the message arrives.
  kDeathRunsAgain,  // P5: a call whose worker has died is sent again.
  kDeathLosesNext,  // P5: a worker takes the next call in the queue with it when it dies.
  kDeathBreaksPool,  // P5: when a worker dies all calls get BrokenProcessPool, though that was not asked for.
  kDeathsAddUp,  // P6: so it does when a few workers have died, however far apart.
  kReplacesNoWorker,  // P7: workers go on, however many calls they have run.
  kEndMissesPending,  // P8: workers are ended, and what is in the queue is not cancelled.
  kEndSparesWorkers,  // P8: nobody looks whether workers obey SIGTERM.
  kIgnoresStartMethod,  // P9: all workers come from a fork server.
  kLeavesWorkersBehind,  // P10: nobody ends the workers.
  kSharesAll,  // P11: promises to confine workers, and all of them share one memory.
  kIgnoresCallTimeout,  // P12: calls may run for as long as they like.
};

class FaultyProcessPool final : public Executor {
 public:
  FaultyProcessPool(const ProcessPoolOptions& options, ProcessFault fault);
  ~FaultyProcessPool() override;

  // As an Candidate of processes promises.
  void end_workers(int signal);
  std::vector<pid_t> worker_pids() const;

 private:
  struct Job;
  struct Shared;

  void schedule(Task task) override;
  void check_intake() override;
  ShutdownResult do_shutdown(const ShutdownOptions& options) override;

  std::size_t close_intake(bool cancel_futures);
  static void work(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_BROKEN_FAULTY_PROCESS_POOL_H_
