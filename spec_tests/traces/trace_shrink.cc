// Making traces smaller: the second half of trace_gen.h.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_gen.h"

namespace futures::spec_tests {
namespace {

// What makes a trace long to read, the heaviest first.
struct Weight {
  int statements = 0;
  int sizes = 0;
  int numbers = 0;

  friend auto operator<=>(const Weight&, const Weight&) = default;
};

void weigh(const Statement& statement, Weight& weight) {
  ++weight.statements;
  weight.numbers += std::max(statement.call, 0) + std::max(statement.gate, 0) + (statement.wait ? 1 : 0) +
                    (statement.cancel_futures ? 1 : 0) + static_cast<int>(statement.wait_for) +
                    (statement.poll ? 1 : 0) + 2 * std::popcount(statement.calls);
  for (const Body& body : statement.body) {
    weight.numbers += body.value + (body.throws ? 1 : 0);
    for (const Statement& nested : body.statements) weigh(nested, weight);
  }
}

Weight weight_of(const Trace& trace) {
  Weight weight;
  weight.sizes = trace.workers + trace.clients;
  for (const Step& step : trace.steps) {
    weight.numbers += step.client;
    weigh(step.statement, weight);
  }
  return weight;
}

// Collects the edits: each edit starts from the same trace, is normalised, and must be smaller and new.
class Edits {
 public:
  explicit Edits(const Trace& trace) : trace_(trace) {}

  template <typename Edit>
  void add(const Edit& edit) {
    Trace edited = trace_;
    edit(edited);
    edited = normalised(std::move(edited));
    if (!is_smaller(edited, trace_) || !seen_.insert(encode_trace(edited)).second) return;
    found_.push_back(std::move(edited));
  }

  std::vector<Trace> take() { return std::move(found_); }

 private:
  const Trace& trace_;
  std::vector<Trace> found_;
  std::set<std::vector<std::uint8_t>> seen_;
};

// Where a body stands: the indices of the submits around it, outermost first; the first one is a step's.
using Path = std::vector<std::size_t>;

Statement& statement_at(Trace& trace, const Path& path) {
  Statement* statement = &trace.steps[path[0]].statement;
  for (std::size_t i = 1; i < path.size(); ++i) statement = &statement->body[0].statements[path[i]];
  return *statement;
}

void collect_paths(const Statement& statement, const Path& path, std::vector<Path>& paths) {
  paths.push_back(path);
  if (statement.body.empty()) return;
  for (std::size_t i = 0; i < statement.body[0].statements.size(); ++i) {
    Path nested = path;
    nested.push_back(i);
    collect_paths(statement.body[0].statements[i], nested, paths);
  }
}

// The statements of the trace, outer ones before inner ones.
std::vector<Path> paths_of(const Trace& trace) {
  std::vector<Path> paths;
  for (std::size_t i = 0; i < trace.steps.size(); ++i) collect_paths(trace.steps[i].statement, {i}, paths);
  return paths;
}

void remove_steps(const Trace& trace, Edits& edits) {
  const std::size_t count = trace.steps.size();
  for (std::size_t size = count; size > 0; size /= 2) {
    for (std::size_t begin = 0; begin < count; begin += size) {
      edits.add([&](Trace& edited) {
        const auto first = edited.steps.begin() + static_cast<std::ptrdiff_t>(begin);
        edited.steps.erase(first, first + static_cast<std::ptrdiff_t>(std::min(size, count - begin)));
      });
    }
  }
}

void simplify_bodies(const std::vector<Path>& paths, Edits& edits) {
  for (const Path& path : paths) {
    edits.add([&](Trace& edited) {  // A body that only returns.
      for (Body& body : statement_at(edited, path).body) body = Body();
    });
    edits.add([&](Trace& edited) {
      for (Body& body : statement_at(edited, path).body) body.statements.clear();
    });
  }
  for (const Path& path : paths) {
    if (path.size() < 2) continue;
    const Path around(path.begin(), path.end() - 1);
    edits.add([&](Trace& edited) {
      auto& statements = statement_at(edited, around).body[0].statements;
      statements.erase(statements.begin() + static_cast<std::ptrdiff_t>(path.back()));
    });
    edits.add([&](Trace& edited) {  // The inner submit in place of the outer one.
      Statement inner = statement_at(edited, path);
      if (inner.verb == Verb::kSubmit) statement_at(edited, around) = std::move(inner);
    });
  }
}

void simplify_sizes(const Trace& trace, Edits& edits) {
  for (int workers : {1, trace.workers - 1}) {
    edits.add([&](Trace& edited) { edited.workers = workers; });
  }
  for (int clients : {1, trace.clients - 1}) {
    edits.add([&](Trace& edited) { edited.clients = clients; });
  }
  edits.add([](Trace& edited) {
    for (Step& step : edited.steps) step.client = 0;
  });
}

void simplify_numbers(const Trace& trace, const std::vector<Path>& paths, Edits& edits) {
  for (std::size_t i = 0; i < trace.steps.size(); ++i) {
    edits.add([&](Trace& edited) { edited.steps[i].client = 0; });
    edits.add([&](Trace& edited) { --edited.steps[i].client; });
  }
  for (const Path& path : paths) {
    const auto add = [&](auto edit) { edits.add([&](Trace& edited) { edit(statement_at(edited, path)); }); };
    add([](Statement& statement) { statement.wait = false; });
    add([](Statement& statement) { statement.cancel_futures = false; });
    add([](Statement& statement) { statement.gate = 0; });
    add([](Statement& statement) { --statement.gate; });
    add([](Statement& statement) { statement.wait_for = WaitFor::kAll; });
    add([](Statement& statement) { statement.poll = false; });
    for (int call = 0; call < kCallsMax; ++call) {
      add([&](Statement& statement) { statement.calls &= static_cast<std::uint16_t>(~(1u << call)); });
    }
    // The number of a submit names the call and is not free.
    add([](Statement& statement) { statement.call = statement.verb == Verb::kSubmit ? statement.call : 0; });
    add([](Statement& statement) { statement.call -= statement.verb == Verb::kSubmit ? 0 : 1; });
    const auto add_to_body = [&](auto edit) {
      add([&](Statement& statement) {
        for (Body& body : statement.body) edit(body);
      });
    };
    add_to_body([](Body& body) { body.throws = false; });
    add_to_body([](Body& body) { body.value = 0; });
    add_to_body([](Body& body) { body.value /= 2; });
    add_to_body([](Body& body) { --body.value; });
  }
}

}  // namespace

bool is_smaller(const Trace& left, const Trace& right) { return weight_of(left) < weight_of(right); }

std::vector<Trace> shrinks_of(const Trace& trace) {
  Edits edits(trace);
  const std::vector<Path> paths = paths_of(trace);
  remove_steps(trace, edits);
  simplify_bodies(paths, edits);
  simplify_sizes(trace, edits);
  simplify_numbers(trace, paths, edits);
  return edits.take();
}

Trace shrink_trace(const Trace& trace, const std::function<bool(const Trace&)>& still_fails, int tries_max) {
  Trace smallest = trace;
  std::set<std::vector<std::uint8_t>> tried;
  int tries = 0;
  for (bool progress = true; progress;) {
    progress = false;
    for (Trace& candidate : shrinks_of(smallest)) {
      if (!tried.insert(encode_trace(candidate)).second) continue;
      if (tries++ >= tries_max) return smallest;
      if (!still_fails(candidate)) continue;
      smallest = std::move(candidate);
      progress = true;
      break;
    }
  }
  return smallest;
}

Trace shrink_schedule(const Trace& trace, const std::function<bool(const Trace&)>& still_fails, int tries_max) {
  Trace smallest = trace;
  int tries = 0;
  for (std::size_t size = smallest.schedule.size(); size > 0; size /= 2) {
    // From the end on: without a late deviation the choices before it keep their numbers.
    for (std::size_t end = smallest.schedule.size(); end > 0;) {
      const std::size_t begin = end > size ? end - size : 0;
      if (tries++ >= tries_max) return smallest;
      Trace candidate = smallest;
      candidate.schedule.erase(candidate.schedule.begin() + static_cast<std::ptrdiff_t>(begin),
                               candidate.schedule.begin() + static_cast<std::ptrdiff_t>(end));
      if (still_fails(candidate)) smallest = std::move(candidate);
      end = begin;
    }
  }
  return smallest;
}

}  // namespace futures::spec_tests
