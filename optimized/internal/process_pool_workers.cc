// The lives of a pool's workers and of its fork server.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

bool has_ended(const Descriptor& pidfd) {
  // Works for any process, not only for children: it fails with ESRCH once there is nobody to signal.
  return syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0) != 0;
}

}  // namespace

void ProcessPool::hear_from_server(std::vector<Settled>& settled) {
  while (server_) {
    ForkServer::Received received = server_.receive();
    if (received.server_is_gone) return restart_server(settled);
    if (!received.news) return;
    const WorkerNews& news = *received.news;
    if (news.kind == WorkerNews::Kind::kStarted) {
      worker_started(news, std::move(received.pidfd));
    } else if (news.kind == WorkerNews::Kind::kEnded) {
      for (auto& [number, worker] : workers_) {
        if (worker.life != Worker::Life::kOrdered && worker.pid == news.pid) worker.status = news.status;
      }
    } else {
      workers_.erase(news.number);
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
  std::erase_if(workers_, [](const auto& entry) { return entry.second.life == Worker::Life::kOrdered; });
  if (options_.start_method == StartMethod::kFork) {
    if (workers_.empty()) break_pool("the fork server has ended, and this program cannot be forked any more", true, settled);
    return;
  }
  try {
    server_ = ForkServer::start(options_.start_method);
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, server_.socket(), &event);
  } catch (const std::exception& e) {
    if (workers_.empty()) break_pool(absl::StrCat("the fork server has ended, and no other starts: ", e.what()), true, settled);
  }
}

void ProcessPool::worker_started(const WorkerNews& news, Descriptor pidfd) {
  const auto entry = workers_.find(news.number);
  if (entry == workers_.end()) return;
  Worker& worker = entry->second;
  worker.life = Worker::Life::kAlive;
  worker.pid = news.pid;
  worker.pidfd = std::move(pidfd);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, worker.pidfd.get(), &event);
  if (ending_ != nullptr) syscall(SYS_pidfd_send_signal, worker.pidfd.get(), SIGKILL, nullptr, 0);
}

void ProcessPool::look_for_ended_workers(std::vector<Settled>& settled) {
  const sync::clock::time_point now = sync::clock::now();
  std::vector<std::uint16_t> to_settle;
  for (auto& [number, worker] : workers_) {
    if (worker.life == Worker::Life::kOrdered) continue;
    if (worker.life == Worker::Life::kAlive && (worker.status || has_ended(worker.pidfd))) {
      worker.life = Worker::Life::kEnded;
      worker.settle_by = now + kStatusPatience;
    }
    if (worker.life == Worker::Life::kEnded && (worker.status || !server_ || now >= *worker.settle_by)) {
      to_settle.push_back(number);
    }
  }
  for (const std::uint16_t number : to_settle) settle_death(number, settled);
}

std::exception_ptr ProcessPool::death_error(const Worker& worker) {
  if (ending_ != nullptr) return ending_;
  if (worker.timed_out) {
    return std::make_exception_ptr(CallTimeoutError(absl::StrCat("the call ran for longer than the pool's call_timeout; "
                                                                 "its worker process ", worker.pid, " was killed")));
  }
  return std::make_exception_ptr(WorkerDiedError(worker.pid, worker.status.value_or(-1)));
}

// What a dead worker had wholly delivered counts; the call that it was running has failed; nothing else was its own.
void ProcessPool::settle_death(std::uint16_t number, std::vector<Settled>& settled) {
  const Worker worker = std::move(workers_.find(number)->second);
  bool lost_a_call = false;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    HeldCall& held = held_[slot];
    const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
    if (!held.task || word.ticket != held.ticket || word.owner != number || word.phase == SlotPhase::kPending) continue;
    if (word.phase == SlotPhase::kDone) {
      take_result(slot, word, settled);
      continue;
    }
    lost_a_call = true;
    settled.push_back({.task = std::move(held.task), .error = death_error(worker), .worker_pid = worker.pid});
    free_slot(board(), slot);
    release_slot(slot);
  }
  workers_.erase(number);
  forget_worker(board(), number);

  const bool wanted = board_closed_ || (worker.status && WIFEXITED(*worker.status) && WEXITSTATUS(*worker.status) == 0);
  if (worker.status && WIFEXITED(*worker.status) && WEXITSTATUS(*worker.status) == kInitializerFailed) {
    break_pool("a worker's initializer threw", false, settled);
  } else if (lost_a_call && options_.on_worker_death == OnWorkerDeath::kBreakPool && ending_ == nullptr) {
    break_pool(absl::StrCat("worker process ", worker.pid, " died in a call"), true, settled);
  } else if (!wanted && !lost_a_call && !worker.has_taken_calls && ++useless_deaths_ >= kUselessDeathsMax) {
    break_pool(absl::StrCat(useless_deaths_, " worker processes in a row died before they took a call"), true, settled);
  }
  // What it may have been woken for is still there.
  ring_for_work(board());
}

void ProcessPool::kill_overdue_workers() {
  if (!options_.call_timeout) return;
  const sync::clock::time_point now = sync::clock::now();
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    HeldCall& held = held_[slot];
    if (!held.task) continue;
    const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
    if (word.ticket != held.ticket || (word.phase != SlotPhase::kRunning && word.phase != SlotPhase::kWantsRoom)) continue;
    if (!held.seen_running) held.seen_running = now;
    const auto worker = workers_.find(word.owner);
    if (now - *held.seen_running < *options_.call_timeout || worker == workers_.end() || worker->second.timed_out) continue;
    worker->second.timed_out = true;
    if (worker->second.pidfd) syscall(SYS_pidfd_send_signal, worker->second.pidfd.get(), SIGKILL, nullptr, 0);
  }
}

void ProcessPool::break_pool(const std::string& reason, bool running_too, std::vector<Settled>& settled) {
  if (broken_ == nullptr) broken_ = std::make_exception_ptr(BrokenProcessPool(reason));
  for (WaitingCall& call : std::exchange(waiting_, {})) {
    if (!call.task.state().is_done()) settled.push_back({.task = std::move(call.task), .error = broken_});
  }
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    HeldCall& held = held_[slot];
    if (!held.task) continue;
    if (!cancel_call(board(), slot, held.ticket) && !running_too) continue;
    settled.push_back({.task = std::move(held.task), .error = broken_});
    free_slot(board(), slot);
    release_slot(slot);
  }
  if (!running_too) return;
  for (const auto& [number, worker] : workers_) {
    if (worker.pidfd) syscall(SYS_pidfd_send_signal, worker.pidfd.get(), SIGKILL, nullptr, 0);
  }
}

}  // namespace futures::internal
