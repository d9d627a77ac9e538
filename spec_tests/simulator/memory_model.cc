#include "spec_tests/simulator/memory_model.h"

#include <algorithm>

#include "absl/log/check.h"

namespace futures::simulator {
namespace {

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

}  // namespace

// --- Threads, objects, locations.

void MemoryModel::reset() {
  thread_count_ = 0;
  location_count_ = 0;
  objects_.clear();
  sc_count_ = 0;
}

void MemoryModel::start_thread(int thread, int starter) {
  CHECK(thread == thread_count_ && thread < kThreadsMax);
  if (static_cast<std::size_t>(thread) == threads_.size()) threads_.emplace_back();
  ++thread_count_;
  ThreadState& started = state(thread);
  started.events.assign(1, Event());
  started.sc.assign(1, ScEvent());
  started.acquirable = {};
  started.released = {};
  if (starter == kNoThread) return;
  add_event(starter, state(starter).events.back().clock, kNoLocation);
  add_event(thread, state(starter).events.back().clock, kNoLocation);
}

void MemoryModel::join_thread(int thread, int ended) {
  Clock before = state(thread).events.back().clock;
  join(before, state(ended).events.back().clock);
  add_event(thread, before, kNoLocation);
}

int MemoryModel::add_object() {
  objects_.emplace_back();
  return static_cast<int>(objects_.size()) - 1;
}

void MemoryModel::acquire(int thread, int object) {
  Clock before = state(thread).events.back().clock;
  join(before, objects_[static_cast<std::size_t>(object)]);
  add_event(thread, before, kNoLocation);
}

void MemoryModel::release(int thread, int object) {
  add_event(thread, state(thread).events.back().clock, kNoLocation);
  join(objects_[static_cast<std::size_t>(object)], state(thread).events.back().clock);
}

int MemoryModel::add_location(std::uint64_t initial) {
  if (static_cast<std::size_t>(location_count_) == locations_.size()) locations_.emplace_back();
  LocationState& added = location(location_count_);
  added.stores.assign(1, Store());
  added.stores[0].value = initial;
  added.accesses.clear();
  added.releases.clear();
  return location_count_++;
}

std::uint64_t MemoryModel::value(int number, int position) const {
  return location(number).stores[static_cast<std::size_t>(position)].value;
}

std::uint64_t MemoryModel::newest(int number) const { return location(number).stores.back().value; }

// --- Clocks.

void MemoryModel::join(Clock& into, const Clock& from) const {
  for (int i = 0; i < thread_count_; ++i) into[i] = std::max(into[i], from[i]);
}

// The SC fences of each thread among the events of the clock, as numbers of SC operations.
MemoryModel::Clock MemoryModel::fences_in(const Clock& clock) const {
  Clock fences;
  if (sc_count_ == 0) return fences;
  for (int i = 0; i < thread_count_; ++i) fences[i] = event(i, clock[i]).sc_fence;
  return fences;
}

// The SC operations and all that reach them in psc.
MemoryModel::Clock MemoryModel::with_predecessors(const Clock& sc_events) const {
  Clock all;
  for (int i = 0; i < thread_count_; ++i) {
    if (sc_events[i] != 0) join(all, sc_event(i, sc_events[i]).before);
  }
  return all;
}

bool MemoryModel::is_sc_access(std::memory_order order) const {
  return order == std::memory_order_seq_cst && mistake_ != Mistake::kScAccessesAreAcqRel;
}

bool MemoryModel::is_seen(const Store& store, const Clock& clock) const {
  for (int i = 0; i < thread_count_; ++i) {
    if (store.first_seen[i] != 0 && store.first_seen[i] <= clock[i]) return true;
  }
  return false;
}

// Coherence: the newest store that an event of the clock is or has read. What comes next reads this one or a later one,
// and writes behind it.
int MemoryModel::last_seen(int number, const Clock& clock) const {
  const std::vector<Store>& stores = location(number).stores;
  int position = static_cast<int>(stores.size()) - 1;
  while (position > 0 && !is_seen(stores[static_cast<std::size_t>(position)], clock)) --position;
  return position;
}

// What is before the access in hb.
MemoryModel::Clock MemoryModel::known_before(const Next& next) const {
  Clock before = state(next.thread).events.back().clock;
  if (next.reads >= 0 && acquires(next.order)) {
    join(before, location(next.location).stores[static_cast<std::size_t>(next.reads)].message);
  }
  return before;
}

// --- psc.
//
// rc11.cat: psc = ([SC] | [F & SC]; hb?); scb; ([SC] | hb?; [F & SC])  |  [F & SC]; (hb | hb; eco; hb); [F & SC]
//           scb = sb | sbl; hb; sbl | hb & loc | mo | rb     where sbl is sb between different locations
//
// The *sources* of an event are the SC operations that psc orders before whatever the event is before in scb: the event
// itself, if it is SC, and the SC fences before it in hb. As a clock each is the last of its thread: sb of SC
// operations is in psc.
//
// Two kinds of edges are added that psc does not have, since they are simple and make no cycle by themselves:
//   - from an SC fence to each SC access after it in hb: the fence is a source of the access, and so before all that
//     the access is before;
//   - from an SC access to each SC fence after it in hb: all that is before the access in psc is so by scb, and scb; hb
//     leads to the fence.

// What psc orders directly before an SC access.
MemoryModel::Clock MemoryModel::sources_of_access(const Next& next, const Clock& before) const {
  const std::vector<Event>& own = state(next.thread).events;
  Clock sources = fences_in(before);
  const auto add = [&](int thread, std::uint32_t sc) { sources[thread] = std::max(sources[thread], sc); };
  add(next.thread, own.back().sc);  // sb
  // sbl; hb; sbl: of what is before the thread's last event on another location, all but the last run of events on one
  // location of each thread.
  const auto last = static_cast<std::uint32_t>(own.size() - 1);
  const std::uint32_t other = own[last].location == next.location ? own[last].run_start - 1 : last;
  for (int i = 0; i < thread_count_ && other != 0; ++i) {
    const std::uint32_t seen = own[other].clock[i];
    if (i != next.thread && seen != 0) add(i, event(i, event(i, seen).run_start - 1).sc);
  }
  for (const Access& access : location(next.location).accesses) {  // hb & loc
    if (access.event <= before[access.thread]) add(access.thread, access.sc);
  }
  if (next.place > 0) {  // mo, rb
    join(sources, location(next.location).stores[static_cast<std::size_t>(next.place - 1)].sources);
  }
  if (mistake_ == Mistake::kScContainsHb) {
    for (int i = 0; i < thread_count_; ++i) add(i, event(i, before[i]).sc);
  }
  return sources;
}

// What psc orders directly before an SC fence.
MemoryModel::Clock MemoryModel::sources_of_fence(const Clock& before) const {
  Clock sources;
  for (int i = 0; i < thread_count_; ++i) sources[i] = event(i, before[i]).sc;  // sb, hb
  for (int number = 0; number < location_count_; ++number) {
    const std::vector<Store>& stores = location(number).stores;
    const auto at = [&](int position) -> const Store& { return stores[static_cast<std::size_t>(position)]; };
    // mo, rb to a store that is before the fence
    int position = static_cast<int>(stores.size()) - 1;
    while (position > 0 && at(position).event > before[at(position).thread]) --position;
    if (position > 0) join(sources, at(position - 1).sources);
    // hb; eco; hb between fences
    if (mistake_ == Mistake::kScFencesIgnoreEco) continue;
    position = last_seen(number, before);
    if (position > 0) {
      join(sources, at(position - 1).fence_sources);
      join(sources, at(position).fences);
    }
  }
  return sources;
}

// Whether psc would get a cycle by edges from the sources to what the access comes before by mo or rb.
bool MemoryModel::reaches_later(const Next& next, const Clock& sources, const Clock& fence_sources) const {
  const std::vector<Store>& stores = location(next.location).stores;
  // The last SC fence among the first so many SC operations of the thread.
  const auto fence_of = [this](int thread, std::uint32_t sc) -> const Event& {
    return event(thread, sc_event(thread, sc_event(thread, sc).fence).event);
  };
  for (std::size_t j = static_cast<std::size_t>(next.later()); j < stores.size(); ++j) {
    const Store& later = stores[j];
    if (later.sc != 0 && later.sc <= sources[later.thread]) return true;
    for (int i = 0; i < thread_count_; ++i) {
      if (sources[i] != 0 && fence_of(i, sources[i]).clock[later.thread] >= later.event) return true;
      if (fence_sources[i] != 0 && mistake_ != Mistake::kScFencesIgnoreEco &&
          is_seen(later, fence_of(i, fence_sources[i]).clock)) {
        return true;
      }
    }
  }
  return false;
}

// Adds the edges of which reaches_later has said that they make no cycle.
void MemoryModel::add_edges_to_later(const Next& next, const Clock& sources, const Clock& fence_sources) {
  Clock targets;  // The first one of each thread: sb has the others.
  Clock fence_targets;
  const auto add = [](std::uint32_t& target, std::uint32_t number) {
    if (target == 0 || number < target) target = number;
  };
  const std::vector<Store>& stores = location(next.location).stores;
  for (std::size_t j = static_cast<std::size_t>(next.later()); j < stores.size(); ++j) {
    const Store& later = stores[j];
    if (later.sc != 0) add(targets[later.thread], later.sc);
    for (int i = 0; i < thread_count_; ++i) {
      for (std::uint32_t number = 1; number < state(i).sc.size(); ++number) {
        const ScEvent& fence = sc_event(i, number);
        if (fence.fence != number) continue;
        const Clock& before = event(i, fence.event).clock;
        if (before[later.thread] >= later.event) add(targets[i], number);
        if (is_seen(later, before)) add(fence_targets[i], number);
      }
    }
  }
  propagate(targets, sources);
  if (mistake_ != Mistake::kScFencesIgnoreEco) propagate(fence_targets, fence_sources);
}

// The sources reach all that the targets reach.
void MemoryModel::propagate(const Clock& targets, const Clock& sources) {
  for (int i = 0; i < thread_count_; ++i) {
    for (std::uint32_t number = 1; number < state(i).sc.size(); ++number) {
      Clock& before = state(i).sc[number].before;
      for (int j = 0; j < thread_count_; ++j) {
        if (targets[j] == 0 || targets[j] > before[j]) continue;
        join(before, sources);
        break;
      }
    }
  }
}

bool MemoryModel::is_consistent(const Next& next) const {
  if (static_cast<std::size_t>(next.later()) == location(next.location).stores.size()) return true;
  if (sc_count_ == 0) return true;  // With one SC operation psc has no cycle.
  const Clock before = known_before(next);
  const Clock fences = fences_in(before);
  Clock sources = fences;
  if (is_sc_access(next.order)) join(sources, sources_of_access(next, before));
  return !reaches_later(next, with_predecessors(sources), with_predecessors(fences));
}

// --- Choices.

const std::vector<int>& MemoryModel::load_options(int thread, int number, std::memory_order order) {
  options_.clear();
  const int oldest = last_seen(number, state(thread).events.back().clock);
  for (int position = static_cast<int>(location(number).stores.size()) - 1; position >= oldest; --position) {
    if (is_consistent({thread, number, order, position, -1})) options_.push_back(position);
  }
  return options_;
}

const std::vector<int>& MemoryModel::store_options(int thread, int number, std::memory_order order) {
  options_.clear();
  const std::vector<Store>& stores = location(number).stores;
  const int end = static_cast<int>(stores.size());
  const int before =
      mistake_ == Mistake::kStoresComeLast ? end - 1 : last_seen(number, state(thread).events.back().clock);
  for (int position = end; position > before; --position) {
    if (stores[static_cast<std::size_t>(position - 1)].is_modified) continue;
    if (is_consistent({thread, number, order, -1, position})) options_.push_back(position);
  }
  return options_;
}

const std::vector<int>& MemoryModel::modify_options(int thread, int number, std::memory_order order) {
  options_.clear();
  const std::vector<Store>& stores = location(number).stores;
  const int oldest = last_seen(number, state(thread).events.back().clock);
  for (int position = static_cast<int>(stores.size()) - 1; position >= oldest; --position) {
    const bool is_free =
        !stores[static_cast<std::size_t>(position)].is_modified || mistake_ == Mistake::kModificationsAreNotAtomic;
    if (is_free && is_consistent({thread, number, order, position, position + 1})) options_.push_back(position);
  }
  return options_;
}

// --- Operations.

std::uint32_t MemoryModel::add_event(int thread, const Clock& before, int number) {
  std::vector<Event>& events = state(thread).events;
  const auto own = static_cast<std::uint32_t>(events.size());
  const Event& last = events.back();
  Event added{.clock = before,
              .location = number,
              .run_start = number != kNoLocation && last.location == number ? last.run_start : own,
              .sc = last.sc,
              .sc_fence = last.sc_fence};
  added.clock[thread] = own;
  events.push_back(added);
  return own;
}

// Makes an SC operation of the thread's last event. `sources` are directly before it in psc.
std::uint32_t MemoryModel::add_sc_event(int thread, const Clock& sources, bool is_fence) {
  std::vector<ScEvent>& sc = state(thread).sc;
  const auto number = static_cast<std::uint32_t>(sc.size());
  Event& own = state(thread).events.back();
  own.sc = number;
  if (is_fence) own.sc_fence = number;
  ScEvent added{.before = with_predecessors(sources), .event = own.clock[thread], .fence = own.sc_fence};
  added.before[thread] = number;
  sc.push_back(added);
  ++sc_count_;
  return number;
}

// sw: what an acquire that reads the store gets to know.
//
// rc11.cat: sw = [REL]; ([F]; sb)?; rs; rf; ...      rs = [W]; (sb & loc)?; [W]; (rf; rmw)*
MemoryModel::Clock MemoryModel::message_of(const Next& next, const Event& own) const {
  Clock message = state(next.thread).released;
  if (releases(next.order)) join(message, own.clock);
  if (mistake_ != Mistake::kReleaseSequencesEndAtOwnStores) {
    for (const Access& release : location(next.location).releases) {
      if (release.thread == next.thread) join(message, event(release.thread, release.event).clock);
    }
  }
  if (next.reads >= 0 && mistake_ != Mistake::kReleaseSequencesHaveNoModifications) {
    join(message, location(next.location).stores[static_cast<std::size_t>(next.reads)].message);
  }
  return message;
}

// The sources of the access are those of what comes later in mo. A load counts from the store that it reads on, a
// store from itself on.
void MemoryModel::add_to_sources(const Next& next, const Clock& own, const Clock& fences) {
  std::vector<Store>& stores = location(next.location).stores;
  for (std::size_t j = static_cast<std::size_t>(next.place >= 0 ? next.place : next.reads); j < stores.size(); ++j) {
    join(stores[j].sources, own);
    join(stores[j].fence_sources, fences);
  }
}

void MemoryModel::add_access(const Next& next, std::uint64_t value) {
  const Clock before = known_before(next);
  const Clock fences = fences_in(before);
  const bool is_sc = is_sc_access(next.order);
  Clock direct;
  if (is_sc) direct = sources_of_access(next, before);
  LocationState& on = location(next.location);
  if (next.reads >= 0 && !acquires(next.order)) {
    join(state(next.thread).acquirable, on.stores[static_cast<std::size_t>(next.reads)].message);
  }
  const std::uint32_t number = add_event(next.thread, before, next.location);
  const std::uint32_t sc = is_sc ? add_sc_event(next.thread, direct, /*is_fence=*/false) : 0;
  Clock own = fences;
  own[next.thread] = std::max(own[next.thread], sc);
  const bool has_sources = sc_count_ != 0;
  if (has_sources && static_cast<std::size_t>(next.later()) < on.stores.size()) {
    add_edges_to_later(next, with_predecessors(own), with_predecessors(fences));
  }
  if (next.place >= 0) {
    Store added{.thread = next.thread, .event = number, .sc = sc, .value = value};
    added.message = message_of(next, state(next.thread).events.back());
    added.fences = fences;
    const Store& previous = on.stores[static_cast<std::size_t>(next.place - 1)];
    added.sources = previous.sources;
    added.fence_sources = previous.fence_sources;
    added.is_modified = next.reads >= 0 && previous.is_modified;  // Only by mistake.
    if (next.reads >= 0) on.stores[static_cast<std::size_t>(next.reads)].is_modified = true;
    on.stores.insert(on.stores.begin() + next.place, added);
  }
  Store& seen = on.stores[static_cast<std::size_t>(next.place >= 0 ? next.place : next.reads)];
  if (seen.first_seen[next.thread] == 0) seen.first_seen[next.thread] = number;
  if (has_sources) add_to_sources(next, own, fences);
  on.accesses.push_back({next.thread, number, sc});
  if (next.place >= 0 && releases(next.order)) {
    std::erase_if(on.releases, [&](const Access& release) { return release.thread == next.thread; });
    on.releases.push_back({next.thread, number, sc});
  }
}

void MemoryModel::load(int thread, int number, std::memory_order order, int position) {
  add_access({thread, number, order, position, -1}, 0);
}

void MemoryModel::store(int thread, int number, std::memory_order order, int position, std::uint64_t value) {
  add_access({thread, number, order, -1, position}, value);
}

void MemoryModel::modify(int thread, int number, std::memory_order order, int position, std::uint64_t value) {
  add_access({thread, number, order, position, position + 1}, value);
}

void MemoryModel::fence(int thread, std::memory_order order) {
  ThreadState& own = state(thread);
  Clock before = own.events.back().clock;
  if (acquires(order)) join(before, own.acquirable);
  const bool is_sc = order == std::memory_order_seq_cst && mistake_ != Mistake::kScFencesAreAcqRel;
  Clock sources;
  if (is_sc) sources = sources_of_fence(before);
  add_event(thread, before, kNoLocation);
  if (is_sc) add_sc_event(thread, sources, /*is_fence=*/true);
  if (releases(order)) own.released = own.events.back().clock;
}

}  // namespace futures::simulator
