#include "futures/internal/completions.h"

#include <utility>

namespace futures::internal {

Completions::~Completions() {
  for (Entry& entry : entries_) {
    if (entry.is_listening) entry.state->remove_listener(entry);
  }
}

void Completions::add(FutureState& state) {
  Entry& entry = entries_.emplace_back(*this, state, added_++);
  entry.is_listening = state.add_listener(entry);
  if (!entry.is_listening) hear(entry);
}

void Completions::Entry::on_done(FutureState&) noexcept { owner.hear(*this); }

void Completions::hear(Entry& entry) noexcept {
  sync::mutex_lock lock(mutex_);
  (first_heard_ == nullptr ? first_heard_ : last_heard_->next_heard) = &entry;
  last_heard_ = &entry;
  heard_.notify_one();
}

std::optional<std::size_t> Completions::next(sync::deadline until) {
  Entry* entry = nullptr;
  {
    sync::mutex_lock lock(mutex_);
    while (first_heard_ == nullptr) {
      if (!heard_.wait_until(mutex_, until) && first_heard_ == nullptr) return std::nullopt;
    }
    entry = first_heard_;
    first_heard_ = entry->next_heard;
  }
  // remove_listener waits for the state's lock, under which the listener was called. After it the caller may destroy
  // the state.
  if (std::exchange(entry->is_listening, false)) entry->state->remove_listener(*entry);
  entry->state = nullptr;
  const std::size_t number = entry->number;
  // Drops entries that were returned. So a stream of states needs memory only from the oldest unfinished one to the
  // newest.
  while (!entries_.empty() && entries_.front().state == nullptr) entries_.pop_front();
  return number;
}

}  // namespace futures::internal
