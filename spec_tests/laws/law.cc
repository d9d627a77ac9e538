#include "spec_tests/laws/law.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "futures/internal/sync.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {

bool soon(const std::function<bool()>& condition) {
  // Short naps at first, since nearly always the wait is a matter of microseconds.
  constexpr std::chrono::microseconds kLongestNap{2'000};
  const auto until = sync::clock::now() + kPatience;
  for (std::chrono::microseconds nap{10}; !condition(); nap = std::min(nap * 2, kLongestNap)) {
    if (sync::clock::now() >= until) return false;
    sleep_for(nap);
  }
  return true;
}

struct LawRun::Counts {
  const std::function<void(std::string_view)> on_violation;
  mutable sync::mutex mutex;
  int checked ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::string> violations ABSL_GUARDED_BY(mutex);
};

LawRun::LawRun(const Candidate& candidate, std::function<void(std::string_view)> on_violation)
    : candidate_(candidate), counts_(new Counts{.on_violation = std::move(on_violation)}) {}

std::unique_ptr<Executor> LawRun::make(const ExecutorOptions& options) const { return candidate_.make(options); }

bool LawRun::expect(bool kept, std::string_view what) const {
  {
    const sync::mutex_lock lock(counts_->mutex);
    ++counts_->checked;
    if (!kept) counts_->violations.emplace_back(what);
  }
  if (!kept && counts_->on_violation != nullptr) counts_->on_violation(what);
  return kept;
}

bool LawRun::expect_soon(const std::function<bool()>& condition, std::string_view what) const {
  return expect(soon(condition), what);
}

int LawRun::checked() const {
  const sync::mutex_lock lock(counts_->mutex);
  return counts_->checked;
}

std::vector<std::string> LawRun::violations() const {
  const sync::mutex_lock lock(counts_->mutex);
  return counts_->violations;
}

absl::Span<const LawTitle> law_titles() {
  static constexpr LawTitle kTitles[] = {
      {"E1", "submit takes any callable and arguments, copied or moved in; move-only, void and references work"},
      {"E2", "a call runs at most once, and exactly once if nothing cancels or breaks it"},
      {"E3",
       "whatever a call throws goes to its future; the worker lives on, or is replaced if the call ends its thread"},
      {"E4", "submit after the intake closed throws ShutdownError, and the callable never runs"},
      {"E5", "calls leave the queue in the order in which they were submitted"},
      {"E6", "at most max_workers calls run at once, and no worker idles beside a pending call"},
      {"E7", "nothing is lost: every accepted call ends done"},
      {"E8", "callable and arguments are destroyed before the future is seen done"},
      {"E9", "what is before submit is visible to the call, what is in the call is visible after its result"},
      {"E10", "a call may submit to its own executor, and submit does not block"},
      {"F1", "a future goes from pending to running to finished, or to cancelled, never back; copies share its state"},
      {"F2", "cancel succeeds on a pending or cancelled future, and changes nothing in a running or finished one"},
      {"F3",
       "result gives the value or throws what the call threw, CancelledError or TimeoutError; take moves it out once"},
      {"F4", "exception gives null or what the call threw, or throws CancelledError or TimeoutError"},
      {"F5", "cancel, completion and breakage wake every waiter"},
      {"F6", "a second outcome throws InvalidStateError, and the first one stays"},
      {"F7", "set_running_or_notify_cancel says whether to run, also a second time after a cancel"},
      {"F8", "done callbacks run once each, in order, without a lock, in the thread that made the future done"},
      {"F9", "a callback added to a done future runs at once, one added inside a callback runs too"},
      {"F10", "a callback that throws is logged, the others still run, the worker lives on"},
      {"F11", "result and wait do not wait for callbacks"},
      {"F12", "a producer that dies without an outcome gives its future BrokenExecutor"},
      {"W1", "wait and as_completed take any range of futures; duplicates count once, the empty range returns at once"},
      {"W2", "wait returns a partition into done and not done, and never throws when time is up"},
      {"W3", "wait returns at the first completed, at the first exception, or when all are completed"},
      {"W4", "a cancelled future counts as done at once"},
      {"W5", "as_completed yields each future once, in completion order, and throws TimeoutError when time is up"},
      {"W6", "the clock of a timeout starts at the call"},
      {"W7", "leaving a wait early unregisters everything"},
      {"M1", "map submits every call at once and yields results in input order"},
      {"M2", "map has one deadline; ready results come out after it, then TimeoutError, and the rest is cancelled"},
      {"M3", "a call's exception surfaces at its position, and the iteration goes on"},
      {"M4", "destroying the map range cancels what has not started"},
      {"M5", "buffersize bounds the inputs taken ahead"},
      {"M6", "chunksize groups calls; an exception in a chunk costs no other item"},
      {"M7", "an input range that throws is rethrown, and what was submitted is cancelled"},
      {"M8", "map after shutdown throws ShutdownError, also for empty input"},
      {"M9", "map_unordered yields in completion order, map_settled a value or error per item"},
      {"S1", "shutdown closes the intake, drains queued and running calls, joins the workers"},
      {"S2", "shutdown without wait waits for no call, and the work still completes"},
      {"S3", "shutdown with cancel_futures cancels what has not started; running calls finish"},
      {"S4", "shutdown with both: every started call is finished, every other one is cancelled"},
      {"S5", "shutdown is idempotent and safe from several threads; a later cancel_futures still cancels"},
      {"S6", "the destructor is shutdown with wait, unless a shutdown without wait came before or a worker destroys"},
      {"S7", "shutdown with wait on one of the executor's own workers closes the intake and throws DeadlockError"},
      {"S8", "the program does not exit before the pending calls are done"},
      {"S9", "submit and cancel just before shutdown never hang it, and waiters get the outcome"},
      {"S10", "shutdown with a deadline returns whether all is done; shutdown_now returns how many it cancelled"},
      {"T1", "max_workers below 1 is an error; by default it is the CPUs that this process may use"},
      {"T2", "threads start on demand, an idle worker is reused, and there are never more than the maximum"},
      {"T3", "threads are named by prefix and number"},
      {"T4", "the initializer runs once per worker first; if it throws, the pool is broken"},
      {"T5", "the pool goes on with the threads it has; with none, submit throws"},
      {"T6", "a full queue blocks, throws or lets the caller run the call, as chosen"},
      {"T7", "a call that waits for a pending call of its own pool runs it, and a cycle throws DeadlockError"},
      {"T8", "a call may take a stop token, which request_stop sets"},
      {"T9", "after fork, the child's copy of a pool throws and never hangs"},
      {"T10", "worker threads block asynchronous signals, and have the stack size asked for"},
      {"P1", "E, F, W, M and S hold for processes as the table in docs/SPEC.md says"},
      {"P2", "what can travel does; anything else does not compile, or fails its future alone"},
      {"P3", "a call, argument or result that cannot be encoded or decoded fails its future alone"},
      {"P4", "an exception crosses as its type, or as RemoteError"},
      {"P5", "a worker's death fails the call it ran, and the worker is replaced"},
      {"P6", "death at any instruction breaks no law"},
      {"P7", "max_calls_per_worker replaces a worker after so many calls, no call lost"},
      {"P8", "terminate_workers and kill_workers leave no worker, and every future done"},
      {"P9", "fork server, spawn or fork; a threaded program is never forked without exec"},
      {"P10", "no process, descriptor or shared memory stays behind"},
      {"P11", "whatever a worker writes, the parent stays memory-safe and live"},
      {"P12", "a call that overruns its timeout is killed alone; workers have resource limits"},
      {"P13", "workers share stdout and stderr; their stdin is /dev/null"},
      {"P14", "workers ignore SIGINT and start with default handlers and an empty mask"},
      {"P15", "a worker holds no descriptor but 0, 1, 2 and the pool's own"},
  };
  return kTitles;
}

}  // namespace futures::spec_tests
