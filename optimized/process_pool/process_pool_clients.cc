// Clients that wait for a call: each does for its own what the collector would, which may sleep meanwhile.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "futures/encoding/call_vtable.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "optimized/process_pool/process_pool.h"

namespace futures::internal {
namespace {

// How long a client looks for its result before it sleeps: about as long as it takes to wake a worker and to run a tiny
// call, so that the wait for one is over without a second wake. Longer takes more of the processor from others for
// nothing.
constexpr std::chrono::nanoseconds kClientLooks = std::chrono::microseconds(100);
constexpr int kLooksPerReading = 32;  // Of the clock.
// What one call tells while its client looks: that it wants room, for a result or buffers, and that it is done.
constexpr int kClientRoundsMax = 16;

// The next piece of a result that is being written takes microseconds if the worker runs. If it does not, a client that
// goes on looking is a waste, and may be what keeps the worker from running: it naps between looks. Longer: it finds a
// piece later; shorter: it takes more from others.
constexpr std::chrono::nanoseconds kPieceNap = std::chrono::microseconds(200);
// All that a client waits for pieces of one result. Less: it reads alone what it could have read meanwhile, where
// workers are slow; more: a worker that stalls keeps it from other outcomes for longer.
constexpr std::chrono::nanoseconds kReadingPatience = std::chrono::milliseconds(100);

bool time_is_up(sync::deadline until) { return until && sync::clock::now() >= *until; }

// A large result that a client reads while the worker writes it: the copy out of the arena takes no time after the copy
// in. It is a guess until the call's outcome is known to be a value from the same room. Until then nothing that a
// worker does, nor its death, makes more of it than a value that is dropped.
class EarlyResult final : public Arrival, public WireBuffers {
 public:
  EarlyResult(const FutureState& state, Board& board, std::uint32_t slot, std::uint64_t ticket, sync::deadline until)
      : state_(state), board_(board), slot_(slot), ticket_(ticket), until_(until) {}

  // --- Under the pool's lock.
  void begin(Board::Arriving arriving) {
    arriving_ = std::move(arriving);
    has_begun_ = true;
  }
  bool has_begun() const { return has_begun_; }
  // Whether it is, or becomes, the value that is written there.
  bool is_from(const Board::Arriving& arriving) const {
    return !is_useless_ && arriving_.room != nullptr && arriving.room == arriving_.room;
  }
  // The call has this outcome, and its slot is about to be another's.
  void note_delivery(const Board::Result& result) {
    // Release, and acquire where it is read: the bytes were written before.
    delivery_.store(is_from_here(result) ? Delivery::kThis : Delivery::kOther, std::memory_order_release);
  }
  // Lets go of the room. Returns whether there was any.
  bool let_go() { return std::exchange(arriving_.room, nullptr) != nullptr; }

  // --- Without: decoding is code of the user.
  void read(const CallVtable& wire) {
    try {
      value_ = wire.decode_early({board_.use(*arriving_.room).data(), arriving_.bytes}, *this, *this);
    } catch (...) {
      // If this is the outcome it is decoded again, and what is wrong with it is seen then.
      is_useless_ = true;
    }
    if (is_useless_) value_ = nullptr;
  }

  // The value, if that is what this outcome is.
  std::unique_ptr<EarlyValue> value_of(const Board::Result& result) {
    return is_from_here(result) ? std::move(value_) : nullptr;
  }

  // Arrival.
  void await(std::size_t bytes) override {
    if (is_useless_ || delivery_.load(std::memory_order_acquire) == Delivery::kOther) give_up();
    // Somebody else may have told the outcome, and a wait has an end however much has arrived.
    if (bytes >= next_check_) {
      next_check_ = bytes + kPieceBytes;
      if (time_is_up(until_) || state_.is_done()) give_up();
    }
    if (has_arrived(bytes)) return;
    const sync::clock::time_point start = sync::clock::now();
    const Slot& slot = board_.calls().slots[slot_];
    for (sync::clock::time_point now = start; now - start < patience_ && !time_is_up(until_);
         now = sync::clock::now()) {
      // Acquire, and before the look: the last piece comes before the end.
      const SlotWord word = SlotWord::of(slot.word.load(std::memory_order_acquire));
      for (int look = 0; look < kLooksPerReading; ++look) {
        if (has_arrived(bytes)) {
          patience_ -= now - start;
          return;
        }
        sync::pause();
      }
      if (word.ticket != ticket_ || word.phase != SlotPhase::kRunning) break;
      if (now - start <= kClientLooks) continue;
      sync::shared_futex_wait(slot.client_bell, slot.client_bell.load(std::memory_order_relaxed), now + kPieceNap);
    }
    give_up();
  }

  // WireBuffers. The pool knows which the result may name once it is the outcome.
  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>&) override { return std::nullopt; }
  std::shared_ptr<BufferMemory> at(std::uint64_t, std::uint64_t) override {
    is_useless_ = true;
    return nullptr;
  }

 private:
  // What is known of the call's outcome: nothing, that it is the value in this room, or that it is not.
  enum class Delivery { kUnknown, kThis, kOther };

  bool is_from_here(const Board::Result& result) const {
    return result.error == nullptr && result.outcome == Outcome::kValue && result.room != nullptr &&
           result.room == arriving_.room && result.bytes == arriving_.bytes;
  }
  bool has_arrived(std::size_t bytes) const {
    // The ticket after the number: if that is of the slot's next call, so is the ticket. The delivery after the ticket:
    // it is noted before the slot becomes another's.
    const bool is_written =
        bytes_written(board_.calls(), slot_) >= bytes &&
        SlotWord::of(board_.calls().slots[slot_].word.load(std::memory_order_acquire)).ticket == ticket_;
    return is_written || delivery_.load(std::memory_order_acquire) == Delivery::kThis;
  }
  [[noreturn]] void give_up() {
    is_useless_ = true;
    throw SerializationError("the result does not arrive");
  }

  const FutureState& state_;
  Board& board_;
  const std::uint32_t slot_;
  const std::uint64_t ticket_;
  const sync::deadline until_;
  bool has_begun_ = false;
  Board::Arriving arriving_;
  sync::atomic<Delivery> delivery_{Delivery::kUnknown};
  bool is_useless_ = false;  // Whatever the decoding makes of the error that says so. The reader's.
  std::size_t next_check_ = 0;
  std::chrono::nanoseconds patience_ = kReadingPatience;
  std::unique_ptr<EarlyValue> value_;
};

}  // namespace

// One thread that waits for one call.
struct ProcessPool::Client {
  Client(FutureState& state, Spot spot, std::uint64_t ticket, sync::deadline until)
      : state(state),
        spot(std::move(spot)),
        ticket(ticket),
        until(until),
        early(state, *this->spot.board, this->spot.slot, ticket, until) {}

  FutureState& state;
  const Spot spot;
  const std::uint64_t ticket;
  const sync::deadline until;
  EarlyResult early;
  std::vector<Settled> settled;  // What it has taken, and is to tell. Under the lock until it leaves await's loops.
};

// Does for one call what the collector would. Returns false once there is nothing more to wait for here, nor if there
// is no memory for that: then the collector does it.
bool ProcessPool::serve_client(Client& client) try {
  Board& board = *client.spot.board;
  const std::uint32_t slot = client.spot.slot;
  const auto is_held = [&] { return board.holds(slot) && board.ticket(slot) == client.ticket; };
  if (!is_held()) return false;
  board.forget_done(slot);  // What is said from now on is seen, or said again.
  const std::optional<Board::Seen> seen = board.see(slot);
  if (!seen) return false;
  if (seen->phase == SlotPhase::kWantsRoom) board.provide_room(slot);
  if (seen->phase != SlotPhase::kDone) return true;
  const std::size_t calls_before = calls_on_boards_;
  take_results_until(board, slot, seen->owner, client.settled);
  if (calls_on_boards_ < calls_before) hand_out(client.settled);
  return is_held();
} catch (const std::bad_alloc&) {
  client.spot.board->say_done_again(client.spot.slot);
  ring_collector();
  return false;
}

// A call takes a microsecond or two while everybody is awake, and waking a thread takes fifty: so the waiter looks at
// its call's slot itself for a while, and then sleeps where the call's worker wakes it. Either way the collector sleeps
// on.
void ProcessPool::await(FutureState& state, sync::deadline until) {
  if (is_own_thread() || time_is_up(until)) return;
  const sync::cancellation_block block;  // What this thread takes, it tells.
  std::optional<Spot> spot;
  std::uint64_t ticket = 0;
  {
    sync::mutex_lock lock(mutex_);
    spot = spot_of(state);
    if (!spot) return;
    ticket = spot->board->ticket(spot->slot);
    ++looking_clients_;
    if (wants_rings_) be_left_alone();
  }
  Client client(state, *std::move(spot), ticket, until);
  if (look_out(client)) sleep_on(client);
  for (Settled& s : client.settled) {
    if (&s.task.state() == &state) s.early = client.early.value_of(s.result);
  }
  if (client.early.has_begun()) {
    sync::mutex_lock lock(mutex_);
    leave_room(client);
  }
  tell(client.settled);
}

// Returns whether there is something left to wait for; then the client is counted as one that sleeps.
bool ProcessPool::look_out(Client& client) {
  const Spot& spot = client.spot;
  const CallBoard& board = spot.board->calls();
  const sync::atomic<std::uint64_t>& bits = board.done[spot.slot / 64];
  const sync::atomic<std::uint64_t>& word = board.slots[spot.slot].word;
  const auto is_news = [&] {
    return (bits.load(std::memory_order_acquire) >> (spot.slot % 64) & 1) != 0 ||
           SlotWord::of(word.load(std::memory_order_acquire)).ticket != client.ticket;
  };
  for (int round = 1;; ++round) {
    const sync::clock::time_point end = sync::clock::now() + kClientLooks;
    bool news = is_news();
    while (!news && sync::clock::now() < end) {
      for (int look = 0; look < kLooksPerReading && !(news = is_news()); ++look) sync::pause();
    }
    sync::mutex_lock lock(mutex_);
    const bool waits = serve_client(client);
    // A worker may say again and again that there is news (law P11). To read a result is not for one that looks: the
    // collector is not rung meanwhile.
    const bool looks = news && round < kClientRoundsMax && !time_is_up(client.until);
    if (waits && looks && spot.board->arriving(spot.slot).room == nullptr) continue;
    if (waits) spot.board->add_sleeping_client(spot.slot);
    --looking_clients_;
    be_rung();
    return waits;
  }
}

void ProcessPool::sleep_on(Client& client) {
  const Spot& spot = client.spot;
  const sync::atomic<std::uint32_t>& bell = spot.board->calls().slots[spot.slot].client_bell;
  for (bool waits = true; waits;) {
    const std::uint32_t rung = bell.load(std::memory_order_seq_cst);  // Before the look: no wake is missed.
    bool reads = false;
    {
      sync::mutex_lock lock(mutex_);
      waits = serve_client(client);
      if (waits) reads = begin_reading(client);
    }
    if (!waits) break;
    if (reads) {
      client.early.read(*client.state.call_vtable());
      sync::mutex_lock lock(mutex_);
      end_reading(client);
    } else {
      const sync::clock::time_point next_look = sync::clock::now() + kBetweenLooks;
      sync::shared_futex_wait(bell, rung, client.until ? std::min(*client.until, next_look) : next_look);
    }
    waits = !time_is_up(client.until);
  }
  sync::mutex_lock lock(mutex_);
  spot.board->remove_sleeping_client(spot.slot);
  serve_client(client);
  be_rung();  // The slot's next call may have been told to this client instead.
}

// The client's call is in its slot. Returns whether it is to be read; then the client does not count as one that
// sleeps.
bool ProcessPool::begin_reading(Client& client) {
  Board& board = *client.spot.board;
  Board::Arriving arriving = board.arriving(client.spot.slot);
  if (client.early.has_begun()) {
    // A room that is not the value's, or not any more, is for others: for what the same call throws instead, above all.
    if (!client.early.is_from(arriving)) leave_room(client);
    return false;
  }
  if (arriving.room == nullptr || reader_of(board, client.spot.slot) != nullptr) return false;
  try {
    readers_.push_back(&client);
  } catch (const std::bad_alloc&) {
    return false;
  }
  client.early.begin(std::move(arriving));
  // Its words are for the collector, which does not decode meanwhile.
  board.remove_sleeping_client(client.spot.slot);
  be_rung();
  return true;
}

void ProcessPool::end_reading(Client& client) {
  std::erase(readers_, &client);
  client.spot.board->add_sleeping_client(client.spot.slot);
}

void ProcessPool::leave_room(Client& client) {
  if (client.early.let_go()) client.spot.board->provide_waiting_rooms();
}

ProcessPool::Client* ProcessPool::reader_of(const Board& board, std::uint32_t slot) {
  for (Client* const reader : readers_) {
    const bool is_here = reader->spot.board.get() == &board && reader->spot.slot == slot;
    if (is_here && reader->ticket == board.ticket(slot)) return reader;
  }
  return nullptr;
}

// Whoever reads a call's value takes its outcome, too, whichever thread finds it.
std::vector<ProcessPool::Settled>& ProcessPool::takers_of(const Board& board, std::uint32_t slot,
                                                          std::vector<Settled>& settled) {
  Client* const reader = reader_of(board, slot);
  return reader != nullptr ? reader->settled : settled;
}

// Of the slot's call, before it leaves the slot.
void ProcessPool::note_delivery(const Board& board, std::uint32_t slot, const Board::Result& result) {
  if (Client* const reader = reader_of(board, slot)) reader->early.note_delivery(result);
}

}  // namespace futures::internal
