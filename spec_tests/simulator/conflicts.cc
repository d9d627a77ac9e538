#include "spec_tests/simulator/conflicts.h"

#include "absl/log/check.h"

namespace futures::simulator {

void Conflicts::Object::restart() {
  write = {};
  reads.clear();
  before.clear();
  written = {};
  used = {};
}

void Conflicts::restart() {
  objects_.restart();
  raced_.clear();
}

void Conflicts::start(int creator, int created) {
  CHECK_LT(created, kThreadsMax) << "too many threads for a search that looks for conflicts";
  of(created) = {};
  if (creator >= 0) of(created).now = of(creator).now;
}

void Conflicts::join(int thread, int ended) { of(thread).now.join(of(ended).now); }

Conflicts::Use Conflicts::next_use(int thread) {
  Thread& self = of(thread);
  return {thread, ++self.now.of[static_cast<std::size_t>(thread)], self.choice};
}

// Unless something in between is known to be ordered behind the earlier use.
void Conflicts::race(const Use& earlier, int thread) {
  if (earlier.choice == kNoChoice || earlier.thread == thread) return;
  if (earlier.number > of(thread).now.of[static_cast<std::size_t>(earlier.thread)]) raced_.push_back(earlier.choice);
}

void Conflicts::read(int thread, const void* address) {
  Object& on = object(address);
  race(on.write, thread);
  of(thread).now.join(on.written);
  const Use use = next_use(thread);
  const auto own = std::find_if(on.reads.begin(), on.reads.end(), [&](const Use& u) { return u.thread == thread; });
  if (own == on.reads.end()) {
    on.reads.push_back(use);
  } else {
    *own = use;  // It is in between the other one and whatever comes later.
  }
  on.used.join(of(thread).now);
}

void Conflicts::write(int thread, const void* address) {
  Object& on = object(address);
  for (const Use& read : on.reads) race(read, thread);
  // Reads of other threads are behind the last write: they are in between.
  const bool is_read = std::any_of(on.reads.begin(), on.reads.end(), [&](const Use& u) { return u.thread != thread; });
  if (!is_read) race(on.write, thread);
  of(thread).now.join(on.used);
  on.reads.clear();
  on.write = next_use(thread);
  on.used.join(of(thread).now);
  on.written = on.used;
}

void Conflicts::use_mutex(int thread, const void* address, bool has_waited) {
  Object& mutex = object(address);
  for (const Use& use : mutex.before) {
    if (has_waited) race(use, thread);
  }
  write(thread, address);
  mutex.before.push_back(mutex.write);
}

}  // namespace futures::simulator
