#include "spec_tests/traces/trace.h"

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "spec_tests/traces/trace_verbs.h"

namespace futures::spec_tests {
namespace {

void append_text(std::string& out, const Statement& statement);

void append_text(std::string& out, const Body& body, std::string_view end) {
  absl::StrAppend(&out, "{ ");
  for (const Statement& statement : body.statements) {
    append_text(out, statement);
    absl::StrAppend(&out, "; ");
  }
  absl::StrAppend(&out, end, body.value, " }");
}

void append_text(std::string& out, const Body& body) { append_text(out, body, body.throws ? "throw " : "return "); }

void append_text(std::string& out, const Statement& statement) {
  const VerbRow& row = row_of(statement.verb);
  absl::StrAppend(&out, row.word);
  switch (row.operands) {
    case Operands::kCallAndBody:
      absl::StrAppend(&out, " c", statement.call, " ");
      append_text(out, statement.body.empty() ? Body() : statement.body[0]);
      break;
    case Operands::kCall:
    case Operands::kCallAndRegistration:
      absl::StrAppend(&out, " c", statement.call);
      break;
    case Operands::kShutdown:
      absl::StrAppend(&out, statement.wait ? " wait" : " nowait", statement.cancel_futures ? " cancel" : "");
      break;
    case Operands::kGate:
      absl::StrAppend(&out, " g", statement.gate);
      break;
    case Operands::kWait:
      absl::StrAppend(&out, " ", kWaitForWords[static_cast<std::size_t>(statement.wait_for)]);
      [[fallthrough]];
    case Operands::kCalls:
      absl::StrAppend(&out, statement.poll ? " poll" : "");
      for (int call = 0; call < kCallsMax; ++call) {
        if ((statement.calls >> call & 1) != 0) absl::StrAppend(&out, " c", call);
      }
      break;
    case Operands::kInputs:
      absl::StrAppend(&out, " ");
      append_text(out, statement.body.empty() ? Body() : statement.body[0], "take ");
      break;
    case Operands::kNothing:
      break;
  }
}

// Splits a line into words and the marks { } ; each of which is a word of its own.
std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  const auto is_mark = [](char c) { return c == '{' || c == '}' || c == ';'; };
  for (std::size_t begin = 0; begin < line.size();) {
    if (absl::ascii_isspace(static_cast<unsigned char>(line[begin]))) {
      ++begin;
      continue;
    }
    std::size_t end = begin + 1;
    while (!is_mark(line[begin]) && end < line.size() && !is_mark(line[end]) &&
           !absl::ascii_isspace(static_cast<unsigned char>(line[end]))) {
      ++end;
    }
    words.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

// The number that `digits` writes, if it is at most `max`.
std::optional<int> number_of(std::string_view digits, int max) {
  const auto is_digit = [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); };
  int number = 0;
  if (!std::all_of(digits.begin(), digits.end(), is_digit) || !absl::SimpleAtoi(digits, &number)) return std::nullopt;
  if (number > max) return std::nullopt;
  return number;
}

// Recursive descent over one line at a time. Errors name the line.
class Parser {
 public:
  absl::StatusOr<Trace> parse(std::string_view text) {
    for (std::string_view line : absl::StrSplit(text, '\n')) {
      ++line_;
      words_ = words_of(line);
      next_ = 0;
      if (words_.empty()) continue;
      if (absl::Status status = parse_line(); !status.ok()) return status;
      if (next_ < words_.size()) return error("unexpected ", found(), " after the end of the operation");
    }
    if (absl::Status status = check_sizes_given(); !status.ok()) return status;
    for (const auto& [line, call] : references_) {
      line_ = line;
      if (call >= calls_) return error("c", call, " is not submitted anywhere in the trace");
    }
    return std::move(trace_);
  }

 private:
  template <typename... Parts>
  absl::Status error(const Parts&... parts) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", parts...));
  }

  // The next word as errors quote it.
  std::string found() const {
    constexpr std::size_t kQuotedCharsMax = 40;  // Enough to find the place; a binary file must not fill the screen.
    if (next_ >= words_.size()) return "the end of the line";
    return absl::StrCat("'", absl::CHexEscape(words_[next_].substr(0, kQuotedCharsMax)), "'");
  }

  bool at(std::string_view word) const { return next_ < words_.size() && words_[next_] == word; }

  bool skip(std::string_view word) {
    if (!at(word)) return false;
    ++next_;
    return true;
  }

  absl::Status parse_line() {
    if (skip("workers")) return parse_size("workers", kTraceWorkersMax, has_workers_, trace_.workers);
    if (skip("clients")) return parse_size("clients", kClientsMax, has_clients_, trace_.clients);
    if (skip("schedule")) return parse_schedule();
    return parse_step();
  }

  absl::Status parse_size(std::string_view what, int max, bool& given, int& size) {
    if (given) return error("'", what, "' is given twice");
    if (!trace_.steps.empty()) return error("'", what, "' must stand before the first operation");
    given = true;
    if (absl::Status status = parse_number(what, "", 1, max, size); !status.ok()) return status;
    return absl::OkStatus();
  }

  absl::Status parse_schedule() {
    if (has_schedule_) return error("'schedule' is given twice");
    if (!trace_.steps.empty()) return error("'schedule' must stand before the first operation");
    has_schedule_ = true;
    for (; next_ < words_.size(); ++next_) {
      const std::vector<std::string_view> parts = absl::StrSplit(words_[next_], ':');
      const std::optional<int> choice = parts.size() == 2 ? number_of(parts[0], kChoiceMax) : std::nullopt;
      const std::optional<int> option = parts.size() == 2 ? number_of(parts[1], kOptionMax) : std::nullopt;
      if (!choice.has_value() || !option.has_value() || *option == 0) {
        return error("expected a choice (0 to ", kChoiceMax, "), ':' and an option (1 to ", kOptionMax, "), found ",
                     found());
      }
      if (!trace_.schedule.empty() && *choice <= trace_.schedule.back().choice) {
        return error("the choices of a schedule must ascend; ", found(), " does not");
      }
      if (trace_.schedule.size() >= kDeviationsMax) return error("more than ", kDeviationsMax, " deviations");
      trace_.schedule.push_back({.choice = *choice, .option = *option});
    }
    return absl::OkStatus();
  }

  absl::Status check_sizes_given() const {
    if (!has_workers_) return error("'workers N' is missing; it must stand before the first operation");
    if (!has_clients_) return error("'clients N' is missing; it must stand before the first operation");
    return absl::OkStatus();
  }

  // Reads `prefix` and a number from `min` to `max`, as in g3. `what` is the word before it.
  absl::Status parse_number(std::string_view what, std::string_view prefix, int min, int max, int& number) {
    if (next_ < words_.size() && words_[next_].substr(0, prefix.size()) == prefix) {
      const std::optional<int> read = number_of(words_[next_].substr(prefix.size()), max);
      if (read.has_value() && *read >= min) {
        number = *read;
        ++next_;
        return absl::OkStatus();
      }
    }
    return error("expected ", prefix, min, " to ", prefix, max, " after '", what, "', found ", found());
  }

  absl::Status parse_step() {
    const std::optional<int> client = number_of(words_[next_], 1'000'000);
    if (!client.has_value()) {
      return error("expected 'workers', 'clients', 'schedule' or the number of a client, found ", found());
    }
    if (absl::Status status = check_sizes_given(); !status.ok()) return status;
    if (*client >= trace_.clients) {
      return error("client ", *client, " does not exist: clients are numbered 0 to ", trace_.clients - 1);
    }
    if (trace_.steps.size() >= kStepsMax) return error("more than ", kStepsMax, " operations");
    ++next_;
    Step step{.client = *client, .statement = {}};
    if (absl::Status status = parse_statement(/*depth=*/0, step.statement); !status.ok()) return status;
    trace_.steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  absl::Status parse_statement(int depth, Statement& statement) {
    if (next_ >= words_.size()) return error("expected a verb, found ", found());
    const VerbRow* row = row_of(words_[next_]);
    if (row == nullptr) return error("unknown verb ", found());
    if (depth > 0 && !row->in_bodies) return error(found(), " cannot stand in a body");
    if (depth == 0 && !row->in_steps) return error(found(), " can stand in a body only");
    ++next_;
    statement.verb = row->verb;
    switch (row->operands) {
      case Operands::kCallAndBody:
        return parse_submit(depth, statement);
      case Operands::kCallAndRegistration:
        statement.registration = registrations_++;
        [[fallthrough]];
      case Operands::kCall:
        return parse_reference(row->word, statement);
      case Operands::kShutdown:
        return parse_shutdown(statement);
      case Operands::kGate:
        return parse_number(row->word, "g", 0, kGatesMax - 1, statement.gate);
      case Operands::kWait:
        if (absl::Status status = parse_wait_for(statement); !status.ok()) return status;
        [[fallthrough]];
      case Operands::kCalls:
        return parse_calls(row->word, statement);
      case Operands::kInputs:
        return parse_inputs(statement);
      case Operands::kNothing:
        return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  absl::Status parse_submit(int depth, Statement& statement) {
    if (depth >= kNestingMax) return error("bodies stand more than ", kNestingMax, " deep in each other");
    if (calls_ >= kCallsMax) return error("more than ", kCallsMax, " calls");
    const std::string expected = absl::StrCat("c", calls_);
    if (!skip(expected)) {
      return error("expected ", expected, " after 'submit', found ", found(),
                   ": calls are numbered in the order of their submits");
    }
    statement.call = calls_++;
    if (!skip("{")) return error("expected '{' after '", expected, "', found ", found());
    return parse_body(depth + 1, statement.body.emplace_back());
  }

  absl::Status parse_body(int depth, Body& body) {
    while (!at("return") && !at("throw")) {
      if (next_ >= words_.size()) return error("a body without end: expected 'return N }' or 'throw N }'");
      if (at("}")) return error("a body must end with 'return N' or 'throw N' before '}'");
      if (body.statements.size() >= kBodyStatementsMax) {
        return error("more than ", kBodyStatementsMax, " statements in a body");
      }
      if (absl::Status status = parse_statement(depth, body.statements.emplace_back()); !status.ok()) return status;
      if (!skip(";")) return error("expected ';' after a statement, found ", found());
    }
    body.throws = at("throw");
    ++next_;
    const std::string_view ending = body.throws ? "throw" : "return";
    if (absl::Status status = parse_number(ending, "", 0, kValueMax, body.value); !status.ok()) return status;
    if (!skip("}")) return error("expected '}' at the end of a body, found ", found());
    return absl::OkStatus();
  }

  absl::Status parse_reference(std::string_view verb, Statement& statement) {
    if (absl::Status status = parse_number(verb, "c", 0, kCallsMax - 1, statement.call); !status.ok()) return status;
    references_.emplace_back(line_, statement.call);  // Its submit may stand further down: checked at the end.
    return absl::OkStatus();
  }

  absl::Status parse_wait_for(Statement& statement) {
    for (std::size_t i = 0; i < std::size(kWaitForWords); ++i) {
      if (!skip(kWaitForWords[i])) continue;
      statement.wait_for = static_cast<WaitFor>(i);
      return absl::OkStatus();
    }
    return error("expected 'all', 'first' or 'exception' after 'wait', found ", found());
  }

  absl::Status parse_calls(std::string_view verb, Statement& statement) {
    statement.poll = skip("poll");
    while (next_ < words_.size()) {
      Statement one;
      if (absl::Status status = parse_reference(verb, one); !status.ok()) return status;
      statement.calls |= static_cast<std::uint16_t>(1u << one.call);
    }
    return absl::OkStatus();
  }

  absl::Status parse_inputs(Statement& statement) {
    if (!skip("{")) return error("expected '{' after 'map', found ", found());
    Body& inputs = statement.body.emplace_back();
    while (!at("take")) {
      if (!at("submit")) return error("expected 'submit' or 'take' in a map, found ", found());
      if (inputs.statements.size() >= kBodyStatementsMax)
        return error("more than ", kBodyStatementsMax, " inputs in a map");
      if (absl::Status status = parse_statement(/*depth=*/1, inputs.statements.emplace_back()); !status.ok())
        return status;
      if (!skip(";")) return error("expected ';' after a submit, found ", found());
    }
    if (inputs.statements.empty()) return error("a map without a submit");
    ++next_;
    const int inputs_size = static_cast<int>(inputs.statements.size());
    if (absl::Status status = parse_number("take", "", 0, inputs_size, inputs.value); !status.ok()) return status;
    if (!skip("}")) return error("expected '}' at the end of a map, found ", found());
    return absl::OkStatus();
  }

  absl::Status parse_shutdown(Statement& statement) {
    if (!at("wait") && !at("nowait")) return error("expected 'wait' or 'nowait' after 'shutdown', found ", found());
    statement.wait = at("wait");
    ++next_;
    statement.cancel_futures = skip("cancel");
    return absl::OkStatus();
  }

  Trace trace_;
  bool has_workers_ = false;
  bool has_clients_ = false;
  bool has_schedule_ = false;
  int calls_ = 0;
  int registrations_ = 0;
  std::vector<std::pair<int, int>> references_;  // Line, call.

  int line_ = 0;
  std::vector<std::string_view> words_;  // Of the line.
  std::size_t next_ = 0;  // Index of the word to read next.
};

}  // namespace

std::string to_text(const Statement& statement) {
  std::string text;
  append_text(text, statement);
  return text;
}

std::string to_text(const Trace& trace) {
  std::string text = absl::StrCat("workers ", trace.workers, "\nclients ", trace.clients, "\n");
  if (!trace.schedule.empty()) absl::StrAppend(&text, "schedule ", simulator::to_text(trace.schedule), "\n");
  for (const Step& step : trace.steps) absl::StrAppend(&text, step.client, " ", to_text(step.statement), "\n");
  return text;
}

std::ostream& operator<<(std::ostream& out, const Trace& trace) { return out << to_text(trace); }

absl::StatusOr<Trace> parse_trace(std::string_view text) { return Parser().parse(text); }

int count_calls(const Trace& trace) { return static_cast<int>(bodies_of(trace).size()); }

int count_registrations(const Trace& trace) {
  int count = 0;
  visit_statements(trace, [&](const Statement& statement) { count += statement.verb == Verb::kCallback ? 1 : 0; });
  return count;
}

std::vector<const Body*> bodies_of(const Trace& trace) {
  std::vector<const Body*> bodies;
  visit_statements(trace, [&](const Statement& statement) {
    if (statement.verb == Verb::kSubmit && !statement.body.empty()) bodies.push_back(&statement.body[0]);
  });
  return bodies;
}

std::uint16_t mapped_calls(const Trace& trace) {
  std::uint16_t calls = 0;
  for (const Step& step : trace.steps) {
    if (step.statement.verb != Verb::kMap || step.statement.body.empty()) continue;
    for (const Statement& input : step.statement.body[0].statements)
      calls |= static_cast<std::uint16_t>(1u << input.call);
  }
  return calls;
}

}  // namespace futures::spec_tests
