// The collector's work on the board: results, room for results, and the end of the pool.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/internal/exception_wire.h"
#include "futures/internal/wire_call.h"
#include "optimized/internal/process_pool.h"

namespace futures::internal {
namespace {

// How often the collector looks at the board before it sleeps; as for workers (call_board.cc).
constexpr int kLooksBeforeSleep = 1000;

bool any_done(CallBoard& board) {
  return std::any_of(board.done.begin(), board.done.end(),
                     [](const auto& bits) { return bits.load(std::memory_order_seq_cst) != 0; });
}

}  // namespace

void ProcessPool::collect() {
  for (;;) {
    std::vector<Settled> settled;
    bool found = false;
    {
      sync::mutex_lock lock(mutex_);
      found = look_at_board(settled);
      hear_from_server(settled);
      look_for_ended_workers(settled);
      kill_overdue_workers();
      provide_waiting_rooms();
      fill_board(settled);
      untold_ += settled.size();
      if (settled.empty() && is_over()) {
        collector_ended_ = true;
        announcer_work_.notify_all();
        break;
      }
    }
    const bool told = !settled.empty();
    tell(std::move(settled));
    if (!found && !told) wait_for_news();
  }
}

bool ProcessPool::look_at_board(std::vector<Settled>& settled) {
  bool found = false;
  for (std::uint32_t group = 0; group < kSlots / 64; ++group) {
    std::uint64_t bits = board().done[group].exchange(0, std::memory_order_acq_rel);
    found = found || bits != 0;
    for (; bits != 0; bits &= bits - 1) {
      look_at_slot(group * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)), settled);
    }
  }
  return found;
}

void ProcessPool::look_at_slot(std::uint32_t slot, std::vector<Settled>& settled) {
  const HeldCall& held = held_[slot];
  const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
  if (!held.task || word.ticket != held.ticket) return;
  if (word.phase == SlotPhase::kWantsRoom) provide_room(slot, word);
  if (word.phase == SlotPhase::kDone) take_result(slot, word, settled);
}

void ProcessPool::provide_room(std::uint32_t slot, SlotWord word) {
  HeldCall& held = held_[slot];
  const std::uint64_t bytes = board().slots[slot].result.bytes;  // Read once; nothing but a size to look for.
  if (held.result_room) return;
  if (bytes > options_.payload_bytes_max) {
    held.result_too_large = true;
  } else if (auto room = result_arena_.allocate(bytes)) {
    held.result_room = *room;
  } else if (!result_arena_.is_unused()) {
    if (std::find(wanting_room_.begin(), wanting_room_.end(), slot) == wanting_room_.end()) wanting_room_.push_back(slot);
    return;
  } else {
    held.result_too_large = true;  // No memory.
  }
  grant_room(board(), slot, word, held.result_too_large ? Place{.offset = Place::kInline, .bytes = 0} : *held.result_room);
}

void ProcessPool::provide_waiting_rooms() {
  for (const std::uint32_t slot : std::exchange(wanting_room_, {})) {
    const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
    if (held_[slot].task && word.ticket == held_[slot].ticket && word.phase == SlotPhase::kWantsRoom) {
      provide_room(slot, word);
    }
  }
}

void ProcessPool::take_result(std::uint32_t slot, SlotWord word, std::vector<Settled>& settled) {
  HeldCall& held = held_[slot];
  Slot& shared = board().slots[slot];
  const Place place = shared.result;  // Read once; believed only as far as it fits what the pool gave.
  Settled result{.task = std::move(held.task)};
  if (const auto worker = workers_.find(word.owner); worker != workers_.end()) {
    worker->second.has_taken_calls = true;
    result.worker_pid = worker->second.pid;
  }
  useless_deaths_ = 0;
  const bool is_inline = place.offset == Place::kInline && place.bytes <= kInlineBytes;
  const bool in_room = held.result_room && place.offset == held.result_room->offset && place.bytes <= held.result_room->bytes;
  if (held.result_too_large) {
    result.error = std::make_exception_ptr(SerializationError(absl::StrCat(
        "there is no room for the encoded result: payload_bytes_max is ", options_.payload_bytes_max,
        ", or memory is short")));
  } else if (is_inline || in_room) {
    const char* const from = is_inline ? shared.bytes.data() : arena_memory_.data() + place.offset;
    result.encoded.assign(from, place.bytes);  // Copied before it is looked at: the worker can still write there.
    result.outcome = shared.outcome == Outcome::kValue ? Outcome::kValue : Outcome::kException;
  } else {
    result.error = std::make_exception_ptr(SerializationError("the worker delivered a result that is nowhere"));
  }
  free_slot(board(), slot);
  release_slot(slot);
  settled.push_back(std::move(result));
}

// Outside the lock: decoding and destructors are code of the user.
void ProcessPool::tell(std::vector<Settled> settled) {
  std::vector<Announcement> announcements;
  for (Settled& s : settled) {
    FutureState& state = s.task.state();
    state.follow_start();
    if (s.error == nullptr && s.outcome == Outcome::kValue) {
      try {
        state.wire_call()->store_result(state, s.encoded);
      } catch (const SerializationError&) {
        s.error = std::current_exception();
      } catch (const std::exception& e) {
        s.error = std::make_exception_ptr(SerializationError(absl::StrCat("the result could not be decoded: ", e.what())));
      } catch (...) {
        s.error = std::make_exception_ptr(SerializationError("the result could not be decoded"));
      }
    } else if (s.error == nullptr) {
      s.error = decode_exception(s.encoded, s.worker_pid);
    }
    if (s.error != nullptr) state.set_exception(s.error);
    if (Callback* const callbacks = state.publish_before_callbacks()) {
      announcements.push_back({.task = std::move(s.task), .callbacks = callbacks});
    }
  }
  sync::mutex_lock lock(mutex_);
  untold_ -= settled.size();
  for (Announcement& announcement : announcements) announcements_.push_back(std::move(announcement));
  if (!announcements.empty()) announcer_work_.notify_all();
}

// Whether nothing can happen any more. On the way there: no more calls, so the workers end; no more workers, so the
// server does.
bool ProcessPool::is_over() {
  const bool calls_left = !waiting_.empty() || free_slots_.size() < kSlots || untold_ > 0;
  const bool done = !intake_open_ && !calls_left;
  if ((done || broken_ != nullptr) && !board_closed_) {
    board_closed_ = true;
    close_board(board());
  }
  if (!done || !workers_.empty()) return false;
  server_.reap();
  lives_.clear();
  return true;
}

std::optional<std::chrono::nanoseconds> ProcessPool::next_deadline() {
  std::optional<sync::clock::time_point> next;
  const auto consider = [&next](sync::clock::time_point at) { next = next ? std::min(*next, at) : at; };
  const bool calls_on_board = free_slots_.size() < kSlots;
  for (const auto& [number, worker] : workers_) {
    if (worker.settle_by) consider(*worker.settle_by);
  }
  // Nobody tells the pool that a call has started: it looks, ten times within the timeout.
  if (options_.call_timeout && calls_on_board) consider(sync::clock::now() + *options_.call_timeout / 10);
  if (!next) return std::nullopt;
  return std::max<std::chrono::nanoseconds>(*next - sync::clock::now(), std::chrono::nanoseconds::zero());
}

void ProcessPool::wait_for_news() {
  for (int look = 0; look < kLooksBeforeSleep; ++look) {
    if (any_done(board())) return;
    sync::pause();
  }
  std::optional<std::chrono::nanoseconds> timeout;
  {
    sync::mutex_lock lock(mutex_);
    timeout = next_deadline();
    collector_sleeps_ = true;
    be_rung();
  }
  if (!any_done(board())) {
    const int timeout_ms =
        timeout ? static_cast<int>(std::min<std::int64_t>(timeout->count() / 1'000'000 + 1, 1'000'000)) : -1;
    std::array<epoll_event, 16> events;
    epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  }
  {
    sync::mutex_lock lock(mutex_);
    collector_sleeps_ = false;
    board().parent_sleeps.store(0, std::memory_order_seq_cst);
  }
  std::uint64_t rung = 0;
  [[maybe_unused]] const ssize_t bytes = read(bell_.get(), &rung, sizeof(rung));
}

// Has workers ring from now on, if the collector sleeps and no client looks; rings for what was told meanwhile.
void ProcessPool::be_rung() {
  if (!collector_sleeps_ || looking_clients_ > 0) return;
  // Seq_cst, here and where workers ring: either they see that the parent sleeps, or this sees their bit.
  board().parent_sleeps.store(1, std::memory_order_seq_cst);
  if (any_done(board())) ring_collector();
}

// While everybody is busy, a call takes a microsecond or two, and waking a thread fifty: the waiter looks at its call's
// slot itself, and the collector sleeps on.
void ProcessPool::wait_a_little(FutureState& state, sync::deadline until) {
  if (is_own_thread() || (until && *until <= sync::clock::now())) return;
  std::uint32_t slot = 0;
  std::uint64_t ticket = 0;
  {
    sync::mutex_lock lock(mutex_);
    if (state.remote_place < 0) return;
    slot = static_cast<std::uint32_t>(state.remote_place);
    if (!held_[slot].task || &held_[slot].task.state() != &state) return;
    ticket = held_[slot].ticket;
    ++looking_clients_;
    board().parent_sleeps.store(0, std::memory_order_seq_cst);
  }
  const sync::atomic<std::uint64_t>& bits = board().done[slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  for (int look = 0; look < kLooksBeforeSleep; ++look) {
    const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
    // Once the bit is there, too, the worker has nothing more to say of this call.
    if (word.ticket != ticket || ((bits.load(std::memory_order_acquire) & bit) != 0)) break;
    sync::pause();
  }
  std::vector<Settled> settled;
  {
    sync::mutex_lock lock(mutex_);
    if (held_[slot].task && held_[slot].ticket == ticket) {
      const SlotWord word = SlotWord::of(board().slots[slot].word.load(std::memory_order_acquire));
      if (word.ticket == ticket && word.phase == SlotPhase::kDone) {
        board().done[slot / 64].fetch_and(~bit, std::memory_order_acq_rel);
        look_at_slot(slot, settled);
      }
    }
    if (!settled.empty()) fill_board(settled);
    untold_ += settled.size();
    --looking_clients_;
    be_rung();
  }
  tell(std::move(settled));
}

}  // namespace futures::internal
