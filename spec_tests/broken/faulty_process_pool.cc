#include "spec_tests/broken/faulty_process_pool.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "futures/encoding/call_vtable.h"
#include "futures/encoding/encoding.h"
#include "futures/encoding/module_address.h"
#include "futures/errors.h"
#include "optimized/process_pool_executor.h"

namespace futures::spec_tests {
namespace {

// More than the calls of any trace or check.
constexpr int kManyWorkers = 64;

// As many in all as this pool bears, if it counts them.
constexpr int kDeathsMax = 4;

// A function's internal::ModuleAddress, as it travels.
using FunctionName = std::array<std::uint64_t, 2>;

// In a worker: runs a call that the program has encoded, and encodes its value.
std::string run_encoded(FunctionName name, const std::string& encoded) {
  using Run = std::size_t (*)(std::string_view, internal::EncodeSink&);
  const auto run = reinterpret_cast<Run>(const_cast<void*>(internal::address_of({name[0], name[1]})));
  std::string value;
  internal::StringSink sink(value);
  run(encoded, sink);
  return value;
}

std::exception_ptr flattened(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return std::make_exception_ptr(std::logic_error(e.what()));
  }
}

// What the processes are made with that the calls run in.
ProcessPoolOptions process_options(ProcessPoolOptions options, ProcessFault fault) {
  options.exit_policy = ExitPolicy::kAbandon;
  if (fault == ProcessFault::kIgnoresMaxWorkers) options.max_workers = kManyWorkers;
  if (fault == ProcessFault::kReplacesNoWorker) options.max_calls_per_worker = 0;
  if (fault == ProcessFault::kIgnoresStartMethod) options.start_method = StartMethod::kForkServer;
  if (fault == ProcessFault::kIgnoresCallTimeout) options.call_timeout.reset();
  return options;
}

}  // namespace

// A call, encoded when it was submitted.
struct FaultyProcessPool::Job {
  Task task;
  FunctionName function{};
  std::string encoded;
  bool is_marked = false;  // As running, before a worker has it.
};

// Calls are sent to the workers one at a time for each, by threads of this program. These are detached and counted: one
// that a fault leaves behind is in nobody's way.
struct FaultyProcessPool::Shared {
  // `options` say how many workers there may be.
  Shared(const ProcessPoolOptions& options, ProcessFault which)
      : max_workers(static_cast<int>(options.max_workers->value())),
        fault(which),
        processes(new ProcessPoolExecutor(options)) {}
  ~Shared() {
    if (has(ProcessFault::kLeavesWorkersBehind)) processes.release();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const int max_workers;
  const ProcessFault fault;
  std::unique_ptr<ProcessPoolExecutor> processes;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> queue;
  std::deque<Job> lost;  // kLosesResult: nobody will hear of these.
  bool intake_open = true;
  bool left_alone = false;  // After a shutdown without wait the destructor does not wait.
  bool ending = false;  // Somebody ends the workers: law P8.
  bool broken = false;  // kDeathBreaksPool, kDeathsAddUp.
  bool dooms_next = false;  // kDeathLosesNext: a worker has died.
  int deaths = 0;
  int threads = 0;
  int idle = 0;
  int results = 0;

  bool has(ProcessFault which) const { return fault == which; }

  // With the mutex held.
  void check_open() const {
    if (broken) throw BrokenProcessPool("a worker died, and the pool with it");
    if (!intake_open) throw ShutdownError();
  }
  void mark_queued();
  Job next();

  // Has a worker run the call.
  Future<std::string> send(const Job& job) { return processes->submit(&run_encoded, job.function, job.encoded); }
  std::string result_of(const Job& job);
  bool loses_one();
  void finish(Job job);
  void bury(const WorkerDiedError& death);
  void await_threads() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return threads == 0; });
  }
  void end_processes() {
    if (!has(ProcessFault::kLeavesWorkersBehind)) processes->shutdown();
  }
};

FaultyProcessPool::FaultyProcessPool(const ProcessPoolOptions& options, ProcessFault fault)
    : shared_(std::make_shared<Shared>(process_options(options, fault), fault)) {}

FaultyProcessPool::~FaultyProcessPool() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->intake_open = false;
    shared_->changed.notify_all();
    if (shared_->left_alone) return;
  }
  shared_->await_threads();
  shared_->end_processes();
}

void FaultyProcessPool::schedule(Task task) {
  check_intake();
  Job job;
  try {
    const internal::CallVtable* const vtable = task.state().call_vtable();
    if (vtable == nullptr) throw SerializationError("the call cannot travel to another process");
    const internal::ModuleAddress function = internal::name_of(reinterpret_cast<const void*>(vtable->run));
    job.function = {function.module, function.offset};
    internal::StringSink sink(job.encoded);
    task.state().encode(sink);
  } catch (...) {
    task.fail(std::current_exception());
    return;
  }
  job.task = std::move(task);
  Shared& shared = *shared_;
  const std::lock_guard lock(shared.mutex);
  shared.check_open();
  shared.queue.push_back(std::move(job));
  shared.mark_queued();
  if (shared.queue.size() > static_cast<std::size_t>(shared.idle) && shared.threads < shared.max_workers) {
    ++shared.threads;
    ++shared.idle;
    std::thread([keep = shared_] { work(keep); }).detach();
  }
  shared.changed.notify_all();
}

void FaultyProcessPool::Shared::mark_queued() {
  if (!has(ProcessFault::kMarksQueuedRunning)) return;
  const std::size_t marked = std::min<std::size_t>(queue.size(), static_cast<std::size_t>(max_workers) + 1);
  for (std::size_t i = 0; i < marked; ++i) queue[i].is_marked = queue[i].is_marked || queue[i].task.claim();
}

// Takes one out; the queue must not be empty.
FaultyProcessPool::Job FaultyProcessPool::Shared::next() {
  const bool last_first = has(ProcessFault::kStartsOutOfOrder);
  Job job = std::move(last_first ? queue.back() : queue.front());
  last_first ? queue.pop_back() : queue.pop_front();
  mark_queued();
  return job;
}

void FaultyProcessPool::work(const std::shared_ptr<Shared>& keep) {
  Shared& shared = *keep;
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.changed.wait(lock, [&] { return !shared.queue.empty() || !shared.intake_open; });
    if (shared.queue.empty()) break;
    --shared.idle;
    Job job = shared.next();
    const bool runs = job.is_marked || job.task.claim();
    const bool is_doomed = std::exchange(shared.dooms_next, false);
    lock.unlock();
    if (is_doomed) {
      job.task.fail(std::make_exception_ptr(BrokenProcessPool("lost with the worker before")));
    } else if (runs) {
      shared.finish(std::move(job));
    } else if (shared.has(ProcessFault::kRunsCancelled)) {
      shared.send(job).wait();
    }
    job = Job();
    lock.lock();
    ++shared.idle;
  }
  --shared.threads;
  --shared.idle;
  shared.changed.notify_all();
}

// Whether this result is one that gets lost.
bool FaultyProcessPool::Shared::loses_one() {
  if (!has(ProcessFault::kSendsTwice) && !has(ProcessFault::kLosesResult)) return false;
  const std::lock_guard lock(mutex);
  return ++results % 3 == 0;
}

std::string FaultyProcessPool::Shared::result_of(const Job& job) {
  try {
    return send(job).result();
  } catch (const WorkerDiedError& death) {
    if (has(ProcessFault::kDeathRunsAgain)) return send(job).result();
    bury(death);
    throw;
  } catch (const std::exception&) {
    // It had not begun when its worker was ended.
    const std::lock_guard lock(mutex);
    if (ending) throw BrokenProcessPool("the pool's workers were ended");
    throw;
  }
}

// What a worker's death costs beside its call.
void FaultyProcessPool::Shared::bury(const WorkerDiedError& death) {
  std::deque<Job> dropped;
  {
    const std::lock_guard lock(mutex);
    dooms_next = has(ProcessFault::kDeathLosesNext);
    ++deaths;
    broken = has(ProcessFault::kDeathBreaksPool) || (has(ProcessFault::kDeathsAddUp) && deaths >= kDeathsMax);
    if (broken) dropped.swap(queue);
  }
  for (Job& job : dropped) job.task.fail(std::make_exception_ptr(BrokenProcessPool(death.what())));
}

// Brings a call that has been claimed to its end.
void FaultyProcessPool::Shared::finish(Job job) {
  internal::FutureState& state = job.task.state();
  std::exception_ptr error;
  try {
    std::string value = result_of(job);
    const bool is_lost = loses_one();
    if (is_lost && has(ProcessFault::kLosesResult)) {
      const std::lock_guard lock(mutex);
      lost.push_back(std::move(job));
      return;
    }
    if (is_lost) value = send(job).result();
    internal::StringSink no_buffers(value);
    state.call_vtable()->store_result(state, value, no_buffers);
  } catch (...) {
    error = std::current_exception();
    if (has(ProcessFault::kFlattensExceptions)) error = flattened(error);
  }
  if (error != nullptr) state.set_exception(error);
  state.publish();
}

void FaultyProcessPool::check_intake() {
  const std::lock_guard lock(shared_->mutex);
  shared_->check_open();
}

// Returns how many it cancelled.
std::size_t FaultyProcessPool::close_intake(bool cancel_futures) {
  Shared& shared = *shared_;
  std::deque<Job> cancelled;
  {
    const std::lock_guard lock(shared.mutex);
    shared.intake_open = false;
    const std::size_t left = shared.has(ProcessFault::kCancelMissesOne) ? 1 : 0;
    for (std::size_t i = 0; cancel_futures && i + left < shared.queue.size(); ++i) {
      if (!shared.queue[i].task.mark_cancelled()) continue;
      cancelled.push_back(std::move(shared.queue[i]));
    }
    std::erase_if(shared.queue, [](const Job& job) { return !job.task; });
    shared.changed.notify_all();
  }
  for (Job& job : cancelled) job.task.announce_cancelled();
  return cancelled.size();
}

Executor::ShutdownResult FaultyProcessPool::do_shutdown(const ShutdownOptions& options) {
  Shared& shared = *shared_;
  if (!options.wait) {
    const std::lock_guard lock(shared.mutex);
    shared.left_alone = true;
  }
  const std::size_t cancelled = close_intake(options.cancel_futures);
  if (!options.wait || shared.has(ProcessFault::kReturnsEarly)) return {.all_done = false, .cancelled = cancelled};
  shared.await_threads();
  shared.end_processes();
  return {.all_done = true, .cancelled = cancelled};
}

void FaultyProcessPool::end_workers(int signal) {
  Shared& shared = *shared_;
  {
    const std::lock_guard lock(shared.mutex);
    shared.ending = true;
  }
  close_intake(!shared.has(ProcessFault::kEndMissesPending));
  if (signal == SIGKILL) {
    shared.processes->kill_workers();
  } else if (shared.has(ProcessFault::kEndSparesWorkers)) {
    for (const pid_t worker : shared.processes->worker_pids()) ::kill(worker, signal);
    return;
  } else {
    shared.processes->terminate_workers();
  }
  shared.await_threads();
}

std::vector<pid_t> FaultyProcessPool::worker_pids() const { return shared_->processes->worker_pids(); }

}  // namespace futures::spec_tests
