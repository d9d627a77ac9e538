// What RC11 lets the threads of one run see: a graph of the run's atomic operations that grows by one at a time.
//
// The model is that of Lahav, Vafeiadis, Kang, Hur and Dreyer, "Repairing Sequential Consistency in C/C++11" (PLDI
// 2017), with the names of herd7's rc11.cat: sb (program order), rf (a load and its store), mo (modification order), rb
// (a load and the stores after its own in mo), eco (what follows from rf, mo and rb on one location), sw (synchronises
// with), hb (happens before: sb and sw), scb and psc (what orders sequentially consistent operations). Its axioms:
//   - coherence: hb and eco do not contradict each other;
//   - atomicity: nothing comes in mo between a read-modify-write and the store that it reads;
//   - SC: psc has no cycle;
//   - no value out of thin air: sb and rf have no cycle.
//
// By the last axiom there is an order in which each load reads a store that is already there: the order in which the
// simulator executes. Each axiom holds of every part of a graph if it holds of the whole. So it is exact to ask, for
// one operation after the other, with which choices the graph keeps the axioms:
//   - a load may read any store that coherence leaves it, if psc gets no cycle;
//   - a store may have its place in mo before stores that are already there, on the same terms;
//   - a read-modify-write comes right behind the store that it reads.
// The newest store and the end of mo are always allowed: a run never gets stuck.
//
// hb is kept as a vector clock for each operation. For psc, which orders sequentially consistent operations and, within
// each thread, contains sb, the operations before each one are a vector clock, too. Its entries count such operations.
//
// Operations on mutexes, and starts and ends of threads, are in sb and sw. The initial value of a location comes first
// in mo and is in neither, as in herd7. Not modelled: plain variables, consume (it acquires).
//
// Not thread-safe. Nothing is forgotten before reset(): an operation takes some 200 bytes, a store 700.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MEMORY_MODEL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MEMORY_MODEL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace futures::simulator {

class MemoryModel {
 public:
  static constexpr int kThreadsMax = 32;

  // For the test of the tests: a model with a mistake.
  enum class Mistake : std::uint8_t {
    kNone,
    kScFencesAreAcqRel,
    kScAccessesAreAcqRel,
    kReleaseSequencesHaveNoModifications,  // A read-modify-write passes nothing on.
    kReleaseSequencesEndAtOwnStores,  // As C++20 has it: a later plain store of the same thread passes nothing on.
    kScFencesIgnoreEco,  // psc between fences has hb, and not hb;eco;hb.
    kStoresComeLast,  // A store's place in mo is the end.
    kModificationsAreNotAtomic,
    kScContainsHb,  // As before RC11: all of hb orders sequentially consistent operations.
  };

  explicit MemoryModel(Mistake mistake = Mistake::kNone) : mistake_(mistake) {}

  // Begins a run without threads and locations.
  void reset();

  // Threads are numbered from 0 in the order of their start. `starter` is the thread that starts it, or kNoThread.
  static constexpr int kNoThread = -1;
  void start_thread(int thread, int starter);
  // `thread` goes on after the end of `ended`.
  void join_thread(int thread, int ended);

  // Returns the location's number.
  int add_location(std::uint64_t initial);
  // Positions are those of mo: 0 is the initial value. A later store may shift them.
  std::uint64_t value(int location, int position) const;
  std::uint64_t newest(int location) const;

  // The choices of the next operation, newest first, never empty. The answer is valid until the next question.
  // Positions of the stores that a load may read.
  const std::vector<int>& load_options(int thread, int location, std::memory_order order);
  // Positions that a store may get.
  const std::vector<int>& store_options(int thread, int location, std::memory_order order);
  // Positions of the stores that a read-modify-write may read. Its own store comes right behind.
  const std::vector<int>& modify_options(int thread, int location, std::memory_order order);

  // The next operation, with one of these choices.
  void load(int thread, int location, std::memory_order order, int position);
  void store(int thread, int location, std::memory_order order, int position, std::uint64_t value);
  void modify(int thread, int location, std::memory_order order, int position, std::uint64_t value);
  void fence(int thread, std::memory_order order);

  // A mutex, or whatever else hands what one thread knows to the next one.
  int add_object();
  void acquire(int thread, int object);
  void release(int thread, int object);

 private:
  // One number for each thread: how many of its operations, from the first on. Which operations is said where it is
  // used. Index 0 of what a clock leads to stands for none.
  struct Clock {
    std::array<std::uint32_t, kThreadsMax> of{};
    std::uint32_t& operator[](int thread) { return of[static_cast<std::size_t>(thread)]; }
    std::uint32_t operator[](int thread) const { return of[static_cast<std::size_t>(thread)]; }
  };

  static constexpr int kNoLocation = -1;

  struct Event {
    Clock clock;  // What is before it in hb, and itself.
    int location = kNoLocation;
    std::uint32_t run_start = 0;  // Its thread has used no other location from this event on.
    std::uint32_t sc = 0;  // How many SC operations its thread has, up to here.
    std::uint32_t sc_fence = 0;  // The last of them that is a fence.
  };
  struct ScEvent {
    Clock before;  // What reaches it in psc, and itself. Counts SC operations.
    std::uint32_t event = 0;
    std::uint32_t fence = 0;  // Of the SC operations up to this one the last that is a fence.
  };
  struct ThreadState {
    std::vector<Event> events;
    std::vector<ScEvent> sc;
    Clock acquirable;  // What its relaxed loads have read: the next acquire fence makes it known.
    Clock released;  // What its last release fence knew.
  };

  struct Store {
    int thread = kNoThread;
    std::uint32_t event = 0;
    std::uint32_t sc = 0;  // Its number among the SC operations of its thread; 0 if it is none.
    std::uint64_t value = 0;
    bool is_modified = false;  // A read-modify-write has read it.
    Clock message;  // What an acquire that reads it gets to know.
    Clock first_seen;  // Of each thread the first event that is this store or has read it.
    Clock fences;  // The SC fences before it in hb.
    // Of this store, those before it in mo, and the loads that read these: the SC operations that are one of them, and
    // the SC fences that are before one of them in hb; and only the fences.
    Clock sources;
    Clock fence_sources;
  };
  struct Access {
    int thread;
    std::uint32_t event;
    std::uint32_t sc;  // As in Store.
  };
  struct LocationState {
    std::vector<Store> stores;  // In mo.
    std::vector<Access> accesses;
    std::vector<Access> releases;  // The last release store of each thread that has one.
  };

  // An access that may come next. A load has no place, a store reads nothing: -1.
  struct Next {
    int thread;
    int location;
    std::memory_order order;
    int reads;
    int place;
    int later() const { return place >= 0 ? place : reads + 1; }  // The first store that is to come after it.
  };

  void join(Clock& into, const Clock& from) const;
  ThreadState& state(int thread) { return threads_[static_cast<std::size_t>(thread)]; }
  const ThreadState& state(int thread) const { return threads_[static_cast<std::size_t>(thread)]; }
  LocationState& location(int number) { return locations_[static_cast<std::size_t>(number)]; }
  const LocationState& location(int number) const { return locations_[static_cast<std::size_t>(number)]; }
  const Event& event(int thread, std::uint32_t number) const { return state(thread).events[number]; }
  const ScEvent& sc_event(int thread, std::uint32_t number) const { return state(thread).sc[number]; }

  bool is_sc_access(std::memory_order order) const;
  bool is_seen(const Store& store, const Clock& clock) const;
  int last_seen(int location, const Clock& clock) const;
  Clock known_before(const Next& next) const;
  Clock fences_in(const Clock& clock) const;
  Clock with_predecessors(const Clock& sc_events) const;
  Clock sources_of_access(const Next& next, const Clock& before) const;
  Clock sources_of_fence(const Clock& before) const;
  bool is_consistent(const Next& next) const;
  bool reaches_later(const Next& next, const Clock& sources, const Clock& fence_sources) const;
  void add_edges_to_later(const Next& next, const Clock& sources, const Clock& fence_sources);
  void propagate(const Clock& targets, const Clock& sources);
  Clock message_of(const Next& next, const Event& own) const;

  std::uint32_t add_event(int thread, const Clock& before, int location);
  std::uint32_t add_sc_event(int thread, const Clock& sources, bool is_fence);
  void add_access(const Next& next, std::uint64_t value);
  void add_to_sources(const Next& next, const Clock& own, const Clock& fences);

  const Mistake mistake_;
  std::vector<ThreadState> threads_;  // Kept from run to run, as the others; the first `thread_count_` are in use.
  std::vector<LocationState> locations_;
  std::vector<Clock> objects_;
  int thread_count_ = 0;
  int location_count_ = 0;
  long sc_count_ = 0;
  std::vector<int> options_;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_MEMORY_MODEL_H_
