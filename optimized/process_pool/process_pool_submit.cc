// How calls come to the boards: submit, and the way on from the line of those that wait.
#include <signal.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include <cxxabi.h>

#include "absl/strings/str_cat.h"
#include "futures/encoding/call_vtable.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "optimized/process_pool/process_pool.h"

namespace futures::internal {
namespace {

// Freed payload pages that stay ready for the next payload.
constexpr std::uint64_t kKeptBytes = std::uint64_t{128} << 20;

// How long after the first call the collector takes its first second look, at most.
constexpr std::chrono::nanoseconds kFirstLook = std::chrono::milliseconds(100);

}  // namespace

void ProcessPool::check_open() {
  if (broken_ != nullptr) std::rethrow_exception(broken_);
  if (!intake_open_) throw ShutdownError();
}

void ProcessPool::check_intake() {
  check_process();
  sync::mutex_lock lock(mutex_);
  check_open();
}

// Where a call is encoded to: a slot's worth at hand, and beyond that its room in the arena. Only if there is none now,
// or others wait for some, or it is not known yet whose arena it will be, memory of the program's, from where it is
// copied when its turn comes.
class ProcessPool::CallSink final : public EncodeSink {
 public:
  // `kept` is given the board where the call gets room: the pool may end before the call is in line.
  CallSink(ProcessPool& pool, WaitingCall& call, std::shared_ptr<Board>& kept)
      : EncodeSink(inline_bytes_), pool_(pool), call_(call), kept_(kept) {}

  std::span<char> block(std::size_t bytes) override {
    kept_ = pool_.board_with_room();
    if (kept_ != nullptr) {
      call_.room = kept_->room_for_call(bytes).room;
      if (call_.room) return kept_->use(call_.room);
    }
    call_.encoded.resize(bytes);
    return {call_.encoded.data(), bytes};
  }

  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>& memory) override {
    const std::shared_ptr<Board> board = pool_.shared_board();
    const std::optional<std::uint64_t> place = board == nullptr ? std::nullopt : board->place_of(*memory);
    if (place && std::find(call_.buffers.begin(), call_.buffers.end(), memory) == call_.buffers.end()) {
      call_.buffers.push_back(memory);
    }
    return place;
  }
  std::shared_ptr<BufferMemory> at(std::uint64_t, std::uint64_t) override {
    return nullptr;
  }  // There is nothing to decode.

  // The call has been encoded.
  void keep(std::size_t bytes) {
    call_.bytes = bytes;
    if (bytes <= kInlineBytes) call_.encoded.assign(inline_bytes_.data(), inline_bytes_.data() + bytes);
  }

 private:
  ProcessPool& pool_;
  WaitingCall& call_;
  std::shared_ptr<Board>& kept_;
  std::array<char, kInlineBytes> inline_bytes_;
};

// Returns why the call cannot be encoded; null if it is.
std::exception_ptr ProcessPool::encode_call(const Task& task, WaitingCall& call, std::shared_ptr<Board>& kept) {
  try {
    const CallVtable* const vtable = task.state().call_vtable();
    if (vtable == nullptr) {
      throw SerializationError(
          "the call cannot travel to another process: its callable, an argument or the result is of a type that "
          "cannot, "
          "or futures/encoding/encoding.h is not included where submit is called");
    }
    call.run = name_of(reinterpret_cast<const void*>(vtable->run));
    CallSink sink(*this, call, kept);
    sink.keep(task.state().encode(sink));
    return nullptr;
  } catch (abi::__forced_unwind&) {
    throw;  // The thread ends (pthread_exit, pthread_cancel), and with it this submit.
  } catch (const SerializationError&) {
    return std::current_exception();
  } catch (const std::exception& e) {
    return std::make_exception_ptr(SerializationError(absl::StrCat("the call could not be encoded: ", e.what())));
  } catch (...) {
    return std::make_exception_ptr(SerializationError("the call could not be encoded"));
  }
}

void ProcessPool::schedule(Task task) {
  check_process();
  std::shared_ptr<Board> kept;  // Longer than the call, which may have room there.
  WaitingCall call;
  const std::exception_ptr refusal = encode_call(task, call, kept);
  if (refusal != nullptr) {
    {
      sync::mutex_lock lock(mutex_);
      give_back_room(call);
      check_open();
    }
    task.fail(refusal);  // Law P3: this future alone.
    return;
  }
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (!intake_open_ || broken_ != nullptr) give_back_room(call);
    check_open();
    task.state().set_remote_owner(shared_from_this());
    call.task = std::move(task);
    call.sequence = next_sequence_++;
    get_in_line(std::move(call), settled);
  }
  tell(settled);
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
  return boards_.empty() ? nullptr : boards_[0];
}

// Where a call may take room before its turn; null if it is not known, or if the first in line waits for room itself.
std::shared_ptr<Board> ProcessPool::board_with_room() {
  if (is_isolated()) return nullptr;
  sync::mutex_lock lock(mutex_);
  return boards_.empty() || (waits_for_room_ && !waiting_.empty()) ? nullptr : boards_[0];
}

std::shared_ptr<BufferMemory> ProcessPool::make_buffer(std::size_t bytes) {
  check_process();
  const std::shared_ptr<Board> board = shared_board();
  return board == nullptr ? nullptr : board->make_buffer(bytes);
}

void ProcessPool::add_board(std::uint16_t number) {
  const std::uint64_t kept_bytes =
      is_isolated() ? kKeptBytes / static_cast<std::uint64_t>(options_.max_workers->value()) : kKeptBytes;
  const auto workers_max = static_cast<std::uint32_t>(options_.max_workers->value());
  auto board = std::make_shared<Board>(number == 0 ? kSlotsAhead + workers_max : 1, number, options_.payload_bytes_max,
                                       kept_bytes);
  board->calls().parent_sleeps.store(wants_rings_ ? 1 : 0, std::memory_order_seq_cst);
  if (boards_.size() <= number) boards_.resize(number + 1u);
  boards_[number] = std::move(board);
}

// Behind all that wait. Where nobody does (law E5), on a board at once: the line's memory costs as much as the rest.
void ProcessPool::get_in_line(WaitingCall call, std::vector<Settled>& settled) {
  Board* const board = waiting_.empty() ? next_board() : nullptr;
  if (board == nullptr || !put_on_board(*board, call, settled)) waiting_.push_back(std::move(call));
  hand_out(settled);
}

void ProcessPool::hand_out(std::vector<Settled>& settled) {
  if (const std::exception_ptr& over = broken_ != nullptr ? broken_ : ending_; over != nullptr)
    fail_waiting(over, settled);
  while (!waiting_.empty()) {
    if (waiting_.front().task.state().is_done()) {
      waiting_.pop_front();  // Cancelled.
      continue;
    }
    Board* const board = next_board();
    if (board == nullptr) break;
    if (put_on_board(*board, waiting_.front(), settled)) {
      waiting_.pop_front();
    } else if (!waits_for_room_ || !reclaim_rooms()) {
      break;
    }
  }
  order_workers(settled);
  if (!waiting_.empty() || calls_on_boards_ > 0) expect_calls();
}

// No worker will take them.
void ProcessPool::fail_waiting(const std::exception_ptr& error, std::vector<Settled>& settled) {
  for (WaitingCall& call : std::exchange(waiting_, {})) {
    if (!call.task.state().is_done()) settle({.task = std::move(call.task), .error = error}, settled);
  }
}

// The first call waits for room, and calls behind it have some: workers that idle would wait with it for what runs, and
// what runs perhaps for it. They give it back, and what they were encoded to waits elsewhere. Returns whether any did.
bool ProcessPool::reclaim_rooms() {
  bool reclaimed = false;
  for (WaitingCall& call : waiting_) {
    if (!call.room) continue;
    try {
      const std::span<char> encoded = boards_[0]->bytes_of(call.room).first(call.bytes);
      if (!call.task.state().is_done()) call.encoded.assign(encoded.begin(), encoded.end());
    } catch (const std::bad_alloc&) {
      continue;
    }
    call.room = Arena::Room();
    reclaimed = true;
  }
  return reclaimed;
}

// There are calls, and so there will be second looks. A collector that sleeps without knowing is not woken for that
// now, when the call's worker is.
void ProcessPool::expect_calls() {
  calls_since_look_ = true;
  if (collector_sleeps_ && !will_look_) {
    const std::chrono::nanoseconds first = std::min(kFirstLook, options_.call_timeout.value_or(10 * kFirstLook) / 10);
    const itimerspec once = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = std::max<long>(first.count(), 1)}};
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
  waits_for_room_ = false;
  FutureState& state = call.task.state();
  switch (board.put(call, slot)) {
    case Board::Put::kRoomLater:
      waits_for_room_ = true;
      return false;
    case Board::Put::kLater:
      // The only call of its worker has slot and room for itself. What is full is the ring: of calls that were
      // cancelled again, and the worker did not even pass them, or made up that it did not.
      if (board.worker() == 0) return false;
      kill_worker(workers_.find(board.worker())->second, SIGKILL);
      idle_.pop_back();
      return false;
    case Board::Put::kNoRoom:
      settle({.task = std::move(call.task),
              .error = std::make_exception_ptr(SerializationError(
                  absl::StrCat("the encoded call has ", call.bytes, " bytes, and there is no room for that: ",
                               "payload_bytes_max is ", options_.payload_bytes_max, ", or memory is short")))},
             settled);
      return true;
    case Board::Put::kDone:
      break;
  }
  ++calls_on_boards_;
  state.remote_slot = static_cast<std::int32_t>(board.worker() * kSlots + slot);
  if (board.worker() != 0) {
    idle_.pop_back();
    ++workers_.find(board.worker())->second.calls_given;
  }
  return true;
}

// The worker gives back a call of its own board that it has not taken. Where calls are counted that is one of them:
// whether it took the call is its own word, and it gets no other one for it (law P11).
void ProcessPool::not_taken(const Board& board) {
  if (board.worker() == 0 || options_.max_calls_per_worker == 0) return;
  const auto worker = workers_.find(board.worker());
  if (worker == workers_.end()) return;
  set_aside(worker->second, sync::clock::now());
  kill_worker(worker->second, SIGKILL);
}

// The worker, which has not taken the call of its own board, gets no other one for now.
void ProcessPool::set_aside(Worker& worker, sync::clock::time_point now) {
  worker.is_ready = false;
  worker.left_a_call_at = now;
}

// The call leaves its slot, which is free for the next one.
Task ProcessPool::release(Board& board, std::uint32_t slot) {
  --calls_on_boards_;
  Task task = board.release(slot);
  task.state().remote_slot = -1;
  if (board.worker() != 0) offer(board.worker());
  return task;
}

// The worker has died before it took the call, or does not take it: it is as it was before.
void ProcessPool::take_back(Board& board, std::uint32_t slot) {
  --calls_on_boards_;
  WaitingCall call = board.take_back(slot);
  call.task.state().remote_slot = -1;
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
  if (worker.life != Worker::Life::kAlive || !worker.is_ready || (calls_max > 0 && worker.calls_given >= calls_max))
    return;
  idle_.push_back(number);
}

}  // namespace futures::internal
