#include "spec_tests/simulator/trace_program.h"

#include <functional>
#include <memory>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
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

void play_client(Episode& episode, int client) {
  const AsClient as_client(static_cast<model::Client>(client));
  for (const spec_tests::Step& step : episode.trace().steps) {
    if (step.client != client || step.statement.verb == Verb::kRelease) continue;
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

void play(Episode& episode) {
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
  await_rest();  // What bodies still submit is accepted: the shutdown comes when all is quiet.
  const auto last = static_cast<model::Client>(trace.clients);
  const AsClient as_client(last);
  episode.end_executor(last);
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
    for (const model::Visible call : record.last.calls) add(call);
    for (const model::Reply& outcome : record.last.outcomes) add(outcome);
    for (const bool ran : record.last.callbacks_ran) add(ran);
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

TraceProgram::TraceProgram(std::string_view executor, Trace trace)
    : executor_(executor_named(executor)), trace_(std::move(trace)) {
  // As thread_candidates() has it.
  report_.record = {.trace = trace_, .policy = {.max_workers = trace_.workers, .drain = model::Drain::kStepwise}};
  report_.deterministic = false;
}

Program TraceProgram::program() {
  return {.body = [this] { run(); }, .judge = [this] { return judge(); }};
}

void TraceProgram::run() {
  const std::shared_ptr<Episode> episode = Episode::start(trace_, executor_.make(trace_.workers));
  play(*episode);
  spec_tests::Record& record = report_.record;
  record.last = {};
  episode->look(record.last);
  record.history = episode->recorder().events();
  record.finished = true;
  episode->end();
}

std::optional<Program::Verdict> TraceProgram::judge() {
  std::string key = Key(report_.record).take();
  if (known_good_.contains(key)) return std::nullopt;
  report_.findings = {};
  report_.rejection.clear();
  judge_record(report_);
  if (report_.ok()) {
    all_.add(report_.findings);
    known_good_.insert(std::move(key));
    return std::nullopt;
  }
  const spec_tests::Findings::Violation& first = report_.findings.violations.front();
  const auto kind = first.law == spec_tests::kModelLaw ? Finding::Kind::kNotOfTheModel
                                                       : Finding::Kind::kBrokenExpectation;
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
  const bool is_judged = finding.kind == Finding::Kind::kNotOfTheModel ||
                         finding.kind == Finding::Kind::kBrokenExpectation;
  if (is_judged) return report;
  // The run did not come to its end: there is no history to judge.
  report.record.finished = false;
  report.record.stuck = absl::StrCat(to_text(finding.kind), ": ", finding.what);
  report.rejection = report.record.stuck;
  report.findings = {};
  report.findings.violations.push_back({spec_tests::kModelLaw, report.record.stuck});
  return report;
}

spec_tests::EpisodeReport explore_trace(std::string_view executor, const Trace& trace, long schedules,
                                        std::uint64_t seed) {
  TraceProgram program(executor, trace);
  const std::string name = absl::StrCat(executor, " trace");
  if (!trace.schedule.empty()) return program.report_of(explore(name, program.program(), Replay(trace.schedule)));
  Exploration explored = explore(name, program.program(), Replay({}));
  const long random = schedules / 2;
  if (explored.ok()) {
    explored = explore(name, program.program(), RandomWalk({.runs = random, .seed = seed, .faults = false}));
  }
  if (explored.ok()) explored = explore(name, program.program(), Pct({.runs = schedules - random, .seed = seed}));
  return program.report_of(explored);
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
