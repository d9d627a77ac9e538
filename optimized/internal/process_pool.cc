#include "optimized/internal/process_pool.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/wire_call.h"

namespace futures::internal {
namespace {

// Freed payload pages that stay ready for the next payload.
constexpr std::uint64_t kKeptBytes = std::uint64_t{128} << 20;

// The pool that this thread belongs to.
thread_local const ProcessPool* current_pool = nullptr;

void watch(const Descriptor& epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch a descriptor");
  }
}

}  // namespace

std::shared_ptr<ProcessPool> ProcessPool::start(const ProcessPoolOptions& options) {
  auto pool = std::make_shared<ProcessPool>(options);
  sync::mutex_lock lock(pool->mutex_);
  // The server first: kFork needs the program to have one thread.
  pool->server_ = ForkServer::start(options.start_method);
  watch(pool->epoll_, pool->bell_.get());
  watch(pool->epoll_, pool->server_.socket());
  pool->collector_ = sync::thread::start({.name = "collector"}, [pool] {
    current_pool = pool.get();
    pool->collect();
  });
  pool->announcer_ = sync::thread::start({.name = "announcer"}, [pool] {
    current_pool = pool.get();
    pool->announce();
  });
  return pool;
}

ProcessPool::ProcessPool(const ProcessPoolOptions& options)
    : options_(options),
      board_memory_(SharedMemory::create("concurrent_futures board", sizeof(CallBoard))),
      arena_memory_(SharedMemory::create("concurrent_futures arena", 2 * options.payload_bytes_max)),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      call_arena_(arena_memory_, 0, options.payload_bytes_max, kKeptBytes),
      result_arena_(arena_memory_, options.payload_bytes_max, options.payload_bytes_max, kKeptBytes) {
  if (!bell_ || !epoll_ || !board_memory_.allocate(0, sizeof(CallBoard))) {
    throw std::system_error(errno, std::generic_category(), "cannot set up a pool of processes");
  }
  for (std::uint32_t slot = kSlots; slot-- > 0;) free_slots_.push_back(slot);
}

ProcessPool::~ProcessPool() {
  sync::mutex_lock lock(mutex_);
  for (sync::thread* const thread : {&collector_, &announcer_}) {
    if (!thread->joinable()) continue;
    if (thread->is_current()) {
      thread->detach();
    } else {
      thread->join();
    }
  }
}

bool ProcessPool::is_own_thread() const { return current_pool == this; }

bool ProcessPool::left_to_itself() {
  sync::mutex_lock lock(mutex_);
  return left_to_itself_;
}

// --- Submit.

void ProcessPool::check_open() {
  if (broken_ != nullptr) std::rethrow_exception(broken_);
  if (!intake_open_) throw ShutdownError();
}

void ProcessPool::check_intake() {
  check_generation(generation_);
  sync::mutex_lock lock(mutex_);
  check_open();
}

void ProcessPool::schedule(Task task) {
  check_intake();
  const WireCall* const wire = task.state().wire_call();
  WaitingCall call;
  try {
    if (wire == nullptr) {
      throw SerializationError(
          "the call cannot travel to another process: its callable, an argument or the result is of a type that cannot, "
          "or futures/encoding.h is not included where submit is called");
    }
    call.run = name_of(reinterpret_cast<const void*>(wire->run));
    task.state().encode(call.encoded);
  } catch (const SerializationError&) {
    task.fail(std::current_exception());  // Law P3: this future alone.
    return;
  } catch (const std::exception& e) {
    task.fail(std::make_exception_ptr(SerializationError(absl::StrCat("the call could not be encoded: ", e.what()))));
    return;
  } catch (...) {
    task.fail(std::make_exception_ptr(SerializationError("the call could not be encoded")));
    return;
  }
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    check_open();
    task.state().decide_remotely(shared_from_this());
    call.task = std::move(task);
    waiting_.push_back(std::move(call));
    fill_board(settled);
    untold_ += settled.size();
  }
  tell(std::move(settled));
}

void ProcessPool::fill_board(std::vector<Settled>& settled) {
  while (!waiting_.empty()) {
    if (waiting_.front().task.state().is_done()) {
      waiting_.pop_front();  // Cancelled.
      continue;
    }
    if (!put_on_board(waiting_.front(), settled)) break;
    waiting_.pop_front();
  }
  order_workers();
}

// Returns false if the call has to wait.
bool ProcessPool::put_on_board(WaitingCall& call, std::vector<Settled>& settled) {
  if (free_slots_.empty()) return false;
  const std::uint32_t slot = free_slots_.back();
  HeldCall& held = held_[slot];
  Slot& shared = board().slots[slot];
  std::optional<Place> room;
  if (call.encoded.size() > kInlineBytes) {
    room = call_arena_.allocate(call.encoded.size());
    if (!room && !call_arena_.is_unused()) return false;
    if (!room) {
      settled.push_back({.task = std::move(call.task),
                         .error = std::make_exception_ptr(SerializationError(absl::StrCat(
                             "the encoded call has ", call.encoded.size(), " bytes, and there is no room for that: ",
                             "payload_bytes_max is ", options_.payload_bytes_max, ", or memory is short")))});
      return true;
    }
  }
  char* const to = room ? arena_memory_.data() + room->offset : shared.bytes.data();
  std::memcpy(to, call.encoded.data(), call.encoded.size());
  shared.run = call.run;
  shared.call = {.offset = room ? room->offset : Place::kInline, .bytes = call.encoded.size()};
  if (!list_call(board(), slot, next_ticket_)) {
    if (room) call_arena_.release(*room);
    return false;
  }
  free_slots_.pop_back();
  call.task.state().remote_place = static_cast<std::int32_t>(slot);
  held = {.task = std::move(call.task), .ticket = next_ticket_++, .call_room = room};
  return true;
}

// As many workers as there are calls for them, at most max_workers.
void ProcessPool::order_workers() {
  const std::size_t calls = waiting_.size() + (kSlots - free_slots_.size());
  while (broken_ == nullptr && ending_ == nullptr && workers_.size() < calls &&
         workers_.size() < static_cast<std::size_t>(*options_.max_workers)) {
    std::uint16_t number = 1;  // The first that is free.
    for (const auto& [taken, worker] : workers_) number += taken == number ? 1 : 0;
    if (number >= board().workers_end.load(std::memory_order_relaxed)) {
      board().workers_end.store(number + 1u, std::memory_order_relaxed);
    }
    WorkerOrder order;
    order.number = number;
    order.fresh = options_.start_method == StartMethod::kSpawn;
    order.has_initializer = options_.initializer != nullptr;
    if (order.has_initializer) order.initializer = name_of(reinterpret_cast<const void*>(options_.initializer));
    order.calls_max = options_.max_calls_per_worker;
    order.arena_bytes = arena_memory_.size();
    order.address_space_bytes_max = options_.worker_address_space_bytes_max;
    order.cpu_seconds_max = options_.worker_cpu_seconds_max;
    workers_.emplace(number, Worker());
    // If the server is gone, the collector sees that, and orders what was ordered again from a new one.
    if (!server_ || !server_.order(order, board_memory_.file(), arena_memory_.file(), bell_.get())) break;
  }
}

// The slot's call has left it.
void ProcessPool::release_slot(std::uint32_t slot) {
  HeldCall& held = held_[slot];
  if (held.call_room) call_arena_.release(*held.call_room);
  if (held.result_room) result_arena_.release(*held.result_room);
  std::erase(wanting_room_, slot);
  held = HeldCall();
  free_slots_.push_back(slot);
}

// --- Cancel.

bool ProcessPool::cancel(FutureState& state) {
  check_generation(generation_);
  Task task;  // Dropped without the lock.
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (state.is_done()) return false;
    if (state.remote_place >= 0) {
      const auto slot = static_cast<std::uint32_t>(state.remote_place);
      HeldCall& held = held_[slot];
      if (!held.task || &held.task.state() != &state || !cancel_call(board(), slot, held.ticket)) return false;
      task = std::move(held.task);
      state.mark_cancelled();
      release_slot(slot);
      fill_board(settled);
      untold_ += settled.size();
    } else if (!state.mark_cancelled()) {
      return false;
    }
  }
  ring_collector();
  tell(std::move(settled));
  return true;
}

void ProcessPool::look(FutureState& state) {
  if (generation_ != fork_generation()) return;
  sync::mutex_lock lock(mutex_);
  if (state.remote_place < 0) return;
  const auto slot = static_cast<std::uint32_t>(state.remote_place);
  const HeldCall& held = held_[slot];
  if (!held.task || &held.task.state() != &state) return;
  const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
  if (word.ticket == held.ticket && word.phase != SlotPhase::kPending && word.phase != SlotPhase::kFree) {
    state.follow_start();
  }
}

// --- Shutdown.

void ProcessPool::ring_collector() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(bell_.get(), &one, sizeof(one));
}

void ProcessPool::cancel_all_pending(TaskQueue& cancelled) {
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    HeldCall& held = held_[slot];
    if (!held.task || !cancel_call(board(), slot, held.ticket)) continue;
    held.task.mark_cancelled();
    cancelled.push_back(std::move(held.task));
    release_slot(slot);
  }
  for (WaitingCall& call : std::exchange(waiting_, {})) {
    if (call.task.mark_cancelled()) cancelled.push_back(std::move(call.task));
  }
}

std::size_t ProcessPool::close_intake(bool cancel_futures) {
  TaskQueue cancelled;
  {
    sync::mutex_lock lock(mutex_);
    intake_open_ = false;
    if (cancel_futures) cancel_all_pending(cancelled);
  }
  ring_collector();
  const std::size_t count = cancelled.size();
  cancelled.announce_cancelled();
  return count;
}

ProcessPool::Progress ProcessPool::shutdown(const ShutdownOptions& options) {
  check_generation(generation_);
  const sync::deadline until = options.timeout.deadline();
  const std::size_t cancelled = close_intake(options.cancel_futures);
  if (!options.wait) {
    sync::mutex_lock lock(mutex_);
    left_to_itself_ = true;
    return {.all_done = ended_, .cancelled = cancelled};
  }
  if (is_own_thread()) {
    throw DeadlockError("shutdown with wait in a done callback of the executor would wait for itself");
  }
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
  check_generation(generation_);
  close_intake(/*cancel_futures=*/true);
  {
    sync::mutex_lock lock(mutex_);
    if (ending_ == nullptr) {
      ending_ = std::make_exception_ptr(BrokenProcessPool(
          signal == SIGKILL ? "the pool's workers were killed" : "the pool's workers were terminated"));
    }
    for (const auto& [number, worker] : workers_) {
      if (worker.pidfd) syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signal, nullptr, 0);
    }
  }
  ring_collector();
  if (!is_own_thread()) await_end(std::nullopt);
}

std::vector<pid_t> ProcessPool::worker_pids() {
  check_generation(generation_);
  sync::mutex_lock lock(mutex_);
  std::vector<pid_t> pids;
  for (const auto& [number, worker] : workers_) {
    if (worker.life == Worker::Life::kAlive) pids.push_back(worker.pid);
  }
  return pids;
}

void ProcessPool::close_at_exit() {
  if (options_.exit_policy != ExitPolicy::kAbandon) close_intake(options_.exit_policy == ExitPolicy::kCancelPending);
}

void ProcessPool::wait_at_exit() {
  // std::exit in a done callback runs on a thread of the pool, which must not wait for itself.
  if (options_.exit_policy != ExitPolicy::kAbandon && !is_own_thread()) await_end(std::nullopt);
}

// --- The announcer.

void ProcessPool::announce() {
  for (;;) {
    Announcement next;
    {
      sync::mutex_lock lock(mutex_);
      while (announcements_.empty() && !collector_ended_) announcer_work_.wait(mutex_);
      if (announcements_.empty()) {
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
