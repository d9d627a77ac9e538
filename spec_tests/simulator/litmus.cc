#include "spec_tests/simulator/litmus.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace futures::simulator {
namespace {

using Kind = Instruction::Kind;

constexpr std::string_view kLocationNames = "xyzwuv";

std::string_view order_name(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

bool reads(Kind kind) { return kind != Kind::kStore && kind != Kind::kFence; }

// The variable that holds what a compare_exchange expects.
std::string expected_name(std::size_t thread, std::size_t at) { return absl::StrCat("e", thread, at); }

char location_name(int location) { return kLocationNames[static_cast<std::size_t>(location)]; }

std::string joined(std::vector<std::string> items) {
  std::sort(items.begin(), items.end());
  return absl::StrJoin(items, " ");
}

}  // namespace

std::memory_order failure_order(std::memory_order order) {
  if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (order == std::memory_order_release) return std::memory_order_relaxed;
  return order;
}

int location_count(const Litmus& litmus) {
  int count = 0;
  for (const auto& thread : litmus.threads) {
    for (const Instruction& instruction : thread) {
      if (instruction.kind != Kind::kFence) count = std::max(count, instruction.location + 1);
    }
  }
  return count;
}

std::string to_text(const Litmus& litmus) {
  std::string text = absl::StrCat(litmus.name, "\n");
  for (std::size_t i = 0; i < litmus.threads.size(); ++i) {
    absl::StrAppend(&text, "  thread ", i, ":");
    for (const Instruction& instruction : litmus.threads[i]) {
      constexpr std::string_view kKinds[] = {"load", "store", "fetch_add", "exchange", "compare_exchange", "fence"};
      absl::StrAppend(&text, "  ", kKinds[static_cast<std::size_t>(instruction.kind)]);
      if (instruction.kind != Kind::kFence) {
        absl::StrAppend(&text, " ", std::string(1, location_name(instruction.location)));
      }
      if (instruction.kind == Kind::kCompareExchange) absl::StrAppend(&text, " ", instruction.expected, "->");
      if (instruction.kind != Kind::kFence && instruction.kind != Kind::kLoad) {
        absl::StrAppend(&text, " ", instruction.value);
      }
      absl::StrAppend(&text, " ", order_name(instruction.order), ";");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

// --- herd7.

std::string to_herd(const Litmus& litmus) {
  const auto order = [](std::memory_order o) { return absl::StrCat("memory_order_", order_name(o)); };
  std::vector<std::string> shown;
  std::string initial;
  std::string code;
  const int locations = location_count(litmus);
  for (int i = 0; i < locations; ++i) shown.push_back(std::string(1, location_name(i)));
  for (std::size_t t = 0; t < litmus.threads.size(); ++t) {
    std::vector<std::string> parameters;
    for (int i = 0; i < locations; ++i) {
      parameters.push_back(absl::StrCat("atomic_int* ", std::string(1, location_name(i))));
    }
    std::string body;
    for (std::size_t at = 0; at < litmus.threads[t].size(); ++at) {
      const Instruction& i = litmus.threads[t][at];
      const std::string name = i.kind == Kind::kFence ? "" : std::string(1, location_name(i.location));
      const std::string result = absl::StrCat("  int r", at, " = ");
      if (i.kind == Kind::kLoad) {
        absl::StrAppend(&body, result, "atomic_load_explicit(", name, ", ", order(i.order), ");\n");
      } else if (i.kind == Kind::kStore) {
        absl::StrAppend(&body, "  atomic_store_explicit(", name, ", ", i.value, ", ", order(i.order), ");\n");
      } else if (i.kind == Kind::kFence) {
        absl::StrAppend(&body, "  atomic_thread_fence(", order(i.order), ");\n");
      } else if (i.kind == Kind::kCompareExchange) {
        const std::string expected = expected_name(t, at);
        absl::StrAppend(&initial, expected, "=", i.expected, "; ");
        parameters.push_back(absl::StrCat("int* ", expected));
        shown.push_back(expected);
        absl::StrAppend(&body, result, "atomic_compare_exchange_strong_explicit(", name, ", ", expected, ", ", i.value,
                        ", ", order(i.order), ", ", order(failure_order(i.order)), ");\n");
      } else {
        absl::StrAppend(&body, result, i.kind == Kind::kFetchAdd ? "atomic_fetch_add" : "atomic_exchange", "_explicit(",
                        name, ", ", i.value, ", ", order(i.order), ");\n");
      }
      if (reads(i.kind)) shown.push_back(absl::StrCat(t, ":r", at));
    }
    absl::StrAppend(&code, "P", t, "(", absl::StrJoin(parameters, ", "), ") {\n", body, "}\n");
  }
  return absl::StrCat("C ", litmus.name, "\n{ ", initial, "}\n", code, "locations [", absl::StrJoin(shown, "; "),
                      ";]\nexists (true)\n");
}

std::map<std::string, Outcomes> parse_herd(const std::string& output) {
  std::map<std::string, Outcomes> tests;
  Outcomes* test = nullptr;
  bool in_states = false;
  for (const std::string_view line : absl::StrSplit(output, '\n')) {
    if (line.substr(0, 5) == "Test ") {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      test = &tests[words[1]];
    } else if (test != nullptr && line.substr(0, 7) == "States ") {
      in_states = true;
    } else if (in_states && line.find('=') != line.npos) {
      std::vector<std::string> items;
      for (std::string_view item : absl::StrSplit(line, ';', absl::SkipWhitespace())) {
        items.push_back(absl::StrCat(absl::StripAsciiWhitespace(item), ";"));
      }
      test->insert(joined(std::move(items)));
    } else {
      in_states = false;
    }
  }
  return tests;
}

// --- Observations.

Observation::Observation(const Litmus& litmus) {
  for (const auto& thread : litmus.threads) {
    read.emplace_back(thread.size());
    succeeded.emplace_back(thread.size());
  }
}

// As herd7 prints it: the result of a compare_exchange is whether it has succeeded, and what it has read is in the
// variable that held what it expected.
std::string Observation::to_text(const Litmus& litmus, const std::vector<int>& last_values) const {
  std::vector<std::string> items;
  for (std::size_t t = 0; t < litmus.threads.size(); ++t) {
    for (std::size_t at = 0; at < litmus.threads[t].size(); ++at) {
      const Kind kind = litmus.threads[t][at].kind;
      if (kind == Kind::kCompareExchange) {
        items.push_back(absl::StrCat(t, ":r", at, "=", succeeded[t][at] ? 1 : 0, ";"));
        items.push_back(absl::StrCat("[", expected_name(t, at), "]=", read[t][at], ";"));
      } else if (reads(kind)) {
        items.push_back(absl::StrCat(t, ":r", at, "=", read[t][at], ";"));
      }
    }
  }
  for (std::size_t i = 0; i < last_values.size(); ++i) {
    items.push_back(absl::StrCat("[", std::string(1, kLocationNames[i]), "]=", last_values[i], ";"));
  }
  return joined(std::move(items));
}

// --- The model.

namespace {

// A part of an execution of a litmus test.
struct Part {
  MemoryModel model;
  Observation observation;
  std::vector<std::size_t> done;  // Instructions of each thread.
  // Which instruction wrote each store, in modification order; and which one each read has read. They say all of the
  // graph: in which order it was made makes no difference.
  std::vector<std::string> modification_orders;
  std::vector<std::string> reads_from;
};

class Search {
 public:
  Search(const Litmus& litmus, MemoryModel::Mistake mistake) : litmus_(litmus), mistake_(mistake) {}

  Outcomes outcomes() {
    Part part{MemoryModel(mistake_), Observation(litmus_), {}, {}, {}};
    for (std::size_t i = 0; i < litmus_.threads.size(); ++i) {
      part.model.start_thread(static_cast<int>(i), MemoryModel::kNoThread);
    }
    part.done.resize(litmus_.threads.size());
    part.reads_from.resize(litmus_.threads.size());
    for (int i = location_count(litmus_); i > 0; --i) {
      part.model.add_location(0);
      part.modification_orders.push_back("-");
    }
    extend(part);
    return std::move(outcomes_);
  }

 private:
  static char writer(std::size_t thread, std::size_t at) { return static_cast<char>('A' + thread * 8 + at); }

  void extend(const Part& part) {
    const std::string graph =
        absl::StrCat(absl::StrJoin(part.done, ","), " ", absl::StrJoin(part.modification_orders, " "), " ",
                     absl::StrJoin(part.reads_from, " "));
    const std::string choices = choices_of(part);
    const auto [at, is_new] = seen_.try_emplace(graph, choices);
    if (!is_new) {
      if (at->second != choices) outcomes_.insert("the order in which the graph is built matters");
      return;
    }
    bool is_whole = true;
    for (std::size_t i = 0; i < litmus_.threads.size(); ++i) {
      if (part.done[i] == litmus_.threads[i].size()) continue;
      is_whole = false;
      step(part, i);
    }
    if (!is_whole) return;
    std::vector<int> last_values;
    for (int i = 0; i < location_count(litmus_); ++i) last_values.push_back(static_cast<int>(part.model.newest(i)));
    outcomes_.insert(part.observation.to_text(litmus_, last_values));
  }

  // The choices of each thread's next instruction.
  std::string choices_of(const Part& part) const {
    MemoryModel model = part.model;
    std::string text;
    for (std::size_t i = 0; i < litmus_.threads.size(); ++i) {
      if (part.done[i] == litmus_.threads[i].size()) continue;
      const Instruction& next = litmus_.threads[i][part.done[i]];
      const int number = static_cast<int>(i);
      const auto add = [&](const std::vector<int>& options) {
        absl::StrAppend(&text, absl::StrJoin(options, ","), ";");
      };
      if (next.kind == Kind::kFence) continue;
      if (next.kind == Kind::kLoad) add(model.load_options(number, next.location, next.order));
      if (next.kind == Kind::kStore) add(model.store_options(number, next.location, next.order));
      if (next.kind == Kind::kLoad || next.kind == Kind::kStore) continue;
      add(model.modify_options(number, next.location, next.order));
      if (next.kind != Kind::kCompareExchange) continue;
      add(model.load_options(number, next.location, failure_order(next.order)));
    }
    return text;
  }

  void step(const Part& part, std::size_t thread) {
    const Instruction& next = litmus_.threads[thread][part.done[thread]];
    const int number = static_cast<int>(thread);
    MemoryModel model = part.model;
    if (next.kind == Kind::kFence) {
      Part more = part;
      more.model.fence(number, next.order);
      ++more.done[thread];
      return extend(more);
    }
    if (next.kind == Kind::kStore) {
      for (const int at : model.store_options(number, next.location, next.order)) {
        Part more = part;
        more.model.store(number, next.location, next.order, at, static_cast<std::uint64_t>(next.value));
        insert_store(more, thread, next.location, at);
        ++more.done[thread];
        extend(more);
      }
      return;
    }
    if (next.kind != Kind::kLoad) {
      for (const int at : model.modify_options(number, next.location, next.order)) modify(part, thread, at);
    }
    if (next.kind != Kind::kLoad && next.kind != Kind::kCompareExchange) return;
    const std::memory_order order = next.kind == Kind::kLoad ? next.order : failure_order(next.order);
    for (const int at : model.load_options(number, next.location, order)) {
      const int value = static_cast<int>(model.value(next.location, at));
      if (next.kind == Kind::kCompareExchange && value == next.expected) continue;
      Part more = part;
      more.model.load(number, next.location, order, at);
      read(more, thread, next.location, at, value);
      ++more.done[thread];
      extend(more);
    }
  }

  void modify(const Part& part, std::size_t thread, int at) {
    const Instruction& next = litmus_.threads[thread][part.done[thread]];
    const int old = static_cast<int>(part.model.value(next.location, at));
    if (next.kind == Kind::kCompareExchange && old != next.expected) return;
    const int value = next.kind == Kind::kFetchAdd ? old + next.value : next.value;
    Part more = part;
    more.model.modify(static_cast<int>(thread), next.location, next.order, at, static_cast<std::uint64_t>(value));
    read(more, thread, next.location, at, old);
    more.observation.succeeded[thread][more.done[thread]] = true;
    insert_store(more, thread, next.location, at + 1);
    ++more.done[thread];
    extend(more);
  }

  static void read(Part& part, std::size_t thread, int location, int at, int value) {
    part.observation.read[thread][part.done[thread]] = value;
    part.reads_from[thread] +=
        part.modification_orders[static_cast<std::size_t>(location)][static_cast<std::size_t>(at)];
  }

  static void insert_store(Part& part, std::size_t thread, int location, int at) {
    std::string& order = part.modification_orders[static_cast<std::size_t>(location)];
    order.insert(order.begin() + at, writer(thread, part.done[thread]));
  }

  const Litmus& litmus_;
  const MemoryModel::Mistake mistake_;
  std::unordered_map<std::string, std::string> seen_;  // Graphs, and the choices that they leave.
  Outcomes outcomes_;
};

}  // namespace

Outcomes model_outcomes(const Litmus& litmus, MemoryModel::Mistake mistake) {
  return Search(litmus, mistake).outcomes();
}

}  // namespace futures::simulator
