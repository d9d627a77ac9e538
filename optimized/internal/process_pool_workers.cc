// The lives of a pool's workers and of its fork server.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "optimized/internal/process_pool.h"

namespace futures::internal {
namespace {

// So many workers in a row that die before they take a call, and the pool is broken (law P5). A larger number bears
// with a machine that is short of memory for longer, and starts more workers in vain.
constexpr int kUselessDeathsMax = 8;

// How long the fork server may take to say how a worker ended. After that nobody knows.
constexpr std::chrono::milliseconds kStatusPatience{100};

}  // namespace

void ProcessPool::kill_worker(Worker& worker, int signal) {
  if (worker.pidfd) syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signal, nullptr, 0);
}

void ProcessPool::hear_from_server(std::vector<Settled>& settled) {
  server_spoke_ = false;
  while (server_) {
    ForkServer::Received received = server_.receive();
    if (received.server_is_gone) return restart_server(settled);
    if (!received.news) return;
    const WorkerNews& news = *received.news;
    if (news.kind == WorkerNews::Kind::kStarted) {
      worker_started(news, std::move(received.pidfd));
    } else if (news.kind == WorkerNews::Kind::kEnded) {
      for (auto& [number, worker] : workers_) {
        if (worker.life == Worker::Life::kOrdered || worker.pid != news.pid) continue;
        worker.status = news.status;
        worker_ended(number);
      }
    } else {
      forget(news.number);
      if (workers_.empty() && broken_ == nullptr) {
        break_pool(absl::StrCat("no worker process can be started: ", std::strerror(news.status)), true, settled);
      }
    }
  }
}

// Law P5: costs no call. The living workers go on; those that had been ordered are ordered again.
void ProcessPool::restart_server(std::vector<Settled>& settled) {
  lives_.push_back(std::move(server_.life()));
  server_.reap();
  std::vector<std::uint16_t> ordered;
  for (const auto& [number, worker] : workers_) {
    if (worker.life == Worker::Life::kOrdered) ordered.push_back(number);
  }
  for (const std::uint16_t number : ordered) forget(number);
  if (options_.start_method == StartMethod::kFork) {
    if (workers_.empty()) break_pool("the fork server has ended, and this program cannot be forked any more", true, settled);
    return;
  }
  try {
    server_ = ForkServer::start(options_.start_method);
    watch(server_.socket(), News::kServer);
  } catch (const std::exception& e) {
    if (workers_.empty()) break_pool(absl::StrCat("the fork server has ended, and no other starts: ", e.what()), true, settled);
  }
}

void ProcessPool::worker_started(const WorkerNews& news, Descriptor pidfd) {
  const auto entry = workers_.find(news.number);
  if (entry == workers_.end() || entry->second.life != Worker::Life::kOrdered) return;
  Worker& worker = entry->second;
  worker.life = Worker::Life::kAlive;
  worker.pid = news.pid;
  worker.pidfd = std::move(pidfd);
  watch(worker.pidfd.get(), News::kWorkerEnded, news.number);
  if (ending_ != nullptr) kill_worker(worker, SIGKILL);
  if (is_isolated()) starting_.push_back(news.number);
}

void ProcessPool::look_for_ready_workers() {
  for (const std::uint16_t number : std::exchange(starting_, {})) {
    const auto entry = workers_.find(number);
    if (entry == workers_.end() || entry->second.life != Worker::Life::kAlive) continue;
    if (is_ready(boards_[number]->calls(), number)) {
      entry->second.is_ready = true;
      offer(number);
    } else {
      starting_.push_back(number);
    }
  }
}

// There is no such worker any more, or never was. A board of its own has no call.
void ProcessPool::forget(std::uint16_t number) {
  workers_.erase(number);
  std::erase(idle_, number);
  if (is_isolated()) {
    boards_[number].reset();
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
    const bool may_still_be_told = !worker.status && server_ && now < worker.settle_by;
    (may_still_be_told ? ended_workers_ : dead).push_back(number);
  }
  if (dead.empty()) return;
  settle_calls_of(dead, settled);
  for (const std::uint16_t number : dead) {
    const Worker worker = std::move(workers_.find(number)->second);
    forget(number);
    judge_death(worker, settled);
  }
  // What they may have been woken for is still there.
  if (!is_isolated()) ring_for_work(boards_[0]->calls());
}

std::exception_ptr ProcessPool::death_error(const Worker& worker) {
  if (ending_ != nullptr) return ending_;
  if (worker.timed_out) {
    return std::make_exception_ptr(CallTimeoutError(absl::StrCat("the call ran for longer than the pool's call_timeout; "
                                                                 "its worker process ", worker.pid, " was killed")));
  }
  return std::make_exception_ptr(WorkerDiedError(worker.pid, worker.status.value_or(-1)));
}

// What the dead had wholly delivered counts; the calls that they were running have failed; nothing else was theirs.
void ProcessPool::settle_calls_of(const std::vector<std::uint16_t>& dead, std::vector<Settled>& settled) {
  if (is_isolated()) {
    for (const std::uint16_t number : dead) settle_call_of_dead(*boards_[number], 0, number, settled);
    return;
  }
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    const std::optional<Board::Seen> seen = boards_[0]->see(slot);
    if (!seen || std::find(dead.begin(), dead.end(), seen->owner) == dead.end()) continue;
    settle_call_of_dead(*boards_[0], slot, seen->owner, settled);
  }
}

void ProcessPool::settle_call_of_dead(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled) {
  if (!board.holds(slot)) return;
  const std::optional<Board::Seen> seen = board.see(slot);
  if (seen && seen->phase == SlotPhase::kDone) return take_result(board, slot, owner, settled);
  if (seen && seen->phase == SlotPhase::kPending && board.worker() != 0) return take_back(board, slot);
  Worker& worker = workers_.find(owner)->second;
  worker.lost_a_call = true;
  settled.push_back({.task = release(board, slot), .error = death_error(worker), .worker_pid = worker.pid});
}

// What the death of a worker means for the pool.
void ProcessPool::judge_death(const Worker& worker, std::vector<Settled>& settled) {
  const auto exited_with = [&worker](int code) {
    return worker.status && WIFEXITED(*worker.status) && WEXITSTATUS(*worker.status) == code;
  };
  if (exited_with(kInitializerFailed)) {
    break_pool("a worker's initializer threw", false, settled);
  } else if (worker.lost_a_call && options_.on_worker_death == OnWorkerDeath::kBreakPool && ending_ == nullptr) {
    break_pool(absl::StrCat("worker process ", worker.pid, " died in a call"), true, settled);
  } else if (!boards_closed_ && !worker.lost_a_call && !worker.has_taken_calls &&
             ++useless_deaths_ >= kUselessDeathsMax) {
    break_pool(absl::StrCat(useless_deaths_, " worker processes in a row died before they took a call"), true, settled);
  }
}

void ProcessPool::break_pool(const std::string& reason, bool running_too, std::vector<Settled>& settled) {
  if (broken_ == nullptr) broken_ = std::make_exception_ptr(BrokenProcessPool(reason));
  for (WaitingCall& call : std::exchange(waiting_, {})) {
    if (!call.task.state().is_done()) settled.push_back({.task = std::move(call.task), .error = broken_});
  }
  for (const auto& [board, slot] : held_calls()) {
    if (board->cancel(slot) || running_too) settled.push_back({.task = release(*board, slot), .error = broken_});
  }
  if (!running_too) return;
  for (auto& [number, worker] : workers_) kill_worker(worker, SIGKILL);
}

}  // namespace futures::internal
