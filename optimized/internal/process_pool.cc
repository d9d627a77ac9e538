#include "optimized/internal/process_pool.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/wire_call.h"

namespace futures::internal {
namespace {

// Freed payload pages that stay ready for the next payload.
constexpr std::uint64_t kKeptBytes = std::uint64_t{128} << 20;

// How long after the first call the collector takes its first second look, at most.
constexpr std::chrono::nanoseconds kFirstLook = std::chrono::milliseconds(100);

// The pool that this thread belongs to.
thread_local const ProcessPool* current_pool = nullptr;

}  // namespace

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
  sync::mutex_lock lock(pool->mutex_);
  // The server first: kFork needs the program to have one thread.
  pool->start_server();
  pool->watch(pool->bell_.get(), News::kBell);
  pool->watch(pool->timer_.get(), News::kBell);
  if (!pool->is_isolated()) pool->add_board(0);
  pool->start_announcer();
  try {
    pool->collector_ = sync::thread::start({.name = "collector"}, [pool] {
      current_pool = pool.get();
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
    : options_(options),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!bell_ || !timer_ || !epoll_) throw std::system_error(errno, std::generic_category(), "cannot set up a pool of processes");
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

// Where a call is encoded to: a slot's worth at hand, and beyond that its room in the arena. Only if there is none now, or
// it is not known yet whose arena it will be, memory of the program's, from where it is copied when its turn comes.
class ProcessPool::CallRoom final : public WireRoom {
 public:
  CallRoom(ProcessPool& pool, WaitingCall& call) : WireRoom(at_hand_), pool_(pool), call_(call) {}

  std::span<char> get(std::size_t bytes) override {
    if (const std::shared_ptr<Board> board = pool_.shared_board()) {
      call_.room = board->room_for_call(bytes);
      if (call_.room) return board->use(call_.room);
    }
    call_.encoded.resize(bytes);
    return call_.encoded;
  }

  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) override {
    const std::shared_ptr<Board> board = pool_.shared_board();
    const std::optional<std::uint64_t> place = board == nullptr ? std::nullopt : board->place_of(*memory);
    if (place && std::find(call_.buffers.begin(), call_.buffers.end(), memory) == call_.buffers.end()) {
      call_.buffers.push_back(memory);
    }
    return place;
  }
  std::shared_ptr<BufferMemory> at(std::uint64_t, std::uint64_t) override { return nullptr; }  // There is nothing to decode.

  // The call has been encoded.
  void keep(std::size_t bytes) {
    call_.bytes = bytes;
    if (bytes <= kInlineBytes) call_.encoded.assign(at_hand_.data(), bytes);
  }

 private:
  ProcessPool& pool_;
  WaitingCall& call_;
  std::array<char, kInlineBytes> at_hand_;
};

// Returns why the call cannot be encoded; null if it is.
std::exception_ptr ProcessPool::encode_call(const Task& task, Encode encode, WaitingCall& call) {
  try {
    const WireCall* const wire = task.state().wire_call();
    if (wire == nullptr) {
      throw SerializationError(
          "the call cannot travel to another process: its callable, an argument or the result is of a type that cannot, "
          "or futures/encoding.h is not included where submit is called");
    }
    call.run = name_of(reinterpret_cast<const void*>(wire->run));
    CallRoom room(*this, call);
    room.keep(encode(room));
    return nullptr;
  } catch (const SerializationError&) {
    return std::current_exception();
  } catch (const std::exception& e) {
    return std::make_exception_ptr(SerializationError(absl::StrCat("the call could not be encoded: ", e.what())));
  } catch (...) {
    return std::make_exception_ptr(SerializationError("the call could not be encoded"));
  }
}

void ProcessPool::schedule(Task task, Encode encode) {
  check_generation(generation_);
  WaitingCall call;
  const std::exception_ptr refusal = encode_call(task, encode, call);
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (refusal != nullptr || !intake_open_ || broken_ != nullptr) give_back_room(call);
    check_open();
    if (refusal == nullptr) {
      task.state().decide_remotely(shared_from_this());
      call.task = std::move(task);
      call.sequence = next_sequence_++;
      waiting_.push_back(std::move(call));
      hand_out(settled);
      untold_ += settled.size();
    }
  }
  if (refusal != nullptr) task.fail(refusal);  // Law P3: this future alone.
  tell(std::move(settled));
}

// Of a call that does not get in line. Others may wait for it.
void ProcessPool::give_back_room(WaitingCall& call) {
  if (!call.room) return;
  call.room = Arena::Room();
  ring_collector();
}

// The one of all workers; null if each has its own.
std::shared_ptr<Board> ProcessPool::shared_board() {
  if (is_isolated()) return nullptr;
  sync::mutex_lock lock(mutex_);
  return boards_[0];
}

std::shared_ptr<BufferMemory> ProcessPool::make_buffer(std::size_t bytes) {
  check_generation(generation_);
  const std::shared_ptr<Board> board = shared_board();
  return board == nullptr ? nullptr : board->make_buffer(bytes);
}

void ProcessPool::add_board(std::uint16_t number) {
  const std::uint64_t kept_bytes = is_isolated() ? kKeptBytes / static_cast<std::uint64_t>(*options_.max_workers) : kKeptBytes;
  auto board = std::make_shared<Board>(number == 0 ? kSlots : 1, number, options_.payload_bytes_max, kept_bytes);
  board->calls().parent_sleeps.store(wants_rings_ ? 1 : 0, std::memory_order_seq_cst);
  if (boards_.size() <= number) boards_.resize(number + 1u);
  boards_[number] = std::move(board);
}

void ProcessPool::hand_out(std::vector<Settled>& settled) {
  while (!waiting_.empty()) {
    if (waiting_.front().task.state().is_done()) {
      waiting_.pop_front();  // Cancelled.
      continue;
    }
    Board* const board = next_board();
    if (board == nullptr) break;
    if (put_on_board(*board, waiting_.front(), settled)) {
      waiting_.pop_front();
    } else if (calls_on_boards_ > 0 || !reclaim_rooms()) {
      break;
    }
  }
  order_workers(settled);
  if (!waiting_.empty() || calls_on_boards_ > 0) expect_calls();
}

// The first call waits for room, and none will be given back: calls behind it have it all. They give it back, and what they
// were encoded to waits elsewhere. Returns whether any did.
bool ProcessPool::reclaim_rooms() {
  bool reclaimed = false;
  for (WaitingCall& call : waiting_) {
    if (!call.room) continue;
    call.encoded.assign(boards_[0]->bytes_of(call.room).data(), call.bytes);
    call.room = Arena::Room();
    reclaimed = true;
  }
  return reclaimed;
}

// There are calls, and so there will be second looks. A collector that sleeps without knowing is not woken for that now, when
// the call's worker is.
void ProcessPool::expect_calls() {
  calls_since_look_ = true;
  if (collector_sleeps_ && !will_look_) {
    const itimerspec once = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = kFirstLook.count()}};
    timerfd_settime(timer_.get(), 0, &once, nullptr);
  }
  will_look_ = true;
}

// Where the next call goes; null if it has to wait.
Board* ProcessPool::next_board() {
  if (is_isolated()) return idle_.empty() ? nullptr : boards_[idle_.back()].get();
  return boards_[0].get();
}

// Returns false if the call has to wait.
bool ProcessPool::put_on_board(Board& board, WaitingCall& call, std::vector<Settled>& settled) {
  std::uint32_t slot = 0;
  FutureState& state = call.task.state();
  switch (board.put(call, slot)) {
    case Board::Put::kLater:
      // The only call of its worker has slot and room for itself. What is full is the ring: of calls that were cancelled
      // again, and the worker did not even pass them, or made up that it did not.
      if (board.worker() == 0) return false;
      kill_worker(workers_.find(board.worker())->second, SIGKILL);
      idle_.pop_back();
      return false;
    case Board::Put::kNoRoom:
      settled.push_back({.task = std::move(call.task),
                         .error = std::make_exception_ptr(SerializationError(absl::StrCat(
                             "the encoded call has ", call.bytes, " bytes, and there is no room for that: ",
                             "payload_bytes_max is ", options_.payload_bytes_max, ", or memory is short")))});
      settled.back().task.state().follow_start();  // As in take_outcome.
      return true;
    case Board::Put::kDone:
      break;
  }
  ++calls_on_boards_;
  state.remote_place = static_cast<std::int32_t>(board.worker() * kSlots + slot);
  if (board.worker() != 0) {
    idle_.pop_back();
    ++workers_.find(board.worker())->second.calls_given;
  }
  return true;
}

// As many workers as there are calls for them, at most max_workers.
void ProcessPool::order_workers(std::vector<Settled>& settled) {
  while (broken_ == nullptr && ending_ == nullptr && workers_.size() < waiting_.size() + calls_on_boards_ &&
         workers_.size() < static_cast<std::size_t>(*options_.max_workers) && sync::clock::now() >= next_order_) {
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
  worker.bell = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  watch(worker.bell.get(), News::kBell);
  if (is_isolated()) add_board(number);
  const Board& board = *boards_[is_isolated() ? number : 0];
  if (number >= board.calls().workers_end.load(std::memory_order_relaxed)) {
    board.calls().workers_end.store(number + 1u, std::memory_order_relaxed);
  }
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

// A call that its worker has not taken is not one of the calls that it was given.
void ProcessPool::forgive(const Board& board) {
  if (board.worker() == 0) return;
  if (const auto worker = workers_.find(board.worker()); worker != workers_.end()) --worker->second.calls_given;
}

// The call leaves its slot, which is free for the next one.
Task ProcessPool::release(Board& board, std::uint32_t slot) {
  --calls_on_boards_;
  Task task = board.release(slot);
  task.state().remote_place = -1;
  if (board.worker() != 0) offer(board.worker());
  return task;
}

// The worker has died before it took the call, or does not take it: it is as it was before.
void ProcessPool::take_back(Board& board, std::uint32_t slot) {
  --calls_on_boards_;
  WaitingCall call = board.take_back(slot);
  call.task.state().remote_place = -1;
  const auto behind = std::find_if(waiting_.begin(), waiting_.end(),
                                   [&call](const WaitingCall& other) { return other.sequence > call.sequence; });
  waiting_.insert(behind, std::move(call));
}

// A worker with a board of its own gets a next call, unless it has had its last.
void ProcessPool::offer(std::uint16_t number) {
  const auto entry = workers_.find(number);
  if (entry == workers_.end()) return;
  const Worker& worker = entry->second;
  const std::uint64_t calls_max = options_.max_calls_per_worker;
  if (worker.life != Worker::Life::kAlive || !worker.is_ready || (calls_max > 0 && worker.calls_given >= calls_max)) return;
  idle_.push_back(number);
}

// Where the call is, if it is on a board.
std::optional<ProcessPool::Spot> ProcessPool::spot_of(const FutureState& state) {
  if (state.remote_place < 0) return std::nullopt;
  const std::size_t number = static_cast<std::size_t>(state.remote_place) / kSlots;
  const std::uint32_t slot = static_cast<std::uint32_t>(state.remote_place) % kSlots;
  return Spot{.board = boards_[number], .slot = slot};
}

std::vector<ProcessPool::Spot> ProcessPool::held_calls() {
  std::vector<Spot> held;
  for (const std::shared_ptr<Board>& board : boards_) {
    for (std::uint32_t slot = 0; board != nullptr && slot < board->slots(); ++slot) {
      if (board->holds(slot)) held.push_back({.board = board, .slot = slot});
    }
  }
  return held;
}

// --- Cancel.

bool ProcessPool::cancel(FutureState& state) {
  check_generation(generation_);
  Task task;  // Dropped without the lock.
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (state.has_left_pending()) return false;
    if (const std::optional<Spot> spot = spot_of(state)) {
      if (!spot->board->cancel(spot->slot)) return false;
      forgive(*spot->board);
      task = release(*spot->board, spot->slot);
      state.mark_cancelled();
      hand_out(settled);
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
  const std::optional<Spot> spot = spot_of(state);
  if (!spot) return;
  const std::optional<Board::Seen> seen = spot->board->see(spot->slot);
  if (seen && seen->phase != SlotPhase::kPending) state.follow_start();
}

// --- Shutdown.

void ProcessPool::ring_collector() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(bell_.get(), &one, sizeof(one));
}

void ProcessPool::cancel_all_pending(TaskQueue& cancelled) {
  for (const auto& [board, slot] : held_calls()) {
    if (board->has_started(slot) || !board->cancel(slot)) continue;
    forgive(*board);
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
    ending_signal_ = signal;
    for (auto& [number, worker] : workers_) kill_worker(worker, signal);
    kill_at_ = sync::clock::now() + (signal == SIGKILL ? std::chrono::nanoseconds(0) : options_.terminate_grace);
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
  if (options_.exit_policy == ExitPolicy::kAbandon) return;
  // A thread of the pool must not wait for itself.
  if (!is_own_thread() || resign()) await_end(std::nullopt);
}

// --- The announcer.

// A thread's time as the announcer. If a callback ends the thread (pthread_exit), another one follows it.
class ProcessPool::Announcing {
 public:
  explicit Announcing(ProcessPool& pool) : pool_(pool) {}
  ~Announcing() {
    if (is_over || pool_.belongs_to_another_process()) return;
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
      current_pool = pool.get();
      pool->announce();
    });
  } catch (const std::system_error&) {
    announcer_ = std::move(*before);
    throw;
  }
}

// std::exit in a done callback: the announcer never comes back from it. Another one takes its place, and this thread is none
// of the pool's any more. Returns whether that is so.
bool ProcessPool::resign() {
  sync::mutex_lock lock(mutex_);
  if (!announcer_.is_current()) return false;
  announcer_.detach();
  try {
    start_announcer();
  } catch (const std::system_error&) {
    return false;
  }
  current_pool = nullptr;
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
