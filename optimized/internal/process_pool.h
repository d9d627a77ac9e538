// The program's side of a pool of processes.
//
// Thread roles: clients submit, cancel and shut down; the collector, one thread, takes results from the board, learns of
// workers' births and deaths, and replaces them; the announcer, one thread, runs the done callbacks, so that a callback
// that blocks holds up other callbacks only (law F8).
//
// Where a call is, under mutex_:
//   waiting_      accepted, encoded, not on the board: all slots or the arena are full, or others wait before it.
//   held_[slot]   on the board: pending, running or delivered, as its slot's word says.
//   nowhere       its outcome is known; its future is done or about to be.
// A call's future follows: it stays pending until somebody looks and finds the slot running, or its outcome is known.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_PROCESS_POOL_H_
#define CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_PROCESS_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "futures/executor.h"
#include "futures/internal/future_state.h"
#include "futures/internal/module_address.h"
#include "futures/internal/process_life.h"
#include "futures/internal/sync.h"
#include "futures/task.h"
#include "optimized/internal/call_board.h"
#include "optimized/internal/descriptor.h"
#include "optimized/internal/fork_server.h"
#include "optimized/internal/shared_memory.h"
#include "optimized/process_pool_options.h"

namespace futures::internal {

class ProcessPool final : public DrainedAtExit,
                          public RemoteDecision,
                          public std::enable_shared_from_this<ProcessPool> {
 public:
  struct Progress {
    bool all_done;
    std::size_t cancelled;
  };

  // With `options` that have been checked. Throws as ForkServer::start and SharedMemory::create.
  static std::shared_ptr<ProcessPool> start(const ProcessPoolOptions& options);
  explicit ProcessPool(const ProcessPoolOptions& options);
  ~ProcessPool() override;
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  const ProcessPoolOptions& options() const { return options_; }

  void schedule(Task task);
  void check_intake();
  Progress shutdown(const ShutdownOptions& options);
  // Law P8: closes the intake, cancels what has not started, sends `signal` to every worker. Returns when none is left.
  void end_workers(int signal);
  std::vector<pid_t> worker_pids();

  // True on a thread of this pool.
  bool is_own_thread() const;
  bool left_to_itself();
  bool belongs_to_another_process() const { return generation_ != fork_generation(); }

  // RemoteDecision.
  bool cancel(FutureState& state) override;
  void look(FutureState& state) override;
  void wait_a_little(FutureState& state, sync::deadline until) override;

  // DrainedAtExit.
  void close_at_exit() override;
  void wait_at_exit() override;

 private:
  struct WaitingCall {
    Task task;
    ModuleAddress run;
    std::string encoded;
  };

  // What the pool knows of a slot, whatever a worker may write into it.
  struct HeldCall {
    Task task;
    std::uint64_t ticket = 0;
    std::optional<Place> call_room;
    std::optional<Place> result_room;
    bool result_too_large = false;
    std::optional<sync::clock::time_point> seen_running;
  };

  struct Worker {
    enum class Life { kOrdered, kAlive, kEnded };
    Life life = Life::kOrdered;
    pid_t pid = 0;
    Descriptor pidfd;
    bool has_taken_calls = false;
    bool timed_out = false;
    std::optional<int> status;                                  // Known once the server has told it.
    std::optional<sync::clock::time_point> settle_by;           // Ended; its status is waited for until then.
  };

  // An outcome that has left the tables and is to be told without the lock.
  struct Settled {
    Task task;
    Outcome outcome = Outcome::kValue;
    std::string encoded;          // Unless `error` is set.
    std::exception_ptr error;
    pid_t worker_pid = 0;
  };
  struct Announcement {
    Task task;
    Callback* callbacks;
  };

  CallBoard& board() { return *reinterpret_cast<CallBoard*>(board_memory_.data()); }

  // --- Putting calls on the board (process_pool.cc).
  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void fill_board(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool put_on_board(WaitingCall& call, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void order_workers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void release_slot(std::uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t close_intake(bool cancel_futures);
  void cancel_all_pending(TaskQueue& cancelled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool await_end(sync::deadline until);
  void ring_collector();

  // --- The collector (process_pool_collector.cc).
  void collect();
  bool look_at_board(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_at_slot(std::uint32_t slot, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void take_result(std::uint32_t slot, SlotWord word, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void provide_room(std::uint32_t slot, SlotWord word) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void provide_waiting_rooms() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void tell(std::vector<Settled> settled);
  bool is_over() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void wait_for_news();
  void be_rung() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<std::chrono::nanoseconds> next_deadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Workers' lives (process_pool_workers.cc).
  void hear_from_server(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void restart_server(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void worker_started(const WorkerNews& news, Descriptor pidfd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_for_ended_workers(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle_death(std::uint16_t number, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void kill_overdue_workers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void break_pool(const std::string& reason, bool running_too, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::exception_ptr death_error(const Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- The announcer.
  void announce();

  const ProcessPoolOptions options_;
  const std::uint32_t generation_ = fork_generation();

  sync::mutex mutex_;
  SharedMemory board_memory_;    // Constant; what is in it has its own rules (call_board.h).
  SharedMemory arena_memory_;
  Descriptor bell_;              // An eventfd: rung by workers and clients when the collector sleeps.
  Descriptor epoll_;
  Arena call_arena_ ABSL_GUARDED_BY(mutex_);    // Two, so that results never wait for room that calls hold.
  Arena result_arena_ ABSL_GUARDED_BY(mutex_);

  std::deque<WaitingCall> waiting_ ABSL_GUARDED_BY(mutex_);
  std::array<HeldCall, kSlots> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> free_slots_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint32_t> wanting_room_ ABSL_GUARDED_BY(mutex_);  // Slots whose owner waits for room.
  std::uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t untold_ ABSL_GUARDED_BY(mutex_) = 0;  // Outcomes on their way from the tables to their futures.

  bool intake_open_ ABSL_GUARDED_BY(mutex_) = true;
  bool left_to_itself_ ABSL_GUARDED_BY(mutex_) = false;
  bool board_closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::exception_ptr broken_ ABSL_GUARDED_BY(mutex_);
  std::exception_ptr ending_ ABSL_GUARDED_BY(mutex_);  // Set by end_workers: what running calls get.

  ForkServer server_ ABSL_GUARDED_BY(mutex_);
  std::vector<Descriptor> lives_ ABSL_GUARDED_BY(mutex_);  // Of servers that have died and whose workers live.
  std::map<std::uint16_t, Worker> workers_ ABSL_GUARDED_BY(mutex_);
  int useless_deaths_ ABSL_GUARDED_BY(mutex_) = 0;  // Running: workers that died before they took a call.

  sync::condition_variable announcer_work_;
  std::deque<Announcement> announcements_ ABSL_GUARDED_BY(mutex_);
  int looking_clients_ ABSL_GUARDED_BY(mutex_) = 0;      // In wait_a_little.
  bool collector_sleeps_ ABSL_GUARDED_BY(mutex_) = false;
  bool collector_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // The announcer's last act.
  bool joining_ ABSL_GUARDED_BY(mutex_) = false;
  sync::condition_variable end_changed_;
  sync::thread collector_ ABSL_GUARDED_BY(mutex_);
  sync::thread announcer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_PROCESS_POOL_H_
