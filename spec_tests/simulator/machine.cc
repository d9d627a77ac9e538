#include "spec_tests/simulator/machine.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include <cxxabi.h>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "spec_tests/simulator/quarantine.h"

namespace futures::simulator {
namespace {

// Of one run, those that have ended among them. More are threads without end.
constexpr int kThreadsMax = 1'000;

}  // namespace

// --- A run.

Machine::Outcome Machine::run(const std::function<void()>& program, Strategy& strategy, const Limits& limits,
                              Looks looks) {
  strategy_ = &strategy;
  count_ = 0;
  choices_ = 0;
  steps_ = 0;
  limits_ = limits;
  now_ = 3'600'000'000'000;  // An hour, so that nothing is at or before the clock's zero.
  records_ = looks.records;
  is_weak_ = looks.memory == Memory::kWeak;
  looks_at_accesses_ = looks.at_accesses && !is_weak_;
  preempted_ = false;
  if (is_weak_) memory_.begin_run();
  outcome_ = {};
  rows_.clear();
  looks_for_conflicts_ = strategy.asks_for_races();
  if (looks_for_conflicts_) conflicts_.restart();
  happens_before_.restart();
  plain_accesses_.restart();
  current_ = kNobody;
  current_ = add_thread("main", program);
  own_stack_ = thread(current_).fiber.stack();
  {
    const Quarantine quarantine;
    const std::terminate_handler terminate_before = std::set_terminate(&Machine::on_terminate);
    in_run_ = runs_here_ = true;
    outside_.switch_to(thread(current_).fiber);
    in_run_ = runs_here_ = false;
    observes_ = false;
    std::set_terminate(terminate_before);
  }
  outcome_.steps = steps_;
  if (looks_for_conflicts_) {
    for (const int choice : conflicts_.raced()) strategy.race(choice);
  }
  if (outcome_.finding) {
    outcome_.finding->schedule = outcome_.schedule;
    outcome_.finding->table = table();
    // Their stacks hold what nobody will unwind: they are not used again.
    for (int i = 0; i < count_; ++i) {
      if (thread(i).state != State::kEnded) (void)threads_[static_cast<std::size_t>(i)].release();
    }
    threads_.clear();
  }
  return std::move(outcome_);
}

int Machine::add_thread(const std::string& name, std::function<void()> body) {
  const int number = count_;
  if (number == kThreadsMax) found(Finding::Kind::kMisuse, "the program has started too many threads");
  if (static_cast<std::size_t>(number) == threads_.size()) threads_.push_back(std::make_unique<Thread>(number));
  ++count_;
  Thread& added = thread(number);
  added.fiber.restart();
  added.name = name.empty() ? absl::StrCat("thread ", number) : name;
  added.body = std::move(body);
  added.last_words.clear();
  added.state = State::kCanRun;
  added.object = nullptr;
  added.mutex = nullptr;
  added.until.reset();
  added.timed_out = false;
  added.yields = false;
  added.is_owned = false;
  added.is_cancelled = false;
  added.is_cancellable = true;
  added.is_ending = false;
  added.hopes.clear();
  if (looks_at_accesses_) happens_before_.start(current_, number);
  if (looks_for_conflicts_) conflicts_.start(current_, number);
  if (is_weak_) {
    if (number == MemoryModel::kThreadsMax) found(Finding::Kind::kMisuse, "too many threads for weak memory");
    memory_.start_thread(number, number == 0 ? MemoryModel::kNoThread : current_);
  }
  return number;
}

void Machine::enter(void* argument) {
  Machine& machine = instance();
  {
    auto* const self = static_cast<Thread*>(argument);
    observes_ = true;
    try {
      self->body();
      // Whoever has been told that the work is done may go on before the thread has ended.
      machine.before(Operation::kEnd, nullptr, nullptr, Where());
      self->body = nullptr;  // With what it has captured, on its own thread.
    } catch (abi::__forced_unwind&) {
      machine.before(Operation::kEnd, nullptr, nullptr, Where());
      self->body = nullptr;
      throw;  // To the end of the stack: see unwind_frame.
    } catch (const std::exception& e) {
      const Inside inside;
      machine.found(Finding::Kind::kException,
                    absl::StrCat("an exception left the thread ", self->name, ": ", e.what()));
    } catch (...) {
      const Inside inside;
      machine.found(Finding::Kind::kException, absl::StrCat("an exception left the thread ", self->name));
    }
  }
  machine.end_thread();
}

void Machine::end_thread() {
  say_last_words();
  observes_ = false;
  thread(current_).state = State::kEnded;
  reschedule();
  std::abort();  // Nobody comes back.
}

void Machine::leave() {
  Thread& self = thread(current_);
  self.fiber.switch_to(outside_);
  std::abort();  // Nobody comes back.
}

void Machine::found(Finding::Kind kind, std::string what) {
  observes_ = false;
  outcome_.finding = Finding{.kind = kind, .what = std::move(what), .schedule = {}, .table = {}};
  leave();
}

void Machine::on_terminate() {
  const Inside inside;
  Machine& machine = instance();
  std::string what = "std::terminate was called";
  if (const std::exception_ptr error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      absl::StrAppend(&what, " with the exception: ", e.what());
    } catch (...) {
      absl::StrAppend(&what, " with an exception");
    }
  }
  machine.found(Finding::Kind::kException, what);
}

// --- Choices.

int Machine::choose(const Choice& choice) {
  // Fair: each thread that can run in turn. Not the strategy's choice, so no part of the schedule.
  if (steps_ > limits_.steps_per_run) return choice.preempts && choice.first_fault > 1 ? 1 : 0;
  const int number = choices_++;
  const int option = strategy_->choose(choice);
  if (option != 0) outcome_.schedule.push_back({.choice = number, .option = option});
  return option;
}

bool Machine::can_run(const Thread& thread) const {
  if (thread.state == State::kCanRun) return true;  // Most often.
  switch (thread.state) {
    case State::kMutex:
      return thread.mutex->owner == kNobody;
    case State::kJoin:
      return std::all_of(thread.joined.begin(), thread.joined.end(), [this](int number) {
        return threads_[static_cast<std::size_t>(number)]->state == State::kEnded;
      });
    default:
      return false;
  }
}

void Machine::collect_events() {
  events_.clear();
  // From the current thread on, so that without deviations all get their turn.
  for (int number = current_; number < count_; ++number) {
    if (can_run(thread(number))) events_.push_back({number, Event::Kind::kGoesOn});
  }
  for (int number = 0; number < current_; ++number) {
    if (can_run(thread(number))) events_.push_back({number, Event::Kind::kGoesOn});
  }
  if (events_.empty()) {
    for (int i = 0; i < count_; ++i) {
      if (thread(i).state == State::kRest) events_.push_back({i, Event::Kind::kGoesOn});
    }
  }
  // A thread that has said that it waits goes on only if nobody else can: else a loop could wait for ever.
  if (std::exchange(thread(current_).yields, false) && events_.size() > 1) events_.erase(events_.begin());
}

void Machine::collect_timeouts() {
  Deadline next;
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    const bool waits = t.state == State::kCondition || t.state == State::kFutex;
    if (waits && t.until && (!next || *t.until < *next)) next = t.until;
  }
  if (!next) end_without_runnable();
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    const bool waits = t.state == State::kCondition || t.state == State::kFutex;
    if (waits && t.until == next) events_.push_back({i, Event::Kind::kTimeIsUp});
  }
}

void Machine::collect_faults() {
  const auto waits = [](const Thread& t) { return t.state == State::kCondition || t.state == State::kFutex; };
  bool has_deadlines = false;
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    if (!waits(t)) continue;
    events_.push_back({i, Event::Kind::kWakesForNoReason});
    has_deadlines = has_deadlines || t.until;
  }
  spurious_end_ = static_cast<int>(events_.size());
  if (!has_deadlines) return;
  for (int i = 0; i < count_; ++i) {
    if (waits(thread(i)) && thread(i).until) events_.push_back({i, Event::Kind::kTimeIsUp});
  }
}

void Machine::reschedule() {
  const bool could_go_on = thread(current_).state == State::kCanRun && !thread(current_).yields;
  for (;;) {
    collect_events();
    int first_fault = static_cast<int>(events_.size());
    spurious_end_ = first_fault;
    if (events_.empty()) {
      collect_timeouts();
      first_fault = static_cast<int>(events_.size());
    } else {
      collect_faults();
    }
    const int choice = choices_;
    const Event event = events_[static_cast<std::size_t>(choose_event(first_fault, could_go_on))];
    if (event.kind == Event::Kind::kGoesOn) {
      if (looks_for_conflicts_) {
        const bool could_be_preempted = could_go_on && event.thread == current_ && choice != choices_;
        conflicts_.begin_block(event.thread, could_be_preempted ? choice : Conflicts::kNoChoice);
      }
      if (could_go_on && event.thread != current_) preempted_ = true;
      switch_to(event.thread);
      return;
    }
    end_wait(event);
  }
}

int Machine::choose_event(int first_fault, bool could_go_on) {
  if (events_.size() == 1) return 0;
  event_threads_.clear();
  for (int i = 0; i < first_fault; ++i) event_threads_.push_back(events_[static_cast<std::size_t>(i)].thread);
  return choose({.kind = Choice::Kind::kThread,
                 .options = static_cast<int>(events_.size()),
                 .first_fault = first_fault,
                 .spurious_end = spurious_end_,
                 .preempts = could_go_on,
                 .threads = event_threads_.data()});
}

void Machine::switch_to(int next) {
  if (next == current_) return;
  Fiber& from = thread(current_).fiber;
  current_ = next;
  own_stack_ = thread(next).fiber.stack();
  from.switch_to(thread(next).fiber);
}

void Machine::end_wait(const Event& event) {
  Thread& t = thread(event.thread);
  if (event.kind == Event::Kind::kTimeIsUp) {
    t.timed_out = true;
    now_ = std::max(now_, t.until.value());
    if (looks_for_conflicts_) follow_all(event.thread);
  }
  if (records_) {
    const int runs = std::exchange(current_, event.thread);
    add_row(Operation::kNote, nullptr, t.waits_at,
            event.kind == Event::Kind::kTimeIsUp ? "its time is up" : "wakes for no reason");
    current_ = runs;
  }
  wake(t);
}

void Machine::wake(Thread& t) { t.state = t.state == State::kCondition ? State::kMutex : State::kCanRun; }

void Machine::end_without_runnable() {
  bool main_has_ended = thread(0).state == State::kEnded;
  bool is_lost_wake_up = false;
  bool all_ended = true;
  int unowned = kNobody;
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    all_ended = all_ended && t.state == State::kEnded;
    is_lost_wake_up = is_lost_wake_up || t.state == State::kCondition || t.state == State::kFutex;
    if (t.is_owned) unowned = i;
  }
  if (all_ended) {
    if (unowned != kNobody) {
      found(Finding::Kind::kLeakedThread, absl::StrCat(thread(unowned).name, " was neither joined nor detached"));
    }
    leave();
  }
  const auto kind = main_has_ended    ? Finding::Kind::kLeakedThread
                    : is_lost_wake_up ? Finding::Kind::kLostWakeUp
                                      : Finding::Kind::kDeadlock;
  found(kind, blocked_threads());
}

int Machine::choose_of_memory(const Choice& choice) {
  const int option = choose(choice);
  if (option != 0 && records_) {
    append(choice.kind == Choice::Kind::kStoreRead    ? "(not the newest store) "
           : choice.kind == Choice::Kind::kStorePlace ? "(not as the newest store) "
                                                      : "(fails for no reason) ");
  }
  return option;
}

}  // namespace futures::simulator
