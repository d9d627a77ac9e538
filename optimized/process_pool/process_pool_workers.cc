// The lives of a pool's workers and of its fork server.
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "optimized/process_pool/process_pool.h"

namespace futures::internal {
namespace {

// So many workers in a row that die before they take a call, and the pool is broken (law P5); with a board of their
// own, before they are ready for one. One that dies with a call that it has not taken counts against that call, which
// fails alone. A larger number bears with a machine that is short of memory for longer, and starts more workers in
// vain.
constexpr int kUselessDeathsMax = 8;

// How long nobody is started after a start that failed. Shorter: a shortage is over sooner for the pool, and costs more
// while it lasts.
constexpr std::chrono::milliseconds kStartPause{100};

// How long the fork server may leave an order unanswered before it is taken for stuck, and replaced. When the pool is
// ending there is nothing to wait for but an answer on its way.
constexpr std::chrono::seconds kOrderPatience{10};
constexpr std::chrono::seconds kLastOrderPatience{1};

// How long the fork server may take to say how a worker ended. After that nobody knows. Shorter: on a machine that is
// too busy nobody does; longer: a server that is stopped holds up the outcome of the call that the worker ran.
constexpr std::chrono::seconds kStatusPatience{2};

// How long a worker with a board of its own that left a call may go on not to take calls, while calls wait. Shorter:
// one that is stopped for a while is replaced in vain.
constexpr std::chrono::nanoseconds kTakePatience = std::chrono::seconds(5);

}  // namespace

void ProcessPool::kill_worker(Worker& worker, int signal) {
  if (worker.pidfd) {
    syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signal, nullptr, 0);
  } else if (worker.life == Worker::Life::kAlive) {
    server_.kill_worker(worker.pid);
  }
}

void ProcessPool::kill_workers_of(const Board& board) {
  for (auto& [number, worker] : workers_) {
    if (board.worker() == 0 || board.worker() == number) kill_worker(worker, SIGKILL);
  }
}

// Throws as ForkServer::start, and std::system_error.
void ProcessPool::start_server() {
  ForkServer server = ForkServer::start(options_.start_method);
  watch(server.socket(), News::kServer);
  server_ = std::move(server);
}

// As many workers as there are calls for them, at most max_workers.
void ProcessPool::order_workers(std::vector<Settled>& settled) {
  while (broken_ == nullptr && ending_ == nullptr && workers_.size() < waiting_.size() + calls_on_boards_ &&
         workers_.size() < static_cast<std::size_t>(options_.max_workers->value()) &&
         sync::clock::now() >= next_order_) {
    const sync::cancellation_block block;  // The thread of a submit may be cancelled, but not in the middle of this.
    std::uint16_t number = 1;  // The first that is free.
    for (const auto& [taken, worker] : workers_) number += taken == number ? 1 : 0;
    try {
      order_worker(number);
    } catch (const std::exception& e) {
      start_failed(number, e.what(), settled);
    }
  }
}

// Throws std::system_error, and what ForkServer::start throws.
void ProcessPool::order_worker(std::uint16_t number) {
  if (!server_) start_server();
  Worker& worker = workers_[number];
  worker.serial = ++workers_ordered_;
  worker.ordered_at = sync::clock::now();
  worker.server_life = server_.life();
  worker.bell = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  watch(worker.bell.get(), News::kBell);
  if (is_isolated()) add_board(number);
  Board& board = *boards_[is_isolated() ? number : 0];
  board.expect_worker(number);
  WorkerOrder order;
  order.number = number;
  order.fresh = options_.start_method == StartMethod::kSpawn;
  order.has_initializer = options_.initializer != nullptr;
  if (order.has_initializer) order.initializer = name_of(reinterpret_cast<const void*>(options_.initializer));
  order.calls_max = options_.max_calls_per_worker;
  order.arena_bytes = board.arena().size();
  order.address_space_bytes_max = options_.worker_address_space_bytes_max;
  order.cpu_seconds_max = options_.worker_cpu_seconds_max;
  if (!server_.order(order, board.memory().file(), board.arena().file(), worker.bell.get())) {
    throw std::system_error(errno, std::generic_category(), "the fork server takes no order");
  }
}

// Returns whether it had anything to say.
bool ProcessPool::hear_from_server(std::vector<Settled>& settled) {
  server_spoke_ = false;
  bool has_spoken = false;
  while (server_) {
    Received received = receive_news(server_.socket());
    if (received.server_is_gone) {
      server_ended();
      return true;
    }
    if (!received.news) break;
    has_spoken = true;
    const WorkerNews& news = *received.news;
    const auto entry = workers_.find(news.number);
    const bool is_ordered = entry != workers_.end() && entry->second.life == Worker::Life::kOrdered;
    if (news.kind == WorkerNews::Kind::kEnded) {
      for (auto& [number, worker] : workers_) {
        if (worker.life == Worker::Life::kOrdered || worker.pid != news.pid) continue;
        worker.status = news.status;
        worker_ended(number);
      }
    } else if (is_ordered && news.kind == WorkerNews::Kind::kStarted) {
      worker_started(news, std::move(received.pidfd));
    } else if (is_ordered) {
      start_failed(news.number, std::strerror(news.status), settled);
    }
  }
  return has_spoken;
}

// Law P5: costs no call. The living workers go on; those that had been ordered are ordered again, from a new one.
void ProcessPool::server_ended() {
  server_.end();
  std::vector<std::uint16_t> ordered;
  for (const auto& [number, worker] : workers_) {
    if (worker.life == Worker::Life::kOrdered) ordered.push_back(number);
    if (worker.life == Worker::Life::kAlive && awaits_server(worker)) {
      kill(worker.pid, SIGKILL);  // The server may not have come to it.
      worker_ended(number);
    }
  }
  for (const std::uint16_t number : ordered) forget(number);
}

// With a worker left the pool goes on with what it has, and tries again.
void ProcessPool::start_failed(std::uint16_t number, const std::string& reason, std::vector<Settled>& settled) {
  forget(number);
  next_order_ = sync::clock::now() + kStartPause;
  if (++useless_deaths_ >= kUselessDeathsMax && workers_.empty()) {
    break_pool(absl::StrCat("no worker process can be started: ", reason), true, settled);
  }
}

void ProcessPool::worker_started(const WorkerNews& news, Descriptor pidfd) {
  Worker& worker = workers_.find(news.number)->second;
  worker.life = Worker::Life::kAlive;
  worker.pid = news.pid;
  worker.pidfd = std::move(pidfd);
  try {
    if (!worker.pidfd) throw std::system_error(EMFILE, std::generic_category(), "a worker has started");
    watch(worker.pidfd.get(), News::kWorkerEnded, news.number);
  } catch (const std::system_error&) {
    // Nobody but the server would hear of its end. So it ends at once: it has not been admitted, and took no call.
    worker.pidfd = Descriptor();
    kill_worker(worker, SIGKILL);
    next_order_ = sync::clock::now() + kStartPause;
    return;
  }
  admit_worker(boards_[is_isolated() ? news.number : 0]->calls(), news.number);
  if (ending_ != nullptr) kill_worker(worker, kill_at_ ? ending_signal_ : SIGKILL);
  if (is_isolated()) starting_.push_back(news.number);
}

// Whether only the server can tell what becomes of it.
bool ProcessPool::awaits_server(const Worker& worker) {
  return worker.life == Worker::Life::kOrdered || (worker.life == Worker::Life::kAlive && !worker.pidfd);
}

sync::clock::time_point ProcessPool::answer_by(const Worker& ordered) {
  const bool ends = ending_ != nullptr || boards_closed_;
  return ordered.ordered_at + (ends ? kLastOrderPatience : kOrderPatience);
}

// The end of the grace; a fork server that is stuck.
void ProcessPool::keep_deadlines() {
  if (kill_at_ && sync::clock::now() >= *kill_at_) {
    kill_at_.reset();
    for (auto& [number, worker] : workers_) kill_worker(worker, SIGKILL);
  }
  if (leave_by_ && sync::clock::now() >= *leave_by_) {
    leave_by_.reset();  // Set again as long as there are any.
    for (auto& [number, worker] : workers_) kill_worker(worker, SIGKILL);
  }
  for (const auto& [number, worker] : workers_) {
    // What it had told is still heard, and then that it has ended.
    if (awaits_server(worker) && sync::clock::now() >= answer_by(worker)) return server_.kill();
  }
}

void ProcessPool::look_for_ready_workers() {
  for (const std::uint16_t number : std::exchange(starting_, {})) {
    const auto entry = workers_.find(number);
    if (entry == workers_.end() || entry->second.life != Worker::Life::kAlive) continue;
    Worker& worker = entry->second;
    if (boards_[number]->is_worker_ready()) {
      worker.is_ready = true;
      worker.left_a_call_at.reset();
      offer(number);
      continue;
    }
    starting_.push_back(number);
    // It was not even stopped for a moment. No call is lost with it.
    const std::chrono::nanoseconds patience = std::min(options_.call_timeout.value_or(kTakePatience), kTakePatience);
    if (worker.left_a_call_at && sync::clock::now() - *worker.left_a_call_at >= patience) kill_worker(worker, SIGKILL);
  }
}

// There is no such worker any more, or never was. A board of its own has no call.
void ProcessPool::forget(std::uint16_t number) {
  workers_.erase(number);
  std::erase(idle_, number);
  if (is_isolated()) {
    if (number < boards_.size()) boards_[number].reset();
  } else {
    forget_worker(boards_[0]->calls(), number);
  }
}

void ProcessPool::worker_ended(std::uint16_t number) {
  const auto entry = workers_.find(number);
  if (entry == workers_.end() || entry->second.life != Worker::Life::kAlive) return;
  entry->second.life = Worker::Life::kEnded;
  entry->second.settle_by = sync::clock::now() + kStatusPatience;
  std::erase(idle_, number);
  ended_workers_.push_back(number);
}

void ProcessPool::settle_ended_workers(std::vector<Settled>& settled) {
  if (ended_workers_.empty()) return;
  const sync::clock::time_point now = sync::clock::now();
  std::vector<std::uint16_t> dead;
  for (const std::uint16_t number : std::exchange(ended_workers_, {})) {
    const Worker& worker = workers_.find(number)->second;
    const bool is_asked_for = ending_ == nullptr && !worker.timed_out;
    const bool will_be_told = is_asked_for && server_ && worker.server_life == server_.life();
    // One without a pidfd may have been killed just now, and is not gone before it is told.
    const bool may_still_be_told = !worker.status && (will_be_told || !worker.pidfd) && now < worker.settle_by;
    (may_still_be_told ? ended_workers_ : dead).push_back(number);
  }
  if (dead.empty()) return;
  settle_calls_of(dead, settled);
  for (const std::uint16_t number : dead) {
    const Worker worker = std::move(workers_.find(number)->second);
    if (worker.untold > 0) untold_of_dead_[worker.serial] = worker.untold;
    forget(number);
    judge_death(worker, settled);
  }
  // What they may have been woken for is still there.
  if (!is_isolated()) boards_[0]->wake_workers();
  if (ending_ == nullptr || !workers_.empty()) return;
  // Nobody is left to run what seems pending: a call that ran, and whose worker wrote that it does not.
  for (const auto& [board, slot] : held_calls()) settle({.task = release(*board, slot), .error = ending_}, settled);
}

std::exception_ptr ProcessPool::death_error(const Worker& worker) {
  if (ending_ != nullptr) return ending_;
  if (worker.timed_out) {
    return std::make_exception_ptr(
        CallTimeoutError(absl::StrCat("the call ran for longer than the pool's call_timeout; "
                                      "its worker process ",
                                      worker.pid, " was killed")));
  }
  return std::make_exception_ptr(WorkerDiedError(worker.pid, worker.status.value_or(-1)));
}

// What the dead had wholly delivered counts; the calls that they were running have failed; nothing else was theirs.
void ProcessPool::settle_calls_of(const std::vector<std::uint16_t>& dead, std::vector<Settled>& settled) {
  if (is_isolated()) {
    for (const std::uint16_t number : dead) settle_call_of_dead(*boards_[number], 0, number, settled);
    return;
  }
  for (const std::uint32_t slot : boards_[0]->held_in_order()) {
    const std::optional<Board::Seen> seen = boards_[0]->see(slot);
    if (!seen || std::find(dead.begin(), dead.end(), seen->owner) == dead.end()) continue;
    settle_call_of_dead(*boards_[0], slot, seen->owner, settled);
  }
}

void ProcessPool::settle_call_of_dead(Board& board, std::uint32_t slot, std::uint16_t owner,
                                      std::vector<Settled>& settled) {
  if (!board.holds(slot)) return;
  // Another thread may be telling what the worker had delivered before. This is taken now or never, and told after
  // that.
  const void* const before = untold_by(owner);
  std::vector<Settled>& in_turn = before == nullptr || before == &settled ? settled : held_back_;
  const std::optional<Board::Seen> seen = board.see(slot);
  if (seen && seen->phase == SlotPhase::kDone) return take_outcome(board, slot, owner, in_turn);
  // A call that kills every worker before it seems taken is not given to workers for ever.
  const bool is_untaken = seen && seen->phase == SlotPhase::kPending && board.worker() != 0 && !board.has_started(slot);
  const bool goes_on = broken_ == nullptr && ending_ == nullptr;
  if (is_untaken && goes_on && ++board.untaken_deaths(slot) < kUselessDeathsMax) return take_back(board, slot);
  Worker& worker = workers_.find(owner)->second;
  worker.lost_a_call = true;
  settle({.task = release(board, slot),
          .error = death_error(worker),
          .worker_pid = worker.pid,
          .owner_serial = &in_turn == &held_back_ ? worker.serial : 0},
         in_turn);
}

// What the death of a worker means for the pool.
void ProcessPool::judge_death(const Worker& worker, std::vector<Settled>& settled) {
  const bool had_call = worker.lost_a_call || worker.has_taken_calls || worker.is_ready || worker.left_a_call_at;
  const bool may_be_initializing = options_.initializer != nullptr && !had_call;
  if (may_be_initializing && worker.status && WIFEXITED(*worker.status) &&
      WEXITSTATUS(*worker.status) == kInitializerFailed) {
    break_pool("a worker's initializer threw", false, settled);
  } else if (worker.lost_a_call && options_.on_worker_death == OnWorkerDeath::kBreakPool && ending_ == nullptr) {
    break_pool(absl::StrCat("worker process ", worker.pid, " died in a call"), true, settled);
  } else if (!boards_closed_ && !had_call && ++useless_deaths_ >= kUselessDeathsMax &&
             (worker.pidfd || workers_.empty())) {
    break_pool(absl::StrCat(useless_deaths_, " worker processes in a row died before they took a call"), true, settled);
  }
}

// What has been delivered counts all the same, and running calls fail with their workers, each worker's in the order in
// which it ran them; unless the memory that says so is damaged.
void ProcessPool::break_pool(const std::string& reason, bool running_too, std::vector<Settled>& settled) {
  if (broken_ == nullptr) broken_ = std::make_exception_ptr(BrokenProcessPool(reason));
  if (running_too && ending_ == nullptr) ending_ = broken_;
  fail_waiting(broken_, settled);
  for (const std::shared_ptr<Board>& board : boards_) {
    if (board == nullptr) continue;
    const bool is_damaged = board->is_damaged();
    for (const std::uint32_t slot : board->held_in_order()) {
      const bool was_pending = board->cancel(slot);  // First: what is seen before may be taken since.
      const std::optional<Board::Seen> seen = board->see(slot);
      const bool is_done = seen && seen->phase == SlotPhase::kDone;
      const bool is_told_later = !is_damaged && seen && (is_done || workers_.contains(seen->owner));
      if (was_pending || (running_too && !is_told_later)) {
        settle({.task = release(*board, slot), .error = broken_}, settled);
      }
    }
  }
  if (!running_too) return;
  for (auto& [number, worker] : workers_) kill_worker(worker, SIGKILL);
}

}  // namespace futures::internal
