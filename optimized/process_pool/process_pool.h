// The program's side of a pool of processes.
//
// Thread roles: clients submit, cancel and shut down, and one that waits for a call takes its result from the board,
// with what the same worker delivered before, and reads a large one while it is written; the collector, one thread,
// takes all other results, learns of workers' births and deaths, and replaces them; the announcer, one thread, runs the
// done callbacks, so that a callback that blocks holds up other callbacks only (law F8).
//
// Boards: with Isolation::kShared there is one, boards_[0], from which all workers take; with kPerWorker each worker
// has one of its own, boards_[number], of one slot, and is handed the next call when that slot is free. All else is the
// same.
//
// Where a call is, under mutex_:
//   waiting_            accepted, encoded, on no board: no slot or room is free, or others wait before it.
//   a slot of a board   pending, running or delivered, as the slot's word says. A pending one goes back to waiting_ if
//   the
//                       worker that was to take it dies first.
//   nowhere             its outcome is known; its future is done or about to be.
// A call's future follows: it stays pending until somebody looks and finds the slot running, or its outcome is known.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_PROCESS_POOL_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_PROCESS_POOL_H_

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
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/module_address.h"
#include "futures/executor.h"
#include "futures/internal/executor_life.h"
#include "futures/internal/future_state.h"
#include "futures/internal/sync.h"
#include "futures/internal/time.h"
#include "futures/task.h"
#include "optimized/process_pool/board.h"
#include "optimized/process_pool/call_board.h"
#include "optimized/process_pool/descriptor.h"
#include "optimized/process_pool/fork_server.h"
#include "optimized/process_pool_options.h"

namespace futures::internal {

class ProcessPool final : public ExecutorLife, public RemoteOwner, public std::enable_shared_from_this<ProcessPool> {
 public:
  // With `options` that have been checked. Throws as ForkServer::start and SharedMemory::create.
  static std::shared_ptr<ProcessPool> start(const ProcessPoolOptions& options);
  explicit ProcessPool(const ProcessPoolOptions& options);
  ~ProcessPool() override;
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;

  // As Executor::schedule. Encodes the call here, without a lock.
  void schedule(Task task);
  void check_intake();
  // Null if it has to be made of ordinary memory.
  std::shared_ptr<BufferMemory> make_buffer(std::size_t bytes);
  Executor::ShutdownResult shutdown(const ShutdownOptions& options) override;
  // Law P8: closes the intake, cancels what has not started, sends `signal` to every worker, and SIGKILL after the
  // grace. Returns when none is left.
  void end_workers(int signal);
  std::vector<pid_t> worker_pids();

  // RemoteOwner.
  bool cancel(FutureState& state) override;
  void look(FutureState& state) override;
  void await(FutureState& state, sync::deadline until) override;

 private:
  struct Worker {
    enum class Life { kOrdered, kAlive, kEnded };
    Life life = Life::kOrdered;
    std::uint64_t serial = 0;  // Its own, from 1.
    pid_t pid = 0;
    Descriptor pidfd;
    std::shared_ptr<const PrivateDescriptor> server_life;  // Of the one that was ordered to start it. It ends without.
    Descriptor bell;  // An eventfd: the worker rings it when the collector sleeps. Its own, and never read: no
                      // worker can silence another's, nor make the program wait.
    bool is_ready = false;  // Has said that it takes calls. Asked of workers with a board of their own.
    std::uint64_t calls_given = 0;  // To a worker with a board of its own, taken or not.
    std::optional<sync::clock::time_point>
        left_a_call_at;  // It had been given one and did not take it. Not ready since.
    int calls_left = 0;  // So, since it delivered one.
    bool has_taken_calls = false;
    std::size_t untold = 0;  // Outcomes of its calls that have been taken and not told,
    const void* untold_by = nullptr;  // all into this vector.
    bool lost_a_call = false;
    bool timed_out = false;
    std::optional<int> status;  // Known once the server has told it.
    sync::clock::time_point ordered_at;
    sync::clock::time_point settle_by;  // Ended; its status is waited for until then.
  };

  // An outcome that has left the tables and is to be told without the lock.
  struct Settled {
    Task task;
    Board::Result result;  // Unless `error` is set.
    std::exception_ptr error = nullptr;
    pid_t worker_pid = 0;
    std::uint16_t owner = 0;  // The worker's number, 0 if it is not a worker that delivered, and which of all
    std::uint64_t owner_serial = 0;  // that had that number.
    std::shared_ptr<Board> board = nullptr;  // Where the result is.
    std::unique_ptr<EarlyValue> early = nullptr;  // What it has been decoded to already.
    Callback* callbacks = nullptr;  // Once it is told: what is left to call.
  };
  struct Announcement {
    Task task;
    Callback* callbacks;
  };

  // What the collector is woken for; with the worker's number where there is one.
  enum class News : std::uint32_t { kBell, kServer, kWorkerEnded };

  class CallSink;
  class ResultBuffers;

  // A call on a board.
  struct Spot {
    std::shared_ptr<Board> board;
    std::uint32_t slot;
  };

  bool is_isolated() const { return options_.isolation == Isolation::kPerWorker; }

  // --- From submit to the boards (process_pool_submit.cc).
  std::exception_ptr encode_call(const Task& task, WaitingCall& call, std::shared_ptr<Board>& kept);
  void give_back_room(WaitingCall& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void check_open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Board> shared_board();
  std::shared_ptr<Board> board_with_room();
  void add_board(std::uint16_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void get_in_line(WaitingCall call, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void hand_out(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void fail_waiting(const std::exception_ptr& error, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Board* next_board() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool reclaim_rooms() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void expect_calls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool put_on_board(Board& board, WaitingCall& call, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Task release(Board& board, std::uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void take_back(Board& board, std::uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void not_taken(const Board& board) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void set_aside(Worker& worker, sync::clock::time_point now);
  void offer(std::uint16_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Start, cancel, shutdown (process_pool.cc).
  std::optional<Spot> spot_of(const FutureState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Spot> held_calls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t close_intake(bool cancel_futures) override;
  void cancel_all_pending(TaskQueue& cancelled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool await_end(sync::deadline until) override;
  void ring_collector() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void watch(int fd, News news, std::uint16_t number = 0);  // Throws std::system_error.

  // --- The collector (process_pool_collector.cc).
  void collect();
  bool look_at_boards(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_at_slot(Board& board, std::uint32_t slot, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void take_result(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void take_results_until(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void take_outcome(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle(Settled outcome, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void store_outcome(Settled& settled);
  const void* untold_by(std::uint16_t owner) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void note_told(const std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void release_held_back(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void release_memory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void tell(std::vector<Settled>& settled);  // Leaves it empty.
  bool is_over() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void wait_for_news();
  void hear(int timeout_ms);
  void be_rung() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void be_left_alone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<std::chrono::nanoseconds> next_deadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Clients that wait (process_pool_clients.cc).
  struct Client;
  bool serve_client(Client& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool look_out(Client& client);
  void sleep_on(Client& client);
  bool begin_reading(Client& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void end_reading(Client& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void leave_room(Client& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Client* reader_of(const Board& board, std::uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Settled>& takers_of(const Board& board, std::uint32_t slot, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void note_delivery(const Board& board, std::uint32_t slot, const Board::Result& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Workers' lives (process_pool_workers.cc).
  void order_workers(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void order_worker(std::uint16_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool hear_from_server(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void start_server() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void server_ended() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void start_failed(std::uint16_t number, const std::string& reason, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void worker_started(const WorkerNews& news, Descriptor pidfd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool awaits_server(const Worker& worker);
  sync::clock::time_point answer_by(const Worker& ordered) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void keep_deadlines() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_for_ready_workers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(std::uint16_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void worker_ended(std::uint16_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle_ended_workers(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle_calls_of(const std::vector<std::uint16_t>& dead, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle_call_of_dead(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void judge_death(const Worker& worker, std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void kill_worker(Worker& worker, int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void kill_workers_of(const Board& board) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void give_to_another(Board& board, std::uint32_t slot, sync::clock::time_point now, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_again(std::vector<Settled>& settled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void look_again_at(Board& board, std::uint32_t slot, sync::clock::time_point now, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void break_pool(const std::string& reason, bool running_too, std::vector<Settled>& settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::exception_ptr death_error(const Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::exception_ptr untaken_error() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- The announcer.
  class Announcing;
  void start_announcer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // Throws std::system_error.
  bool replace_own_thread() override;
  void announce();

  // Between second looks, at most: of the collector while calls run, and of a client that sleeps. Shorter: less time is
  // lost when a worker is stopped at a bad moment, or has overwritten what would have woken somebody (law P11); each
  // look costs some microseconds.
  static constexpr std::chrono::nanoseconds kBetweenLooks = std::chrono::milliseconds(100);

  const ProcessPoolOptions options_;

  sync::mutex mutex_;
  Descriptor bell_;  // An eventfd: rung by clients when the collector may sleep.
  Descriptor timer_;  // A timerfd: wakes the collector for a second look that it did not know of when it slept.
  Descriptor epoll_;

  // By worker, 0 for the one of all; null where there is none. Shared with threads that look at one without the lock.
  std::vector<std::shared_ptr<Board>> boards_ ABSL_GUARDED_BY(mutex_);
  std::deque<WaitingCall> waiting_ ABSL_GUARDED_BY(mutex_);  // In the order of their submits.
  bool waits_for_room_ ABSL_GUARDED_BY(mutex_) = false;  // The first of these, when it was tried last.
  std::uint64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t calls_on_boards_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::uint16_t> idle_ ABSL_GUARDED_BY(mutex_);  // Workers whose own board wants a call; once each.
  std::size_t untold_ ABSL_GUARDED_BY(mutex_) = 0;  // Outcomes on their way from the tables to their futures.
  std::vector<Spot> postponed_
      ABSL_GUARDED_BY(mutex_);  // Delivered calls of workers with untold outcomes in another thread.
  // The same of workers that have ended since: how many there are, by the worker's serial; and what is to be told after
  // them.
  std::map<std::uint64_t, std::size_t> untold_of_dead_ ABSL_GUARDED_BY(mutex_);
  std::vector<Settled> held_back_ ABSL_GUARDED_BY(mutex_);

  bool intake_open_ ABSL_GUARDED_BY(mutex_) = true;
  bool boards_closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::exception_ptr broken_ ABSL_GUARDED_BY(mutex_);
  std::exception_ptr ending_
      ABSL_GUARDED_BY(mutex_);  // All workers are being killed: what the calls get that they run.

  int ending_signal_ ABSL_GUARDED_BY(mutex_) = 0;  // The same.

  ForkServer server_ ABSL_GUARDED_BY(mutex_);
  std::map<std::uint16_t, Worker> workers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t workers_ordered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::uint16_t> starting_ ABSL_GUARDED_BY(mutex_);  // Workers with a board of their own, not ready.
  std::vector<std::uint16_t> ended_workers_ ABSL_GUARDED_BY(mutex_);  // Not settled yet.
  bool server_spoke_ ABSL_GUARDED_BY(mutex_) = false;
  int useless_deaths_ ABSL_GUARDED_BY(mutex_) =
      0;  // Running: workers that did not start, or died before they took a call.
  sync::clock::time_point next_order_ ABSL_GUARDED_BY(mutex_);  // Not before, since one could not be started.
  std::optional<sync::clock::time_point> kill_at_ ABSL_GUARDED_BY(mutex_);  // The end of the grace.
  std::optional<sync::clock::time_point> leave_by_
      ABSL_GUARDED_BY(mutex_);  // All is done: workers that still live are killed.

  sync::condition_variable announcer_work_;
  std::deque<Announcement> announcements_ ABSL_GUARDED_BY(mutex_);
  int looking_clients_ ABSL_GUARDED_BY(mutex_) = 0;  // In await, awake.
  std::vector<Client*> readers_
      ABSL_GUARDED_BY(mutex_);  // In await, reading a result that is being written; one per call.
  // Second looks, while there are calls, at what nobody tells: that a call overruns, that a worker was stopped in the
  // middle of something, that a worker wrote nonsense.
  sync::clock::time_point next_look_ ABSL_GUARDED_BY(mutex_);
  bool calls_since_look_ ABSL_GUARDED_BY(mutex_) = false;
  bool wake_workers_ ABSL_GUARDED_BY(mutex_) = false;  // A second look has found a call that nobody took.
  bool will_look_ ABSL_GUARDED_BY(mutex_) = false;  // The collector sleeps no longer than until next_look_.
  bool collector_sleeps_ ABSL_GUARDED_BY(mutex_) = false;
  bool wants_rings_ ABSL_GUARDED_BY(mutex_) = false;  // What every board says of it: its parent_sleeps.
  std::vector<std::shared_ptr<Board>> watched_;  // The collector's: the boards that it looks at before it sleeps.
  bool collector_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // The announcer's last act.
  bool joining_ ABSL_GUARDED_BY(mutex_) = false;
  sync::condition_variable end_changed_;
  sync::thread collector_ ABSL_GUARDED_BY(mutex_);
  sync::thread announcer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_PROCESS_POOL_H_
