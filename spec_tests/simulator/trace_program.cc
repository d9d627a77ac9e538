#include "spec_tests/simulator/trace_program.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.h"
#include "spec_tests/simulator/simulated/reference/reference_executor.h"
#include "spec_tests/simulator/simulated/spec_tests/candidates/episode.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::simulator {
namespace {

using spec_tests::AsClient;
using spec_tests::Episode;
using spec_tests::Trace;
using spec_tests::Verb;

std::unique_ptr<futures::Executor> make_reference(int workers) {
  return std::make_unique<ReferenceExecutor>(ReferenceOptions{.max_workers = workers});
}

std::unique_ptr<futures::Executor> make_thread_pool(int workers) {
  return std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = workers});
}

// --- All clients at once.

void play_client(Episode& episode, int client) {
  const AsClient as_client(static_cast<model::Client>(client));
  for (const spec_tests::Step& step : episode.trace().steps) {
    if (step.client != client || step.statement.verb == Verb::kRelease) continue;
    meet(&episode.recorder());  // What the statement finds others have recorded.
    episode.perform(static_cast<model::Client>(client), step.statement);
  }
}

void play_gates(Episode& episode) {
  for (const spec_tests::Step& step : episode.trace().steps) {
    if (step.statement.verb == Verb::kRelease) episode.release(step.statement.gate);
  }
  await_rest();
  episode.release_all();
}

bool has_gates(const Trace& trace) {
  for (const spec_tests::Body* body : bodies_of(trace)) {
    for (const spec_tests::Statement& statement : body->statements) {
      if (statement.verb == Verb::kGate) return true;
    }
  }
  return false;
}

void play_freely(Episode& episode) {
  const Trace& trace = episode.trace();
  std::vector<std::function<void()>> threads;
  for (int client = 0; client < trace.clients; ++client) {
    threads.push_back([&episode, client] { play_client(episode, client); });
    for (const spec_tests::Step& step : trace.steps) {
      if (step.client == client && step.statement.verb != Verb::kRelease) episode.expect(step.statement);
    }
  }
  if (has_gates(trace)) threads.push_back([&episode] { play_gates(episode); });
  together(std::move(threads));
}

// --- One step after the other.

// What a client is told to do, and whether it has. A futex by its address.
class Mailbox {
 public:
  void post(const spec_tests::Statement& statement) {
    next_ = &statement;
    Machine::instance().futex_wake(this, Where::current());
  }
  void close() {
    is_closed_ = true;
    Machine::instance().futex_wake(this, Where::current());
  }
  bool busy() const { return next_ != nullptr; }

  // Does what is posted, until it is closed.
  void serve(const std::function<void(const spec_tests::Statement&)>& perform) {
    for (;;) {
      const auto idle = [this] { return next_ == nullptr && !is_closed_; };
      while (idle()) Machine::instance().futex_wait(this, lives_, idle, std::nullopt, Where::current());
      if (next_ == nullptr) return;
      perform(*next_);
      next_ = nullptr;
    }
  }

 private:
  const spec_tests::Statement* next_ = nullptr;
  bool is_closed_ = false;
  Liveness lives_;
};

spec_tests::Observation look(Episode& episode, const std::vector<Mailbox>& mailboxes) {
  spec_tests::Observation seen;
  for (int client = 0; client < episode.trace().clients; ++client) {
    seen.busy.push_back(!mailboxes.empty() && mailboxes[static_cast<std::size_t>(client)].busy());
    seen.replies.push_back(episode.last_reply(static_cast<model::Client>(client)));
  }
  episode.look(seen);
  return seen;
}

void play_steps(Episode& episode, const std::function<void(spec_tests::Observation)>& on_rest) {
  const Trace& trace = episode.trace();
  std::vector<Mailbox> mailboxes(static_cast<std::size_t>(trace.clients));
  std::vector<std::function<void()>> threads;
  for (int client = 0; client < trace.clients; ++client) {
    threads.push_back([&episode, &mailbox = mailboxes[static_cast<std::size_t>(client)], client] {
      const AsClient as_client(static_cast<model::Client>(client));
      mailbox.serve([&](const spec_tests::Statement& statement) {
        episode.perform(static_cast<model::Client>(client), statement);
      });
    });
  }
  threads.push_back([&] {
    for (const spec_tests::Step& step : trace.steps) {
      Mailbox& mailbox = mailboxes[static_cast<std::size_t>(step.client)];
      if (!mailbox.busy()) {
        if (step.statement.verb == Verb::kRelease) {
          episode.release(step.statement.gate);
        } else {
          episode.expect(step.statement);
          mailbox.post(step.statement);
        }
      }
      await_rest();
      on_rest(look(episode, mailboxes));
    }
    episode.release_all();
    for (Mailbox& mailbox : mailboxes) mailbox.close();
  });
  together(std::move(threads));
}

// The bytes of a history and of what was seen last.
class Key {
 public:
  explicit Key(const spec_tests::Record& record) {
    for (const model::Event& event : record.history) {
      add(event.kind, event.client, event.call);
      add(event.reply);
      const model::Operation& operation = event.operation;
      add(operation.kind, operation.call, operation.registration, operation.wait, operation.cancel_futures,
          operation.calls & 0xff, operation.calls >> 8, operation.when, operation.poll);
    }
    add(record.last);
  }
  void add(const spec_tests::Observation& seen) {
    for (const model::Visible call : seen.calls) add(call);
    for (const model::Reply& outcome : seen.outcomes) add(outcome);
    for (const bool ran : seen.callbacks_ran) add(ran);
    for (const bool started : seen.started) add(started);
    for (const bool busy : seen.busy) add(busy);
    for (const model::Reply& reply : seen.replies) add(reply);
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <typename... Values>
  void add(Values... values) {
    (bytes_.push_back(static_cast<char>(values)), ...);
  }
  void add(const model::Reply& reply) { add(reply.kind, reply.value & 0xff, reply.value >> 8); }
  std::string bytes_;
};

}  // namespace

struct TraceProgram::Executor {
  std::string name;
  std::unique_ptr<futures::Executor> (*make)(int workers);
};

const TraceProgram::Executor& TraceProgram::executor_named(std::string_view name) {
  static const auto* const executors =
      new std::vector<Executor>{{"reference", &make_reference}, {"thread_pool", &make_thread_pool}};
  for (const Executor& executor : *executors) {
    if (executor.name == name) return executor;
  }
  LOG(FATAL) << "no simulated executor " << name;
}

const std::vector<std::string>& simulated_executors() {
  static const auto* const names = new std::vector<std::string>{"reference", "thread_pool"};
  return *names;
}

// What was seen when all rested after a step.
struct TraceProgram::Moment {
  spec_tests::Observation seen;
  std::size_t events = 0;  // How many there had been by then.
};

// Shows a run that is over to the judge of steps.
class TraceProgram::Recorded final : public spec_tests::TracePlayer {
 public:
  Recorded(const TraceProgram& program, const spec_tests::Record& record) : program_(program), record_(record) {}

  const std::string& name() const override { return program_.executor_.name; }
  model::Policy policy(int) const override { return record_.policy; }
  absl::Status begin(const Trace&) override { return absl::OkStatus(); }
  absl::Status issue(int index) override {
    now_ = &program_.moments_[static_cast<std::size_t>(index)];
    return absl::OkStatus();
  }
  spec_tests::Observation observe() override { return now_ == nullptr ? record_.last : now_->seen; }
  absl::Status finish() override {
    now_ = nullptr;
    return absl::OkStatus();
  }
  std::vector<model::Event> history() override {
    if (now_ == nullptr) return record_.history;
    return {record_.history.begin(), record_.history.begin() + static_cast<std::ptrdiff_t>(now_->events)};
  }

 private:
  const TraceProgram& program_;
  const spec_tests::Record record_;
  const Moment* now_ = nullptr;
};

TraceProgram::~TraceProgram() = default;

TraceProgram::TraceProgram(std::string_view executor, Trace trace, Play play)
    : executor_(executor_named(executor)), trace_(std::move(trace)), play_(play) {
  // As thread_candidates() has it.
  report_.record = {.trace = trace_, .policy = {.max_workers = trace_.workers, .drain = model::Drain::kStepwise}};
  report_.deterministic = false;
}

Program TraceProgram::program() {
  return {.body = [this] { run(); }, .judge = [this] { return judge(); }};
}

void TraceProgram::run() {
  const std::shared_ptr<Episode> episode = Episode::start(trace_, executor_.make(trace_.workers));
  moments_.clear();
  if (play_ == Play::kFreely) {
    play_freely(*episode);
  } else {
    play_steps(*episode, [&](spec_tests::Observation seen) {
      moments_.push_back({.seen = std::move(seen), .events = episode->recorder().size()});
    });
  }
  await_rest();  // What bodies still submit is accepted: the shutdown comes when all is quiet.
  const auto last = static_cast<model::Client>(trace_.clients);
  {
    const AsClient as_client(last);
    episode->end_executor(last);
  }
  spec_tests::Record& record = report_.record;
  record.last = look(*episode, {});
  record.history = episode->recorder().events();
  record.finished = true;
  episode->end();
}

std::optional<Program::Verdict> TraceProgram::judge() {
  // The model looks at fewer worlds than that in almost every trace; the others are judged by their histories.
  constexpr int kWorldsMax = 1000;
  Key bytes(report_.record);
  for (const Moment& moment : moments_) bytes.add(moment.seen);
  std::string key = bytes.take();
  if (known_good_.contains(key)) return std::nullopt;
  if (play_ == Play::kFreely) {
    report_.findings = {};
    report_.rejection.clear();
    judge_record(report_);
  } else {
    Recorded recorded(*this, report_.record);
    report_ = run_stepwise(recorded, trace_,
                           {.patience = std::chrono::milliseconds(0), .worlds = {.worlds_max = kWorldsMax}});
  }
  if (report_.ok()) {
    all_.add(report_.findings);
    known_good_.insert(std::move(key));
    return std::nullopt;
  }
  const spec_tests::Findings::Violation& first = report_.findings.violations.front();
  const auto kind =
      first.law == spec_tests::kModelLaw ? Finding::Kind::kNotOfTheModel : Finding::Kind::kBrokenExpectation;
  return Program::Verdict{kind, absl::StrCat(first.law, ": ", first.what)};
}

spec_tests::EpisodeReport TraceProgram::report_of(const Exploration& explored) {
  spec_tests::EpisodeReport report = report_;
  report.record.trace.schedule.clear();
  if (explored.ok()) {
    report.findings = all_;
    return report;
  }
  const Finding& finding = *explored.finding;
  report.record.trace.schedule = finding.schedule;
  report.simulation = finding.table;
  const bool is_judged =
      finding.kind == Finding::Kind::kNotOfTheModel || finding.kind == Finding::Kind::kBrokenExpectation;
  if (is_judged) return report;
  // The run did not come to its end: there is no history to judge.
  report.record.finished = false;
  report.record.stuck = absl::StrCat(to_text(finding.kind), ": ", finding.what);
  report.rejection = report.record.stuck;
  report.findings = {};
  report.findings.violations.push_back({spec_tests::kModelLaw, report.record.stuck});
  return report;
}

namespace {

// The player's threads also meet through std::atomic, of which the simulator knows nothing.
constexpr Limits kTraceLimits = {.races_one_in = 0};

// One way to play a trace: the plain schedule, then random ones.
spec_tests::EpisodeReport explore_played(std::string_view executor, const Trace& trace, Play play, long schedules,
                                         std::uint64_t seed) {
  TraceProgram program(executor, trace, play);
  const std::string name = absl::StrCat(executor, " trace");
  Exploration explored = explore(name, program.program(), Replay(trace.schedule), kTraceLimits);
  if (!trace.schedule.empty()) return program.report_of(explored);
  const long random = schedules / 2;
  if (explored.ok()) {
    explored =
        explore(name, program.program(), RandomWalk({.runs = random, .seed = seed, .faults = false}), kTraceLimits);
  }
  if (explored.ok()) {
    explored = explore(name, program.program(), Pct({.runs = schedules - random, .seed = seed}), kTraceLimits);
  }
  return program.report_of(explored);
}

}  // namespace

spec_tests::EpisodeReport explore_trace(std::string_view executor, const Trace& trace, long schedules,
                                        std::uint64_t seed) {
  const long freely = schedules * 3 / 4;  // Step by step there is less to choose.
  spec_tests::EpisodeReport report = explore_played(executor, trace, Play::kFreely, freely, seed);
  if (!report.ok()) return report;
  spec_tests::EpisodeReport steps = explore_played(executor, trace, Play::kStepByStep, schedules - freely, seed);
  if (steps.ok()) steps.findings.add(report.findings);
  return steps;
}

spec_tests::EpisodeReport shrink_finding(std::string_view executor, const spec_tests::EpisodeReport& report,
                                         std::string_view law) {
  constexpr int kTriesMax = 300;
  constexpr long kSchedulesPerTrace = 400;
  spec_tests::EpisodeReport smallest = report;
  const auto still_fails = [&](const Trace& trace) {
    spec_tests::EpisodeReport again = explore_trace(executor, trace, kSchedulesPerTrace);
    if (!again.findings.violates(law)) return false;
    smallest = std::move(again);
    return true;
  };
  Trace without_schedule = report.record.trace;
  without_schedule.schedule.clear();
  spec_tests::shrink_trace(without_schedule, still_fails, kTriesMax);
  spec_tests::shrink_schedule(smallest.record.trace, still_fails, kTriesMax);
  return smallest;
}

}  // namespace futures::simulator
