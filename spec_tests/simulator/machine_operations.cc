// The operations of a run: what sync.h asks of the machine.
#include <algorithm>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "spec_tests/simulator/machine.h"

namespace futures::simulator {

void Machine::before(Operation operation, const void* object, const Liveness* liveness, const Where& where) {
  const Inside inside;
  if (!in_run_) return;
  reschedule_at_operation(where);
  if (looks_for_conflicts_) use(operation, object);
  if (records_) add_row(operation, object, where);
  if (liveness != nullptr && !liveness->lives()) {
    found(Finding::Kind::kUseAfterFree, absl::StrCat(thread(current_).name, " uses an object that has been destroyed"));
  }
}

// An atomic's value is used in `order`, which knows whether it changes.
void Machine::use(Operation operation, const void* object) {
  switch (operation) {
    case Operation::kLock:
    case Operation::kUnlock:
      return conflicts_.use_mutex(current_, object, /*has_waited=*/false);
    case Operation::kWait:
    case Operation::kNotifyOne:
    case Operation::kNotifyAll:
    case Operation::kFutexWake:
      return conflicts_.write(current_, object);
    case Operation::kCancel:
      return refuse_search_for_races("cancelled threads");
    case Operation::kFutexWait:
      return conflicts_.read(current_, object);
    case Operation::kStart:  // Gives the next number.
      return conflicts_.write(current_, &count_);
    default:
      return;
  }
}

void Machine::meet(const void* object) {
  const Inside inside;
  if (in_run_ && looks_for_conflicts_) conflicts_.write(current_, object);
}

std::int64_t Machine::now() {
  meet(&now_);
  return ++now_;
}

void Machine::follow_all(int number) {
  for (int i = 0; i < count_; ++i) conflicts_.join(number, i);
}

void Machine::refuse_search_for_races(std::string_view question) {
  if (!in_run_ || !looks_for_conflicts_) return;
  LOG(FATAL) << "a search that preempts only at races does not know of " << question;
}

void Machine::reschedule_at_operation(const Where& where) {
  thread(current_).waits_at = where;
  if (++steps_ > 2 * limits_.steps_per_run) end_without_end();
  reschedule();
}

bool Machine::weak_compare_exchange_fails() {
  const Inside inside;
  if (!in_run_ || choose({.kind = Choice::Kind::kWeakFailure, .options = 2, .first_fault = 1, .spurious_end = 2}) == 0)
    return false;
  if (records_) append("fails for no reason");
  return true;
}

void Machine::fence(std::memory_order order, const Where& where) {
  before(Operation::kFence, nullptr, nullptr, where);
  this->order(Ordering::kFence, nullptr, order);
  if (WeakMemory* const memory = weak_memory()) memory->fence(current_, order);
}

void Machine::lock(MutexState& mutex, const Where& where) {
  const Inside inside;
  if (!in_run_) {
    if (mutex.owner != kNobody) LOG(FATAL) << "a mutex is locked outside a run, and a run has left it locked";
    mutex.owner = kOutside;
    return;
  }
  before(Operation::kLock, &mutex, &mutex.liveness, where);
  take(mutex);
}

void Machine::take(MutexState& mutex) {
  Thread& self = thread(current_);
  if (mutex.owner != kNobody) {
    self.state = State::kMutex;
    self.object = &mutex;
    self.mutex = &mutex;
    reschedule();
    self.state = State::kCanRun;
    if (looks_for_conflicts_) conflicts_.use_mutex(current_, &mutex, /*has_waited=*/true);
    if (records_) add_row(Operation::kLock, &mutex, self.waits_at, "has it now");
  }
  mutex.owner = current_;
  if (looks_at_accesses_) happens_before_.acquire(current_, &mutex);
  if (is_weak_) memory_.lock(current_, mutex.tag);
}

void Machine::unlock(MutexState& mutex, const Where& where) {
  const Inside inside;
  if (!in_run_) {
    mutex.owner = kNobody;
    return;
  }
  before(Operation::kUnlock, &mutex, &mutex.liveness, where);
  if (mutex.owner != current_) found(Finding::Kind::kMisuse, "a thread unlocks a mutex that it does not hold");
  mutex.owner = kNobody;
  if (looks_at_accesses_) happens_before_.release(current_, &mutex);
  if (is_weak_) memory_.unlock(current_, mutex.tag);
}

bool Machine::wait(const void* condition, const Liveness& liveness, MutexState& mutex, Deadline until,
                   const Where& where) {
  const Inside inside;
  if (!in_run_) LOG(FATAL) << "a wait on a condition variable outside a run would never end";
  before(Operation::kWait, condition, &liveness, where);
  if (mutex.owner != current_) found(Finding::Kind::kMisuse, "a thread waits with a mutex that it does not hold");
  Thread& self = thread(current_);
  mutex.owner = kNobody;
  if (looks_at_accesses_) happens_before_.release(current_, &mutex);
  if (is_weak_) memory_.unlock(current_, mutex.tag);
  if (looks_for_conflicts_) conflicts_.use_mutex(current_, &mutex, /*has_waited=*/false);
  self.object = condition;
  self.mutex = &mutex;
  self.until = until;
  self.timed_out = until && *until <= now_;
  self.is_cancelled_here = ends_here(self);
  self.state = self.timed_out || self.is_cancelled_here ? State::kMutex : State::kCondition;
  reschedule();
  self.state = State::kCanRun;
  if (looks_for_conflicts_) conflicts_.use_mutex(current_, &mutex, /*has_waited=*/true);
  mutex.owner = current_;
  if (looks_at_accesses_) happens_before_.acquire(current_, &mutex);
  if (is_weak_) memory_.lock(current_, mutex.tag);
  if (std::exchange(self.is_cancelled_here, false)) exit_thread();
  if (records_) add_row(Operation::kWait, condition, where, self.timed_out ? "is over: the time is up" : "is over");
  return !self.timed_out;
}

void Machine::notify(const void* condition, const Liveness& liveness, bool all, const Where& where) {
  const Inside inside;
  if (!in_run_) return;
  before(all ? Operation::kNotifyAll : Operation::kNotifyOne, condition, &liveness, where);
  waiters_.clear();
  for (int i = 1; i <= count_; ++i) {
    const int number = (current_ + i) % count_;
    const Thread& t = thread(number);
    if (t.state == State::kCondition && t.object == condition) waiters_.push_back(number);
  }
  if (!all && waiters_.size() > 1) {
    const int options = static_cast<int>(waiters_.size());
    waiters_ = {waiters_[static_cast<std::size_t>(
        choose({.kind = Choice::Kind::kWaiter, .options = options, .first_fault = options}))]};
  }
  wake_waiters();
}

void Machine::wake_waiters() {
  if (records_) append(waiters_.empty() ? "wakes nobody" : "wakes");
  for (const int number : waiters_) {
    if (records_) append(absl::StrCat(" ", thread(number).name));
    if (looks_for_conflicts_) conflicts_.join(number, current_);
    wake(thread(number));
  }
}

bool Machine::futex_wait(const void* word, const Liveness& liveness, const std::function<bool()>& holds, Deadline until,
                         const Where& where) {
  const Inside inside;
  if (!in_run_) {
    if (holds()) LOG(FATAL) << "a wait on a futex outside a run would never end";
    return true;
  }
  before(Operation::kFutexWait, word, &liveness, where);
  if (!holds()) {
    if (records_) append("the word has changed");
    return true;
  }
  Thread& self = thread(current_);
  if (until && *until <= now_) return false;
  self.state = State::kFutex;
  self.object = word;
  self.mutex = nullptr;
  self.until = until;
  self.timed_out = false;
  reschedule();
  self.state = State::kCanRun;
  if (records_) add_row(Operation::kFutexWait, word, where, self.timed_out ? "is over: the time is up" : "is over");
  return !self.timed_out;
}

void Machine::futex_wake(const void* word, const Where& where) {
  const Inside inside;
  if (!in_run_) return;
  before(Operation::kFutexWake, word, nullptr, where);  // The address only: the word may be gone.
  if (is_weak_) memory_.futex_wake(current_, word);
  waiters_.clear();
  for (int i = 0; i < count_; ++i) {
    if (thread(i).state == State::kFutex && thread(i).object == word) waiters_.push_back(i);
  }
  wake_waiters();
}

int Machine::start(const std::string& name, std::function<void()> body, const Where& where) {
  const Inside inside;
  if (!in_run_) LOG(FATAL) << "a thread is started outside a run";
  before(Operation::kStart, nullptr, nullptr, where);
  if (choose({.kind = Choice::Kind::kStartFailure, .options = 2, .first_fault = 1}) != 0) {
    if (records_) append("cannot be started");
    return kNobody;
  }
  if (records_) append(name);
  const int number = add_thread(name, std::move(body));
  thread(number).is_owned = true;
  return number;
}

void Machine::join(int number, const Where& where) {
  const Inside inside;
  if (!in_run_) return;  // Of what a run has left behind.
  before(Operation::kJoin, nullptr, nullptr, where);
  if (records_) append(thread(number).name);
  thread(number).is_owned = false;
  join_all({number});
}

void Machine::join_all(std::vector<int> numbers) {
  Thread& self = thread(current_);
  self.joined = std::move(numbers);
  self.state = State::kJoin;
  if (!can_run(self)) reschedule();
  self.state = State::kCanRun;
  for (const int ended : self.joined) {
    if (looks_at_accesses_) happens_before_.join(current_, ended);
    if (looks_for_conflicts_) conflicts_.join(current_, ended);
    if (is_weak_) memory_.join_thread(current_, ended);
  }
}

void Machine::detach(int number, const Where& where) {
  const Inside inside;
  if (!in_run_) return;
  before(Operation::kDetach, nullptr, nullptr, where);
  if (records_) append(thread(number).name);
  thread(number).is_owned = false;
}

void Machine::await_rest() {
  Thread& self = thread(current_);
  self.state = State::kRest;
  reschedule();
  self.state = State::kCanRun;
  if (looks_for_conflicts_) follow_all(current_);
}

bool Machine::has_ended(int number) {
  refuse_search_for_races("the end of a thread");
  return thread(number).state == State::kEnded;
}

bool Machine::is_asleep(int number) {
  refuse_search_for_races("the sleep of a thread");
  const State state = thread(number).state;
  return state == State::kCondition || state == State::kFutex || state == State::kJoin;
}

int Machine::live_threads() {
  refuse_search_for_races("the number of threads");
  return static_cast<int>(std::count_if(threads_.begin(), threads_.begin() + count_,
                                        [](const auto& thread) { return thread->state != State::kEnded; }));
}

void Machine::together(std::vector<std::function<void()>> clients) {
  const Inside inside;
  std::vector<int> numbers;
  for (std::function<void()>& client : clients) {
    numbers.push_back(add_thread(absl::StrCat("client ", numbers.size() + 1), std::move(client)));
  }
  join_all(std::move(numbers));
}

void Machine::pause(const Where& where) {
  const Inside inside;
  if (!in_run_) return;
  thread(current_).yields = true;
  before(Operation::kPause, nullptr, nullptr, where);
}

}  // namespace futures::simulator
