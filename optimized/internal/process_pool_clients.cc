// Clients that wait for a call: each does for its own what the collector would, which may sleep meanwhile.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "futures/errors.h"
#include "futures/internal/wire_call.h"
#include "optimized/internal/process_pool.h"

namespace futures::internal {
namespace {

// How long a client looks for its result before it sleeps: about as long as it takes to wake a worker and to run a tiny call,
// so that the wait for one is over without a second wake. Longer takes more of the processor from others for nothing.
constexpr std::chrono::nanoseconds kClientLooks = std::chrono::microseconds(100);
constexpr int kLooksPerReading = 32;  // Of the clock.
// What one call tells while its client looks: that it wants room, for a result or buffers, and that it is done.
constexpr int kClientRoundsMax = 16;

// How long a client that sleeps does not look: what would have woken it may have been overwritten (law P11).
constexpr std::chrono::nanoseconds kClientSleeps = std::chrono::milliseconds(100);

// The next piece of a result that is being written takes microseconds if the worker runs. If it does not, a client that goes on
// looking is a waste, and may be what keeps the worker from running: it naps between looks. After a while it gives up.
constexpr std::chrono::nanoseconds kPieceNap = std::chrono::microseconds(200);
constexpr std::chrono::nanoseconds kPiecePatience = std::chrono::milliseconds(50);

bool time_is_up(sync::deadline until) { return until && sync::clock::now() >= *until; }

// A large result that a client reads while the worker writes it: the copy out of the arena takes no time after the copy in.
// It is a guess until the client has taken, as the call's outcome, a value from the same room; until then nothing that a
// worker does, nor its death, makes more of it than a value that is dropped.
class EarlyResult final : public Arrival, public WireBuffers {
 public:
  EarlyResult(Board& board, std::uint32_t slot, std::uint64_t ticket, sync::deadline until)
      : board_(board), slot_(slot), ticket_(ticket), until_(until) {}

  // Once. Without a lock: decoding is code of the user.
  void read(const WireCall& wire, Board::Arriving arriving) {
    arriving_ = std::move(arriving);
    try {
      value_ = wire.decode_early({board_.use(*arriving_.room).data(), arriving_.bytes}, *this, *this);
    } catch (...) {
      // If this is the outcome, it is decoded again, and what is wrong with it is seen then.
    }
    if (is_useless_) value_ = nullptr;
  }
  bool has_begun() const { return arriving_.room != nullptr; }

  // The value, if that is what this result is.
  std::unique_ptr<EarlyValue> value_of(const Board::Result& result) {
    const bool is_this = result.error == nullptr && result.outcome == Outcome::kValue && result.room != nullptr &&
                         result.room == arriving_.room && result.bytes == arriving_.bytes;
    return is_this ? std::move(value_) : nullptr;
  }
  // Lets go of the room that it has read. Returns whether there was any.
  bool let_go() { return std::exchange(arriving_.room, nullptr) != nullptr; }

  // Arrival.
  void await(std::size_t bytes) override {
    const auto has_arrived = [&] { return bytes_written(board_.calls(), slot_) >= bytes; };
    if (has_arrived()) return;
    const Slot& slot = board_.calls().slots[slot_];
    const sync::clock::time_point start = sync::clock::now();
    for (sync::clock::time_point now = start; now - start < kPiecePatience && !time_is_up(until_); now = sync::clock::now()) {
      const std::uint32_t rung = slot.client_bell.load(std::memory_order_seq_cst);
      // Before the look: the last piece comes before the end.
      const SlotWord word = SlotWord::of(slot.word.load(std::memory_order_seq_cst));
      for (int look = 0; look < kLooksPerReading; ++look) {
        if (has_arrived()) return;
        sync::pause();
      }
      if (word.ticket != ticket_ || word.phase != SlotPhase::kRunning) break;
      if (now - start > kClientLooks) sync::shared_futex_wait(slot.client_bell, rung, now + kPieceNap);
    }
    is_useless_ = true;
    throw SerializationError("the result does not arrive");
  }

  // WireBuffers. The pool knows which the result may name once it is the outcome.
  std::optional<std::uint64_t> place_of(const std::shared_ptr<BufferMemory>&) override { return std::nullopt; }
  std::shared_ptr<BufferMemory> at(std::uint64_t, std::uint64_t) override {
    is_useless_ = true;
    return nullptr;
  }

 private:
  Board& board_;
  const std::uint32_t slot_;
  const std::uint64_t ticket_;
  const sync::deadline until_;
  Board::Arriving arriving_;
  bool is_useless_ = false;  // Whatever the decoding makes of that.
  std::unique_ptr<EarlyValue> value_;
};

}  // namespace

// One thread that waits for one call.
struct ProcessPool::Client {
  Client(FutureState& state, Spot spot, std::uint64_t ticket, sync::deadline until)
      : state(state), spot(std::move(spot)), ticket(ticket), until(until), early(*this->spot.board, this->spot.slot, ticket, until) {}

  FutureState& state;
  const Spot spot;
  const std::uint64_t ticket;
  const sync::deadline until;
  EarlyResult early;
  std::vector<Settled> settled;  // What it has taken, and is to tell.
};

// Does for one call what the collector would. Returns false once there is nothing more to wait for here.
bool ProcessPool::serve_client(Client& client) {
  Board& board = *client.spot.board;
  const std::uint32_t slot = client.spot.slot;
  const auto is_held = [&] { return board.holds(slot) && board.ticket(slot) == client.ticket; };
  if (!is_held()) return false;
  board.forget_done(slot);  // What is said from now on is seen, or said again.
  const std::optional<Board::Seen> seen = board.see(slot);
  if (!seen) return false;
  if (seen->phase == SlotPhase::kWantsRoom) board.provide_room(slot);
  if (seen->phase != SlotPhase::kDone) return true;
  const std::size_t settled_before = client.settled.size();
  for (const std::uint32_t earlier : board.done_before(slot, seen->owner)) {
    board.forget_done(earlier);
    take_result(board, earlier, seen->owner, client.settled);
  }
  take_result(board, slot, seen->owner, client.settled);
  if (client.settled.size() > settled_before) hand_out(client.settled);
  return is_held();
}

// A call takes a microsecond or two while everybody is awake, and waking a thread takes fifty: so the waiter looks at its
// call's slot itself for a while, and then sleeps where the call's worker wakes it. Either way the collector sleeps on.
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
  if (client.early.let_go()) {
    sync::mutex_lock lock(mutex_);
    client.spot.board->provide_waiting_rooms();
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
    Board::Arriving arriving;
    {
      sync::mutex_lock lock(mutex_);
      waits = serve_client(client);
      if (waits && !client.early.has_begun()) arriving = spot.board->arriving(spot.slot);
    }
    if (!waits) break;
    if (arriving.room != nullptr) {
      client.early.read(*client.state.wire_call(), std::move(arriving));
    } else {
      const sync::clock::time_point next_look = sync::clock::now() + kClientSleeps;
      sync::shared_futex_wait(bell, rung, client.until ? std::min(*client.until, next_look) : next_look);
    }
    waits = !time_is_up(client.until);
  }
  sync::mutex_lock lock(mutex_);
  spot.board->remove_sleeping_client(spot.slot);
  serve_client(client);
  be_rung();  // The slot's next call may have been told to this client instead.
}

}  // namespace futures::internal
