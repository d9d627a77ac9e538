// The text of findings, and explorations.
#include <signal.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <map>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "futures/internal/time.h"
#include "spec_tests/simulator/machine.h"

namespace futures::simulator {
namespace {

struct Words {
  std::string_view operation;
  std::string_view object;
};

Words words(Operation operation) {
  switch (operation) {
    case Operation::kLoad:
      return {"load", "atomic"};
    case Operation::kStore:
      return {"store", "atomic"};
    case Operation::kExchange:
      return {"exchange", "atomic"};
    case Operation::kFetch:
      return {"read and modify", "atomic"};
    case Operation::kCompareExchange:
      return {"compare_exchange", "atomic"};
    case Operation::kFence:
      return {"fence", ""};
    case Operation::kLock:
      return {"lock", "mutex"};
    case Operation::kUnlock:
      return {"unlock", "mutex"};
    case Operation::kWait:
      return {"wait", "condition"};
    case Operation::kNotifyOne:
      return {"notify_one", "condition"};
    case Operation::kNotifyAll:
      return {"notify_all", "condition"};
    case Operation::kFutexWait:
      return {"futex_wait", "atomic"};
    case Operation::kFutexWake:
      return {"futex_wake_all", "atomic"};
    case Operation::kStart:
      return {"start", ""};
    case Operation::kJoin:
      return {"join", ""};
    case Operation::kDetach:
      return {"detach", ""};
    case Operation::kPause:
      return {"pause", ""};
    case Operation::kCancel:
      return {"cancel", ""};
    case Operation::kCancellationPoint:
      return {"cancellation point", ""};
    case Operation::kPassTime:
      return {"passes time", ""};
    case Operation::kEnd:
      return {"ends", ""};
    case Operation::kNote:
      return {"", ""};
  }
  return {};
}

// The place in the source that the simulated copy was made of: it has the same lines.
std::string place(const Where& where) {
  std::string_view file = where.file_name();
  if (file.empty()) return "";
  for (const std::string_view folder : {"/simulated/", "/mutated/"}) {
    if (const std::size_t at = file.rfind(folder); at != file.npos) file.remove_prefix(at + folder.size());
  }
  return absl::StrCat(file, ":", where.line());
}

// Numbers objects in the order of their first use, so that they have the same names in each run of a schedule.
class Names {
 public:
  std::string of(Operation operation, const void* object) {
    if (object == nullptr) return "";
    const std::string_view kind = words(operation).object;
    const auto [at, is_new] = names_.try_emplace({object, kind}, 0);
    if (is_new) at->second = ++counts_[kind];
    return absl::StrCat(kind, " ", at->second);
  }

 private:
  std::map<std::pair<const void*, std::string_view>, int> names_;
  std::map<std::string_view, int> counts_;
};

}  // namespace

std::string_view to_text(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kBrokenExpectation:
      return "broken expectation";
    case Finding::Kind::kNotOfTheModel:
      return "history that is not the model's";
    case Finding::Kind::kDeadlock:
      return "deadlock";
    case Finding::Kind::kLostWakeUp:
      return "lost wake-up";
    case Finding::Kind::kLivelock:
      return "livelock";
    case Finding::Kind::kNeverDone:
      return "never done";
    case Finding::Kind::kLeakedThread:
      return "leaked thread";
    case Finding::Kind::kDataRace:
      return "data race";
    case Finding::Kind::kUseAfterFree:
      return "use after free";
    case Finding::Kind::kException:
      return "exception";
    case Finding::Kind::kMisuse:
      return "misuse";
    case Finding::Kind::kNotDeterministic:
      return "not deterministic";
  }
  return "";
}

// --- Rows.

void Machine::add_row(Operation operation, const void* object, const Where& where, std::string text) {
  rows_.push_back({.thread = current_,
                   .preempted = std::exchange(preempted_, false),
                   .operation = operation,
                   .object = object,
                   .where = where,
                   .text = std::move(text)});
}

void Machine::append(std::string_view text) {
  const Inside inside;
  absl::StrAppend(&rows_.back().text, text);
}

void Machine::note(std::string_view what) {
  const Inside inside;
  if (in_run_ && records_) add_row(Operation::kNote, nullptr, Where(), std::string(what));
}

std::string Machine::table() const {
  constexpr std::size_t kRowsMax = 400;
  Names names;
  std::string text =
      absl::StrFormat("    %4s  %-14s %-17s %-13s %s\n", "row", "thread", "operation", "object", "what, where");
  const std::size_t first = rows_.size() > kRowsMax ? rows_.size() - kRowsMax : 0;
  if (first > 0) absl::StrAppend(&text, "    ... ", first, " rows left out\n");
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    const std::string object = names.of(row.operation, row.object);
    if (i < first) continue;
    const std::string where = place(row.where);
    absl::StrAppendFormat(&text, "  %s %4d  %-14s %-17s %-13s %s%s%s\n", row.preempted ? ">" : " ", i,
                          thread_name(row.thread), words(row.operation).operation, object, row.text,
                          row.text.empty() || where.empty() ? "" : "  ", where);
  }
  return text;
}

std::string Machine::blocked_threads() {
  std::string text = "nobody can run, and";
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    const char* waits = nullptr;
    if (t.state == State::kMutex) waits = "for a mutex";
    if (t.state == State::kCondition) waits = "to be notified";
    if (t.state == State::kFutex) waits = "to be woken";
    if (t.state == State::kRest) waits = "for the others to rest";
    if (t.state == State::kJoin) waits = "for the end of other threads";
    if (waits == nullptr) continue;
    const std::string where = place(t.waits_at);
    absl::StrAppend(&text, "\n    ", t.name, " waits ", waits, where.empty() ? "" : " at ", where);
  }
  return text;
}

// --- Runs that do not end.

void Machine::eventually(const std::function<bool()>& holds, std::string_view what, const Where& where) {
  {
    const Inside inside;
    thread(current_).hopes = what;
  }
  while (!holds()) pause(where);
  thread(current_).hopes.clear();
}

void Machine::end_without_end() {
  for (int i = 0; i < count_; ++i) {
    const Thread& t = thread(i);
    if (!t.hopes.empty()) found(Finding::Kind::kNeverDone, absl::StrCat(t.name, " waits in vain: ", t.hopes));
  }
  found(Finding::Kind::kLivelock, absl::StrCat("the run has not ended after ", limits_.steps_per_run,
                                               " steps, and as many more under fair scheduling"));
}

// --- Explorations.

namespace {

// The schedule that the environment asks for, if it is of this program.
struct Asked {
  bool is_of_another_program = false;
  std::optional<Schedule> schedule;
};

Asked asked_schedule(std::string_view program) {
  const char* const variable = std::getenv("CONCURRENT_FUTURES_SCHEDULE");
  if (variable == nullptr || *variable == '\0') return {};
  std::string_view text = variable;
  if (!absl::ConsumePrefix(&text, program) || !absl::ConsumePrefix(&text, ":")) return {.is_of_another_program = true};
  Asked asked{.schedule = parse_schedule(text)};
  if (!asked.schedule) {
    std::cerr << "CONCURRENT_FUTURES_SCHEDULE: not a schedule: " << text << "\n";
    std::exit(2);
  }
  return asked;
}

std::string explored_program;

// Whoever ends the process inside a run takes the summary with it, and with status 0 a test would pass.
void refuse_exit() {
  if (!Machine::runs_here()) return;
  std::cerr << "FOUND the end of the process inside a run of " << explored_program << "\n  schedule "
            << to_text(Machine::instance().schedule()) << std::endl;
  std::_Exit(1);
}

// So does a crash, such as a failed assertion of the standard library's. The signal then does what it would have done.
void tell_crash(int signal) {
  if (Machine::runs_here()) {
    std::cerr << "FOUND a crash inside a run of " << explored_program << "; repeat it with\n"
              << "    --test_env=CONCURRENT_FUTURES_SCHEDULE='" << explored_program << ": "
              << to_text(Machine::instance().schedule()) << "'" << std::endl;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void watch_crashes() {
  static std::byte stack[std::size_t{64} << 10];  // The fiber's own may be what has overflowed.
  const stack_t alternative = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof(stack)};
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = &tell_crash;
  action.sa_flags = SA_ONSTACK;
  for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGSEGV}) sigaction(signal, &action, nullptr);
}

void watch_end(std::string_view program) {
  explored_program = program;
  [[maybe_unused]] static const bool crashes_are_watched = (watch_crashes(), true);
  [[maybe_unused]] static const bool is_watched =
      std::atexit(&refuse_exit) == 0 && std::at_quick_exit(&refuse_exit) == 0;
}

// One run, and what the program's judge says of it.
Machine::Outcome run_and_judge(const Program& program, Strategy& strategy, Limits limits, Machine::Looks looks) {
  Machine& machine = Machine::instance();
  Machine::Outcome outcome = machine.run(program.body, strategy, limits, looks);
  if (outcome.finding || !program.judge) return outcome;
  if (std::optional<Program::Verdict> verdict = program.judge()) {
    outcome.finding = Finding{.kind = verdict->kind,
                              .what = std::move(verdict->what),
                              .schedule = outcome.schedule,
                              .table = machine.table()};
  }
  return outcome;
}

// Repeats the run of a finding and keeps its table.
Finding repeated(const Finding& finding, const Program& program, Limits limits, Machine::Looks looks) {
  Replay replay(finding.schedule);
  replay.next_run();
  looks.records = true;
  Machine::Outcome outcome = run_and_judge(program, replay, limits, looks);
  if (!outcome.finding || outcome.finding->kind != finding.kind) {
    return {.kind = Finding::Kind::kNotDeterministic,
            .what = absl::StrCat("the run found a ", to_text(finding.kind), " (", finding.what,
                                 "), and the same schedule found something else when it was repeated"),
            .schedule = finding.schedule,
            .table = outcome.finding ? outcome.finding->table : ""};
  }
  return *std::move(outcome.finding);
}

}  // namespace

Exploration explore(std::string name, std::function<void()> body, Strategy&& strategy, Limits limits, Memory memory) {
  return explore(std::move(name), Program{.body = std::move(body)}, std::move(strategy), limits, memory);
}

Exploration explore(std::string name, const Program& program, Strategy&& strategy, Limits limits, Memory memory) {
  Exploration result{.program = std::move(name), .strategy = strategy.name()};
  const Asked asked = asked_schedule(result.program);
  if (asked.is_of_another_program) return result;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  watch_end(result.program);
  if (memory == Memory::kWeak && strategy.asks_for_races()) {
    LOG(FATAL) << "what races is known under sequential consistency alone";
  }
  if (asked.schedule) {
    Replay replay(*asked.schedule);
    replay.next_run();
    Machine::Outcome outcome = run_and_judge(
        program, replay, limits, {.records = true, .at_accesses = limits.races_one_in > 0, .memory = memory});
    result.schedules = 1;
    result.strategy = replay.name();
    result.finding = std::move(outcome.finding);
    if (result.ok()) std::cout << result.report() << Machine::instance().table();
    return result;
  }
  while (strategy.next_run()) {
    const bool at_accesses = limits.races_one_in > 0 && result.schedules % limits.races_one_in == 0;
    ++result.schedules;
    const Machine::Looks looks = {.at_accesses = at_accesses, .memory = memory};
    Machine::Outcome outcome = run_and_judge(program, strategy, limits, looks);
    result.steps += outcome.steps;
    result.plain_accesses += outcome.plain_accesses;
    if (outcome.finding) {
      result.finding = repeated(*outcome.finding, program, limits, looks);
      break;
    }
    if (result.schedules % 64 == 0 && seconds() > limits.seconds) break;
  }
  result.seconds = seconds();
  return result;
}

std::string Exploration::report() const {
  std::string text =
      absl::StrFormat("%s: %d schedules, %d steps, %.2f s; %s\n", program, schedules, steps, seconds, strategy);
  if (!finding) return text;
  absl::StrAppend(&text, "FOUND ", to_text(finding->kind), ": ", finding->what, "\n  schedule ", schedules,
                  " of this program; repeat it with\n    --test_env=CONCURRENT_FUTURES_SCHEDULE='", program, ": ",
                  to_text(finding->schedule), "'\n", finding->table);
  return text;
}

void expect(bool holds, std::string_view what) {
  if (holds) return;
  const Machine::Inside inside;
  Machine::instance().found(Finding::Kind::kBrokenExpectation, std::string(what));
}

void together(std::vector<std::function<void()>> clients) { Machine::instance().together(std::move(clients)); }

void pass_time() { Machine::instance().before(Operation::kPassTime, nullptr, nullptr, Where()); }

void await_rest() { Machine::instance().await_rest(); }

void eventually(const std::function<bool()>& holds, std::string_view what) {
  Machine::instance().eventually(holds, what, Where());
}

int live_threads() { return Machine::instance().live_threads(); }

int this_thread() { return Machine::instance().current(); }

void cancel(int thread, std::source_location where) { Machine::instance().cancel(thread, where); }

void meet(const void* object) { Machine::instance().meet(object); }

void note(std::string_view what) { Machine::instance().note(what); }

}  // namespace futures::simulator
