// The collector's work on the board: results, room for results, and the end of the pool.
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/exception_wire.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "optimized/process_pool/process_pool.h"

namespace futures::internal {
namespace {

// How often the collector looks at the board before it sleeps; as for workers (call_board.cc).
constexpr int kLooksBeforeSleep = 1000;

// A worker that leaves so many calls to others, one after the other, is replaced: none is lost with it. Fewer: workers
// are replaced where a machine is too busy to let them run.
constexpr int kCallsLeftMax = 3;

// A call that is left so often, beyond once by each worker, makes workers leave it. Fewer: one could be lost on a
// machine that is too busy; more: it holds up those behind it for longer.
constexpr int kTimesLeftMax = 32;

// When all calls are done, workers have nothing to do but to write out what they have printed. Shorter: one that is
// held up at that loses it. Longer: a pool ends later whose worker does not leave.
constexpr std::chrono::seconds kLeavePatience{5};

}  // namespace

void ProcessPool::collect() {
  std::vector<Settled> settled;
  for (;;) {
    bool found = false;
    {
      sync::mutex_lock lock(mutex_);
      found = look_at_boards(settled);
      if (server_spoke_) hear_from_server(settled);
      keep_deadlines();
      look_for_ready_workers();
      settle_ended_workers(settled);
      release_held_back(settled);
      look_again(settled);
      hand_out(settled);
      if (settled.empty() && is_over()) {
        collector_ended_ = true;
        announcer_work_.notify_all();
        release_memory();
        break;
      }
    }
    const bool told = !settled.empty();
    tell(settled);
    if (found || told) {
      hear(0);  // However busy the workers are, deaths and births among them are heard of.
    } else {
      wait_for_news();
    }
  }
}

// Futures of its calls may keep the pool for long.
void ProcessPool::release_memory() {
  boards_.clear();
  watched_.clear();
  bell_ = Descriptor();
  timer_ = Descriptor();
  epoll_ = Descriptor();
}

bool ProcessPool::look_at_boards(std::vector<Settled>& settled) {
  bool found = false;
  for (std::size_t number = 0; number < boards_.size(); ++number) {
    const std::shared_ptr<Board> board = boards_[number];  // Kept: its worker may turn out not to have been started.
    if (board == nullptr) continue;
    for (const std::uint32_t slot : board->in_order(board->take_done())) {
      found = true;
      look_at_slot(*board, slot, settled);
    }
    board->provide_waiting_rooms();
  }
  return found;
}

void ProcessPool::look_at_slot(Board& board, std::uint32_t slot, std::vector<Settled>& settled) {
  const std::optional<Board::Seen> seen = board.see(slot);
  if (!seen) return;
  if (seen->phase == SlotPhase::kWantsRoom) board.provide_room(slot);
  if (seen->phase == SlotPhase::kDone) take_result(board, slot, seen->owner, settled);
}

// The vector with the outcomes of this worker's earlier calls that have been taken and not told yet; null if there are
// none. Nobody may see its later ones done before.
const void* ProcessPool::untold_by(std::uint16_t owner) {
  const auto worker = workers_.find(owner);
  return worker != workers_.end() && worker->second.untold > 0 ? worker->second.untold_by : nullptr;
}

void ProcessPool::take_result(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled) {
  // A reader would tell it before these, or have it wait for them and let the worker's next one pass: what it has read
  // is dropped.
  const void* const before = untold_by(owner);
  std::vector<Settled>& takers = before == &settled ? settled : takers_of(board, slot, settled);
  if (before == nullptr || before == &takers) return take_outcome(board, slot, owner, takers);
  const auto is_this = [&](const Spot& spot) { return spot.board.get() == &board && spot.slot == slot; };
  if (std::any_of(postponed_.begin(), postponed_.end(), is_this)) return;
  postponed_.push_back({.board = boards_[board.worker()], .slot = slot});
}

// With what the same worker has delivered before.
void ProcessPool::take_results_until(Board& board, std::uint32_t slot, std::uint16_t owner,
                                     std::vector<Settled>& settled) {
  for (const std::uint32_t earlier : board.done_before(slot, owner)) {
    take_result(board, earlier, owner, settled);
    board.forget_done(earlier);
  }
  take_result(board, slot, owner, settled);
}

void ProcessPool::take_outcome(Board& board, std::uint32_t slot, std::uint16_t owner, std::vector<Settled>& settled) {
  // A hostile worker need not wait to be admitted: that it has started may be unread.
  if (const auto worker = workers_.find(owner);
      worker != workers_.end() && worker->second.life == Worker::Life::kOrdered) {
    if (hear_from_server(settled)) ring_collector();
  }
  if (!board.holds(slot)) return;  // The pool broke at that.
  // From here on nothing of this call may be lost for want of memory.
  if (settled.size() == settled.capacity()) settled.reserve(2 * settled.size() + 8);
  Settled outcome;
  Board::Result& result = outcome.result;
  try {
    result = board.take_result(slot);
  } catch (const std::bad_alloc&) {
    result.error = "there is no memory for the encoded result";
  }
  if (result.error != nullptr) outcome.error = std::make_exception_ptr(SerializationError(result.error));
  outcome.board = boards_[board.worker()];
  if (const auto worker = workers_.find(owner); worker != workers_.end()) {
    worker->second.has_taken_calls = true;
    worker->second.calls_left = 0;
    outcome.worker_pid = worker->second.pid;
    outcome.owner = owner;
    outcome.owner_serial = worker->second.serial;
    if (&settled != &held_back_) {
      ++worker->second.untold;
      worker->second.untold_by = &settled;
    }
  }
  useless_deaths_ = 0;
  note_delivery(board, slot, result);
  outcome.task = release(board, slot);
  settle(std::move(outcome), settled);
}

// The call has an outcome, which is on its way from here: no cancel may find it pending any more.
void ProcessPool::settle(Settled outcome, std::vector<Settled>& settled) {
  outcome.task.state().mark_running_remotely();
  settled.push_back(std::move(outcome));
  ++untold_;
}

// The buffers that a call was given and asked for: of these its result may name any.
class ProcessPool::ResultBuffers final : public WireBuffers {
 public:
  ResultBuffers(const Board& board, const std::vector<std::shared_ptr<BufferMemory>>& buffers)
      : board_(board), buffers_(buffers) {}

  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>&) override { return std::nullopt; }
  std::shared_ptr<BufferMemory> at(std::uint64_t place, std::uint64_t bytes) override {
    for (const std::shared_ptr<BufferMemory>& buffer : buffers_) {
      if (board_.place_of(*buffer) == place && buffer->bytes().size() == bytes) return buffer;
    }
    return nullptr;
  }

 private:
  const Board& board_;
  const std::vector<std::shared_ptr<BufferMemory>>& buffers_;
};

namespace {

// Whatever it is made of, there is an error, also where there is no memory for that one.
template <typename Make>
std::exception_ptr error_of(const Make& make) noexcept {
  try {
    return make();
  } catch (...) {
    return std::current_exception();
  }
}

std::exception_ptr undecodable(std::string_view why) {
  return std::make_exception_ptr(SerializationError(absl::StrCat("the result could not be decoded", why)));
}

}  // namespace

// What the worker delivered becomes the future's outcome. Runs code of the user: decoding. A shortage of memory is the
// outcome of this one call.
void ProcessPool::store_outcome(Settled& settled) {
  FutureState& state = settled.task.state();
  if (settled.error == nullptr) {
    try {
      std::string_view encoded = settled.result.encoded;
      if (settled.result.room != nullptr)
        encoded = {settled.board->use(*settled.result.room).data(), settled.result.bytes};
      if (settled.result.outcome == Outcome::kException) {
        // A copy: its fields are looked at more than once.
        settled.error = decode_exception(std::string(encoded), settled.worker_pid);
      } else if (settled.early != nullptr) {
        settled.early->store(state);
      } else {
        ResultBuffers buffers(*settled.board, settled.result.buffers);
        state.call_vtable()->store_result(state, encoded, buffers);
      }
    } catch (const SerializationError&) {
      settled.error = std::current_exception();
    } catch (const std::exception& e) {
      settled.error = error_of([&e] { return undecodable(absl::StrCat(": ", e.what())); });
    } catch (...) {
      settled.error = error_of([] { return undecodable(""); });
    }
  }
  if (settled.error != nullptr) state.set_exception(settled.error);
}

// What had to wait until these were told is looked at again.
void ProcessPool::note_told(const std::vector<Settled>& settled) {
  for (const Settled& s : settled) {
    const auto worker = workers_.find(s.owner);
    if (worker != workers_.end() && worker->second.serial == s.owner_serial) {
      --worker->second.untold;
    } else if (const auto dead = untold_of_dead_.find(s.owner_serial);
               dead != untold_of_dead_.end() && --dead->second == 0) {
      untold_of_dead_.erase(dead);
      ring_collector();
    }
  }
  if (postponed_.empty()) return;
  for (const Spot& spot : std::exchange(postponed_, {})) spot.board->say_done_again(spot.slot);
  ring_collector();
}

// The outcomes of dead workers whose earlier ones have been told meanwhile.
void ProcessPool::release_held_back(std::vector<Settled>& settled) {
  for (Settled& s : std::exchange(held_back_, {})) {
    if (untold_of_dead_.contains(s.owner_serial)) {
      held_back_.push_back(std::move(s));
    } else {
      s.owner_serial = 0;  // Nobody counts it any more.
      settled.push_back(std::move(s));
    }
  }
}

// Outside the lock: decoding and destructors are code of the user.
void ProcessPool::tell(std::vector<Settled>& settled) {
  if (settled.empty()) return;
  const sync::cancellation_block block;  // Nobody else has these outcomes.
  for (Settled& s : settled) {
    store_outcome(s);
    // Whoever sees the outcome may want the memory that it travelled in.
    s.result.buffers.clear();
    if (std::exchange(s.result.room, nullptr) != nullptr) {
      sync::mutex_lock lock(mutex_);
      s.board->provide_waiting_rooms();  // At once: the next outcome may take long to decode.
    }
    s.callbacks = s.task.state().publish_before_callbacks();
  }
  {
    sync::mutex_lock lock(mutex_);
    untold_ -= settled.size();
    note_told(settled);
    const std::size_t announcements_before = announcements_.size();
    for (Settled& s : settled) {
      if (s.callbacks != nullptr) announcements_.push_back({.task = std::move(s.task), .callbacks = s.callbacks});
    }
    if (announcements_.size() > announcements_before) announcer_work_.notify_all();
    // A client has told the last outcome, perhaps after the collector has looked whether anything can happen any more.
    if (untold_ == 0 && !intake_open_) ring_collector();
  }
  settled.clear();
}

// Whether nothing can happen any more. On the way there: no more calls, so the workers end; no more workers, so the
// server does.
bool ProcessPool::is_over() {
  const bool calls_left = !waiting_.empty() || calls_on_boards_ > 0 || untold_ > 0;
  const bool done = !intake_open_ && !calls_left;
  if ((done || broken_ != nullptr) && !boards_closed_) {
    boards_closed_ = true;
    for (const std::shared_ptr<Board>& board : boards_) {
      if (board == nullptr) continue;
      board->close();
      if (board->is_damaged()) kill_workers_of(*board);  // They may not see it.
    }
    for (auto& [number, worker] : workers_) {
      if (worker.left_a_call_at) kill_worker(worker, SIGKILL);  // It did not see that either.
    }
  }
  if (done && !leave_by_) leave_by_ = sync::clock::now() + kLeavePatience;
  if (!done || !workers_.empty()) return false;
  server_.end();
  return true;
}

std::optional<std::chrono::nanoseconds> ProcessPool::next_deadline() {
  std::optional<sync::clock::time_point> next;
  const auto consider = [&next](sync::clock::time_point at) { next = next ? std::min(*next, at) : at; };
  for (const std::uint16_t number : ended_workers_) consider(workers_.find(number)->second.settle_by);
  for (const auto& [number, worker] : workers_) {
    if (awaits_server(worker)) consider(answer_by(worker));
  }
  if (kill_at_) consider(*kill_at_);
  if (leave_by_) consider(*leave_by_);
  will_look_ = calls_on_boards_ > 0 || !waiting_.empty() || calls_since_look_;
  if (will_look_) consider(next_look_);
  if (!next) return std::nullopt;
  return std::max<std::chrono::nanoseconds>(*next - sync::clock::now(), std::chrono::nanoseconds::zero());
}

void ProcessPool::look_again(std::vector<Settled>& settled) {
  if (calls_on_boards_ == 0 && waiting_.empty() && !calls_since_look_) return;
  const sync::clock::time_point now = sync::clock::now();
  if (now < next_look_) return;
  const std::chrono::nanoseconds pause = options_.call_timeout ? *options_.call_timeout / 10 : kBetweenLooks;
  next_look_ = now + std::min(pause, kBetweenLooks);
  calls_since_look_ = false;
  for (const Spot& call : held_calls()) look_again_at(*call.board, call.slot, now, settled);
  for (const std::shared_ptr<Board>& board : boards_) {
    if (board == nullptr || !board->is_damaged()) continue;
    if (board->worker() == 0)
      return break_pool("a worker has damaged the memory that all workers share", true, settled);
    kill_workers_of(*board);
  }
  // A worker that was stopped, or writes nonsense, may seem about to take a call, and others were not woken for it.
  if (std::exchange(wake_workers_, false)) boards_[0]->wake_workers();
}

void ProcessPool::look_again_at(Board& board, std::uint32_t slot, sync::clock::time_point now,
                                std::vector<Settled>& settled) {
  const std::optional<Board::Seen> seen = board.see(slot);
  if (!seen) return;
  if (seen->phase == SlotPhase::kWantsRoom) board.provide_room(slot);
  if (seen->phase == SlotPhase::kDone) return take_results_until(board, slot, seen->owner, settled);
  if (seen->phase == SlotPhase::kPending) {
    if (board.has_started(slot)) return;  // The board is damaged.
    // A worker with a board of its own was ready when it got the call.
    const bool second_time = std::exchange(board.seen_pending(slot), true);
    if (second_time && board.worker() != 0) give_to_another(board, slot, now, settled);
    if (second_time && board.worker() == 0) wake_workers_ = true;
    return;
  }
  std::optional<sync::clock::time_point>& since = board.seen_running(slot);
  const auto owner = workers_.find(seen->owner);
  if (owner == workers_.end()) {
    return settle({.task = release(board, slot), .error = untaken_error()}, settled);
  }
  if (!since) since = now;
  if (owner->second.life != Worker::Life::kAlive)
    return;  // Its end is being settled; or it cannot have taken any call yet.
  if (!options_.call_timeout || now - *since < *options_.call_timeout || owner->second.timed_out) return;
  // Twice: it may want room just now. If it has not even ended, its worker writes there what it likes.
  if (!board.condemn(slot) && !board.condemn(slot)) {
    const std::optional<Board::Seen> ended = board.see(slot);
    if (ended && ended->phase == SlotPhase::kDone) return;
  }
  owner->second.timed_out = true;
  kill_worker(owner->second, SIGKILL);
}

// The worker does not take the call: it is stopped, perhaps. It gets no other one until it has passed this one.
void ProcessPool::give_to_another(Board& board, std::uint32_t slot, sync::clock::time_point now,
                                  std::vector<Settled>& settled) {
  const auto entry = workers_.find(board.worker());
  if (entry == workers_.end() || entry->second.life != Worker::Life::kAlive || !board.cancel(slot)) return;
  Worker& worker = entry->second;
  set_aside(worker, now);
  if (++worker.calls_left >= kCallsLeftMax || options_.max_calls_per_worker > 0) {
    kill_worker(worker, SIGKILL);  // See not_taken.
  } else {
    starting_.push_back(board.worker());
  }
  if (++board.times_left(slot) < kTimesLeftMax + options_.max_workers->value()) {
    take_back(board, slot);
  } else {
    settle({.task = release(board, slot), .error = untaken_error()}, settled);
  }
}

std::exception_ptr ProcessPool::untaken_error() {
  if (ending_ != nullptr) return ending_;
  return std::make_exception_ptr(BrokenProcessPool("the call was taken by no worker of the pool"));
}

void ProcessPool::wait_for_news() {
  {
    sync::mutex_lock lock(mutex_);
    watched_.clear();
    for (const std::shared_ptr<Board>& board : boards_) {
      if (board != nullptr) watched_.push_back(board);
    }
  }
  for (std::size_t look = 0; look < kLooksBeforeSleep; look += watched_.size() + 1) {
    for (const std::shared_ptr<Board>& board : watched_) {
      if (board->any_done()) return hear(0);
    }
    sync::pause();
  }
  std::optional<std::chrono::nanoseconds> timeout;
  {
    sync::mutex_lock lock(mutex_);
    timeout = next_deadline();
    collector_sleeps_ = true;
    be_rung();
  }
  hear(timeout ? static_cast<int>(std::min<std::int64_t>(timeout->count() / 1'000'000 + 1, 1'000'000)) : -1);
  sync::mutex_lock lock(mutex_);
  collector_sleeps_ = false;
  be_left_alone();
}

// Waits for news of workers' lives and for the bells, and notes the former.
void ProcessPool::hear(int timeout_ms) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count <= 0) return;
  sync::mutex_lock lock(mutex_);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t data = events[static_cast<std::size_t>(i)].data.u64;
    const auto news = static_cast<News>(data >> 16);
    if (news == News::kServer) server_spoke_ = true;
    if (news == News::kWorkerEnded) worker_ended(static_cast<std::uint16_t>(data));
  }
}

// Has workers ring from now on, if the collector sleeps and no client looks; rings for what was told meanwhile, also if
// other clients go on looking for theirs.
void ProcessPool::be_rung() {
  if (!collector_sleeps_) return;
  wants_rings_ = looking_clients_ == 0;
  bool any_done = false;
  for (const std::shared_ptr<Board>& board : boards_) {
    if (board == nullptr) continue;
    // Seq_cst, here and where workers ring: either they see that the parent sleeps, or this sees their bit.
    if (wants_rings_) board->calls().parent_sleeps.store(1, std::memory_order_seq_cst);
    any_done |= board->any_done();
  }
  if (any_done) ring_collector();
}

void ProcessPool::be_left_alone() {
  wants_rings_ = false;
  for (const std::shared_ptr<Board>& board : boards_) {
    if (board != nullptr) board->calls().parent_sleeps.store(0, std::memory_order_relaxed);
  }
}

}  // namespace futures::internal
