#include "spec_tests/cpython/cpython_player.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "futures/internal/time.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/cpython/driver_text.h"
#include "spec_tests/cpython/protocol.h"
#include "spec_tests/cpython/python_process.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

// How long the driver may take for what needs no patience with the executor. It is so much only for the sake of a
// machine that is overloaded; a process that is gone is noticed at once.
constexpr std::chrono::milliseconds kAnswerTime{30'000};

std::string_view mode_of(const CPythonPlayer::Options& options) {
  if (options.pool == CPythonPlayer::Pool::kProcesses && options.hold == CPythonPlayer::Hold::kNowhere)
    return "--processes";
  switch (options.hold) {
    case CPythonPlayer::Hold::kNowhere:
      return "";
    case CPythonPlayer::Hold::kTaken:
      return "--hold-taken";
    case CPythonPlayer::Hold::kDrained:
      return "--hold-drained";
    case CPythonPlayer::Hold::kIdle:
      return "--hold-idle";
    case CPythonPlayer::Hold::kClosing:
      return "--processes-hold-closing";
    case CPythonPlayer::Hold::kForEver:
      return "--hang";
  }
  return "";
}

// Whether the statement, or one in its bodies, may cancel one of `calls`.
bool may_cancel(const Statement& statement, std::uint16_t calls) {
  if (statement.verb == Verb::kCancel) return (calls >> statement.call & 1) != 0;
  if (statement.verb == Verb::kShutdown) return statement.cancel_futures;
  return std::any_of(statement.body.begin(), statement.body.end(), [&](const Body& body) {
    return std::any_of(body.statements.begin(), body.statements.end(),
                       [&](const Statement& nested) { return may_cancel(nested, calls); });
  });
}

bool waits_for_shutdown(const Body& body) {
  return std::any_of(body.statements.begin(), body.statements.end(),
                     [](const Statement& statement) { return statement.verb == Verb::kShutdown && statement.wait; });
}

bool several_shut_down(const Trace& trace) {
  std::set<int> clients;
  for (const Step& step : trace.steps) {
    if (step.statement.verb == Verb::kShutdown || step.statement.verb == Verb::kDestroy) clients.insert(step.client);
  }
  return clients.size() > 1;
}

}  // namespace

CPythonPlayer::CPythonPlayer() : CPythonPlayer(Options()) {}
CPythonPlayer::CPythonPlayer(Options options)
    : options_(std::move(options)),
      name_(options_.pool == Pool::kProcesses ? "cpython_process_pool" : "cpython_thread_pool") {}
CPythonPlayer::~CPythonPlayer() = default;

model::Policy CPythonPlayer::policy(int workers) const {
  model::Policy policy = strict_policy(workers);
  if (options_.pool == Pool::kProcesses) {
    policy.bodies_act = false;
    policy.claims_ahead = workers + 1;
    policy.shutdown_cancels_itself = false;
    policy.later_shutdown_waits = false;
  } else {
    policy.shutdown_cancels_taken = false;
    policy.destroy_respects_no_wait = false;
  }
  policy.abandons_unadvanced_map = false;
  policy.map_ends_at_error = map_ends_at_error();
  policy.refused_map_cancels = false;
  policy.ready_after_deadline = false;
  policy.done_at_call_first = false;
  return policy;
}

bool CPythonPlayer::map_ends_at_error() const {
  if (!map_ends_at_error_) {
    auto process = PythonProcess::start(
        {options_.python, "-I", "-S", "-c", "import sys; print('ends' if sys.version_info < (3, 16) else 'goes on')"});
    const auto line = process.ok() ? (*process)->read_line(kAnswerTime) : process.status();
    map_ends_at_error_ = !line.ok() || *line == "ends";
  }
  return *map_ends_at_error_;
}

model::Policy CPythonPlayer::strict_policy(int workers) {
  return {
      .max_workers = workers,
      .start_order = model::StartOrder::kFifo,
      .drain = model::Drain::kStepwise,
      .worker_death = false,
      .shutdown_cancels_taken = true,
      .self_shutdown_throws = true,
  };
}

bool CPythonPlayer::is_stepwise(const Trace& trace, Pool pool) {
  if (pool == Pool::kProcesses) {
    const auto closes = [](const Step& step) { return step.statement.verb == Verb::kShutdown; };
    const auto first = std::find_if(trace.steps.begin(), trace.steps.end(), closes);
    return std::none_of(first == trace.steps.end() ? first : first + 1, trace.steps.end(),
                        [&](const Step& step) { return closes(step) && step.statement.cancel_futures; });
  }
  if (trace.workers == 1) return true;
  const std::vector<const Body*> bodies = bodies_of(trace);
  return std::none_of(bodies.begin(), bodies.end(), [](const Body* body) { return waits_for_shutdown(*body); });
}

bool CPythonPlayer::is_asked(const Trace& trace, Pool pool) {
  if (pool == Pool::kProcesses && several_shut_down(trace)) return false;
  std::uint16_t awaited = 0;
  for (const Step& step : trace.steps) awaited |= step.statement.calls;
  return awaited == 0 || std::none_of(trace.steps.begin(), trace.steps.end(),
                                      [&](const Step& step) { return may_cancel(step.statement, awaited); });
}

absl::Status CPythonPlayer::start() {
  // Isolated from the user's environment and site packages: only the standard library counts, and it starts faster.
  std::vector<std::string> arguments = {options_.python, "-I", "-S", "-c", std::string(kDriverText)};
  if (const std::string_view mode = mode_of(options_); !mode.empty()) arguments.emplace_back(mode);
  auto process = PythonProcess::start(arguments);
  if (!process.ok()) {
    return absl::UnavailableError(
        absl::StrCat("CPython cannot be run: ", process.status().message(), "; is python3 installed and on PATH?"));
  }
  process_ = *std::move(process);
  return absl::OkStatus();
}

// Sends a command and returns what its answer says after the word `answer`. Whatever goes wrong ends the child process.
absl::StatusOr<std::string> CPythonPlayer::ask(std::string_view command, std::string_view answer,
                                               std::chrono::milliseconds patience) {
  if (process_ == nullptr) return absl::UnavailableError("CPython's process has ended");
  absl::Status status = process_->write(absl::StrCat(command, "\n"));
  if (status.ok()) {
    auto line = process_->read_line(patience);
    if (line.ok()) {
      std::string_view rest = *line;
      if (absl::ConsumePrefix(&rest, answer)) return std::string(absl::StripPrefix(rest, " "));
      status = absl::InternalError(absl::StrCat("driver.py says '", *line, "' where '", answer, "' was expected"));
    } else {
      status = line.status();
    }
  }
  process_.reset();
  return absl::Status(status.code(), absl::StrCat("CPython: ", status.message()));
}

absl::Status CPythonPlayer::begin(const Trace& trace) {
  if (running_) finish().IgnoreError();
  history_.clear();
  observation_ = {};
  if (process_ == nullptr) {
    if (absl::Status status = start(); !status.ok()) return status;
  }
  const std::string text = to_text(trace);
  const auto lines = std::count(text.begin(), text.end(), '\n');
  const auto ready = ask(absl::StrCat("begin ", lines, "\n", absl::StripSuffix(text, "\n")), "ready", kAnswerTime);
  if (!ready.ok()) return absl::UnavailableError(ready.status().message());
  running_ = true;
  return absl::OkStatus();
}

absl::Status CPythonPlayer::issue(int index) {
  if (process_ == nullptr) return absl::UnavailableError("CPython's process has ended");
  return process_->write(absl::StrCat("issue ", index, "\n"));
}

Observation CPythonPlayer::observe() {
  if (const auto answer = ask("observe", "observation", kAnswerTime); answer.ok()) {
    if (auto observation = parse_observation(*answer); observation.ok()) observation_ = *std::move(observation);
  }
  return observation_;
}

absl::Status CPythonPlayer::finish() {
  running_ = false;
  const double patience_s = std::chrono::duration<double>(options_.patience).count();
  const auto finished = ask(absl::StrCat("finish ", patience_s), "", options_.patience + kAnswerTime);
  if (!finished.ok()) return finished.status();
  const absl::Status fetched = fetch_history();
  if (*finished == "finished") return fetched;
  process_.reset();
  std::string_view what = *finished;
  absl::ConsumePrefix(&what, "stuck ");
  return absl::DeadlineExceededError(absl::StrCat("CPython: ", what));
}

absl::Status CPythonPlayer::fetch_history() {
  const auto size_text = ask("history", "history", kAnswerTime);
  if (!size_text.ok()) return size_text.status();
  int size = 0;
  if (!absl::SimpleAtoi(*size_text, &size)) return absl::InternalError("driver.py does not say how long a history is");
  history_.clear();
  for (int i = 0; i < size; ++i) {
    const auto line = process_->read_line(kAnswerTime);
    if (!line.ok()) return line.status();
    const auto event = parse_event(*line);
    if (!event.ok()) return event.status();
    history_.push_back(*event);
  }
  return absl::OkStatus();
}

std::vector<model::Event> CPythonPlayer::history() {
  if (running_) fetch_history().IgnoreError();
  return history_;
}

std::unique_ptr<TracePlayer> make_cpython_thread_pool() { return std::make_unique<CPythonPlayer>(); }

}  // namespace futures::spec_tests
