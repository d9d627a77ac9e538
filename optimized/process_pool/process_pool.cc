#include "optimized/process_pool/process_pool.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "futures/errors.h"
#include "futures/internal/time.h"

namespace futures::internal {

void ProcessPool::watch(int fd, News news, std::uint16_t number) {
  epoll_event event{};
  // Edge by edge: a bell is never read, so that no worker can make the program wait there.
  event.events = news == News::kServer ? EPOLLIN : EPOLLIN | EPOLLET;
  event.data.u64 = static_cast<std::uint64_t>(news) << 16 | number;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch a descriptor");
  }
}

std::shared_ptr<ProcessPool> ProcessPool::start(const ProcessPoolOptions& options) {
  auto pool = std::make_shared<ProcessPool>(options);
  if (options.start_method == StartMethod::kFork) await_joined_threads();
  sync::mutex_lock lock(pool->mutex_);
  // The server first: kFork needs the program to have one thread.
  pool->start_server();
  pool->watch(pool->bell_.get(), News::kBell);
  pool->watch(pool->timer_.get(), News::kBell);
  if (!pool->is_isolated()) pool->add_board(0);
  pool->start_announcer();
  try {
    pool->collector_ = sync::thread::start({.name = "collector"}, [pool] {
      pool->adopt_this_thread();
      pool->collect();
    });
  } catch (...) {
    pool->collector_ended_ = true;  // Lets the announcer go, and the pool with it.
    pool->announcer_work_.notify_all();
    pool->announcer_.detach();
    throw;
  }
  return pool;
}

ProcessPool::ProcessPool(const ProcessPoolOptions& options)
    : ExecutorLife(options.on_unwind, options.exit_policy),
      options_(options),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!bell_ || !timer_ || !epoll_) {
    throw std::system_error(errno, std::generic_category(), "cannot set up a pool of processes");
  }
}

ProcessPool::~ProcessPool() {
  // Nobody has waited for these: they end by themselves. One of them may be this thread. Joining the announcer would
  // wait for destructors of its thread_locals (law S6).
  sync::mutex_lock lock(mutex_);
  for (sync::thread* const thread : {&collector_, &announcer_}) {
    if (thread->joinable()) thread->detach();
  }
}

// Where the call is, if it is on a board.
std::optional<ProcessPool::Spot> ProcessPool::spot_of(const FutureState& state) {
  if (state.remote_slot < 0) return std::nullopt;
  const std::size_t number = static_cast<std::size_t>(state.remote_slot) / kSlots;
  const std::uint32_t slot = static_cast<std::uint32_t>(state.remote_slot) % kSlots;
  return Spot{.board = boards_[number], .slot = slot};
}

// Those of one board in the order of their submits.
std::vector<ProcessPool::Spot> ProcessPool::held_calls() {
  std::vector<Spot> held;
  for (const std::shared_ptr<Board>& board : boards_) {
    if (board == nullptr) continue;
    for (const std::uint32_t slot : board->held_in_order()) held.push_back({.board = board, .slot = slot});
  }
  return held;
}

// --- Cancel.

bool ProcessPool::cancel(FutureState& state) {
  check_process();
  const sync::cancellation_block block;  // Who has cancelled a call has yet to say so.
  Task task;  // Dropped without the lock.
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (state.has_left_pending()) return false;
    if (const std::optional<Spot> spot = spot_of(state)) {
      if (spot->board->has_started(spot->slot) || !spot->board->cancel(spot->slot)) return false;
      not_taken(*spot->board);
      task = release(*spot->board, spot->slot);
      state.mark_cancelled();
      hand_out(settled);
    } else if (!state.mark_cancelled()) {
      return false;
    }
    ring_collector();
  }
  tell(settled);
  return true;
}

void ProcessPool::look(FutureState& state) {
  if (is_of_another_process()) return;
  sync::mutex_lock lock(mutex_);
  const std::optional<Spot> spot = spot_of(state);
  if (!spot) return;
  const std::optional<Board::Seen> seen = spot->board->see(spot->slot);
  if (seen && seen->phase != SlotPhase::kPending) state.mark_running_remotely();
}

// --- Shutdown.

// With the lock: when it has ended its bell is gone.
void ProcessPool::ring_collector() {
  const std::uint64_t one = 1;
  // Not by write, where a thread may be cancelled: much is left to do after this.
  [[maybe_unused]] const long written = syscall(SYS_write, bell_.get(), &one, sizeof(one));
}

void ProcessPool::cancel_all_pending(TaskQueue& cancelled) {
  for (const auto& [board, slot] : held_calls()) {
    if (board->has_started(slot) || !board->cancel(slot)) continue;
    not_taken(*board);
    Task task = release(*board, slot);
    task.mark_cancelled();
    cancelled.push_back(std::move(task));
  }
  for (WaitingCall& call : std::exchange(waiting_, {})) {
    if (call.task.mark_cancelled()) cancelled.push_back(std::move(call.task));
  }
}

std::size_t ProcessPool::close_intake(bool cancel_futures) {
  TaskQueue cancelled;
  const sync::cancellation_block block;  // Who has cancelled calls has yet to say so.
  {
    sync::mutex_lock lock(mutex_);
    intake_open_ = false;
    if (cancel_futures) cancel_all_pending(cancelled);
    ring_collector();
  }
  const std::size_t count = cancelled.size();
  cancelled.announce_cancelled();
  return count;
}

Executor::ShutdownResult ProcessPool::shutdown(const ShutdownOptions& options) {
  check_process();
  const sync::deadline until = options.timeout.deadline();
  const std::size_t cancelled = close_intake(options.cancel_futures);
  if (!options.wait) {
    leave_to_itself();
    sync::mutex_lock lock(mutex_);
    return {.all_done = ended_, .cancelled = cancelled};
  }
  check_may_wait();
  return {.all_done = await_end(until), .cancelled = cancelled};
}

bool ProcessPool::await_end(sync::deadline until) {
  sync::thread collector;
  sync::thread announcer;
  {
    sync::mutex_lock lock(mutex_);
    while (!ended_ || joining_) {
      if (!end_changed_.wait_until(mutex_, until)) return ended_ && !joining_;
    }
    joining_ = true;
    collector = std::move(collector_);
    announcer = std::move(announcer_);
  }
  if (collector.joinable()) collector.join();
  if (announcer.joinable()) announcer.join();
  sync::mutex_lock lock(mutex_);
  joining_ = false;
  end_changed_.notify_all();
  return true;
}

void ProcessPool::end_workers(int signal) {
  check_process();
  close_intake(/*cancel_futures=*/true);
  {
    const sync::cancellation_block block;
    sync::mutex_lock lock(mutex_);
    if (ending_ == nullptr) {
      ending_ = std::make_exception_ptr(BrokenProcessPool(signal == SIGKILL ? "the pool's workers were killed"
                                                                            : "the pool's workers were terminated"));
    }
    ending_signal_ = signal;
    for (auto& [number, worker] : workers_) kill_worker(worker, signal);
    const std::chrono::nanoseconds grace = signal == SIGKILL ? std::chrono::nanoseconds(0) : options_.terminate_grace;
    const sync::clock::time_point now = sync::clock::now();
    constexpr sync::clock::time_point kNever = sync::clock::time_point::max();
    kill_at_ = grace < kNever - now ? now + grace : kNever;
    ring_collector();
  }
  if (!is_own_thread()) await_end(std::nullopt);
}

std::vector<pid_t> ProcessPool::worker_pids() {
  check_process();
  std::vector<pid_t> pids;
  sync::mutex_lock lock(mutex_);
  for (const auto& [number, worker] : workers_) {
    if (worker.life == Worker::Life::kAlive) pids.push_back(worker.pid);
  }
  return pids;
}

// --- The announcer.

// A thread's time as the announcer. If a callback ends the thread (pthread_exit), another one follows it.
class ProcessPool::Announcing {
 public:
  explicit Announcing(ProcessPool& pool) : pool_(pool) {}
  ~Announcing() {
    if (is_over || pool_.is_of_another_process()) return;
    try {
      sync::mutex_lock lock(pool_.mutex_);
      pool_.start_announcer();
      return;
    } catch (const std::system_error&) {
    }
    pool_.announce();  // There is no other thread to be had: this one ends later.
  }
  Announcing(const Announcing&) = delete;
  Announcing& operator=(const Announcing&) = delete;

  bool is_over = false;

 private:
  ProcessPool& pool_;
};

void ProcessPool::start_announcer() {
  // Whoever joins the announcer joins those before it.
  const auto before = std::make_shared<sync::thread>(std::move(announcer_));
  try {
    announcer_ = sync::thread::start({.name = "announcer"}, [pool = shared_from_this(), before] {
      if (before->joinable()) before->join();
      pool->adopt_this_thread();
      pool->announce();
    });
  } catch (const std::system_error&) {
    announcer_ = std::move(*before);
    throw;
  }
}

// Of a done callback that has invoked std::exit: another announcer takes this one's place.
bool ProcessPool::replace_own_thread() {
  sync::mutex_lock lock(mutex_);
  if (!announcer_.is_current()) return false;
  announcer_.detach();
  try {
    start_announcer();
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void ProcessPool::announce() {
  Announcing announcing(*this);
  for (;;) {
    Announcement next;
    {
      sync::mutex_lock lock(mutex_);
      while (announcements_.empty() && !collector_ended_) announcer_work_.wait(mutex_);
      if (announcements_.empty()) {
        announcing.is_over = true;
        ended_ = true;
        end_changed_.notify_all();
        return;
      }
      next = std::move(announcements_.front());
      announcements_.pop_front();
    }
    next.task.state().run_callbacks(next.callbacks);
  }
}

}  // namespace futures::internal
