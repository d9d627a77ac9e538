#include "spec_tests/mutants/rules.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "spec_tests/mutants/statements.h"

namespace futures::mutants {
namespace {

using Kind = Statement::Kind;

// The mutants of one function.
class Rules {
 public:
  Rules(const Source& source, std::size_t function, std::vector<Mutant>& mutants)
      : source_(source), tokens_(source.tokens), function_(function), mutants_(mutants) {
    const Function& body = source.functions[function];
    for (std::size_t i = body.open + 1; i < body.close; ++i) {
      if (is(i, "static_assert")) i = closing(tokens_, i + 1);
      of_token(i);
    }
    of_statement(block_at(tokens_, body.open));
  }

 private:
  bool is(std::size_t i, std::string_view text) const { return i < tokens_.size() && tokens_[i].is(text); }
  std::size_t begin(std::size_t token) const { return tokens_[token].begin; }
  std::size_t end(std::size_t token) const { return tokens_[token].end(); }
  std::string_view text(std::size_t first, std::size_t last) const {
    return std::string_view(source_.text).substr(begin(first), end(last) - begin(first));
  }
  std::string_view text(const Statement& s) const { return text(s.first, s.last); }
  Edit replace(std::size_t first, std::size_t last, std::string_view by) const {
    return {begin(first), end(last), std::string(by)};
  }

  void add(std::string_view rule, std::vector<Edit> edits) {
    const std::string& name = source_.functions[function_].name;
    const std::string file = source_.path.substr(source_.path.rfind('/') + 1);
    const std::string stem = absl::StrCat(rule, "/", file, "/", name, "/");
    // Functions of one name count on. Two rules, or one twice, may come to the same.
    int number = 1;
    for (const Mutant& other : mutants_) {
      if (other.changes[0].function == function_ && other.changes[0].edits == edits) return;
      if (absl::StartsWith(other.name, stem)) ++number;
    }
    mutants_.push_back({.name = absl::StrCat(stem, number),
                        .rule = std::string(rule),
                        .changes = {{source_.path, function_, std::move(edits)}}});
  }

  // --- Rules of single tokens.

  void of_token(std::size_t i) {
    order(i);
    two_steps(i);
    if (is(i, "notify_all")) add("notify_one", {replace(i, i, "notify_one")});
    if (is(i, "?")) negate(start_of_condition(i), i - 1);
    off_by_one(i);
  }

  void order(std::size_t i) {
    static const std::map<std::string_view, std::vector<std::string_view>> kWeaker = {
        {"memory_order_seq_cst", {"memory_order_acq_rel"}},
        {"memory_order_acq_rel", {"memory_order_acquire", "memory_order_release"}},
        {"memory_order_acquire", {"memory_order_relaxed"}},
        {"memory_order_release", {"memory_order_relaxed"}},
    };
    const auto weaker = kWeaker.find(tokens_[i].text);
    if (weaker == kWeaker.end()) return;
    for (std::string_view order : weaker->second) add("order", {replace(i, i, order)});
  }

  void two_steps(std::size_t i) {
    static const std::map<std::string_view, std::string_view> kInTwoSteps = {
        {"compare_exchange_weak", "compare_then_store"},
        {"compare_exchange_strong", "compare_then_store"},
        {"exchange", "load_then_store"},
        {"fetch_add", "load_then_add"},
        {"fetch_sub", "load_then_subtract"},
        {"fetch_or", "load_then_or"},
        {"fetch_and", "load_then_and"},
    };
    const auto steps = kInTwoSteps.find(tokens_[i].text);
    if (steps == kInTwoSteps.end() || !(is(i - 1, ".") || is(i - 1, "->")) || !is(i + 1, "(")) return;
    std::size_t object = begin_of_operand(i - 2);
    while (is(object - 1, ".") || is(object - 1, "->")) object = begin_of_operand(object - 2);
    const std::size_t close = closing(tokens_, i + 1);
    std::vector<std::string_view> arguments;
    for (std::size_t from = i + 2, k = from; k <= close; ++k) {
      if (k == close || is(k, ",")) {
        arguments.push_back(text(from, k - 1));
        from = k + 1;
      } else if (is(k, "(") || is(k, "{")) {
        k = closing(tokens_, k);
      }
    }
    const std::size_t wanted = steps->second == "compare_then_store" ? 2 : 1;
    std::string call =
        absl::StrCat("::futures::mutants::", steps->second, "(", is(i - 1, "->") ? "*" : "", text(object, i - 2));
    for (std::size_t k = 0; k < wanted; ++k) absl::StrAppend(&call, ", ", arguments[k]);
    add("two_steps", {replace(object, close, call + ")")});
  }

  // Of a name, and of what indexes or calls it, the first token. `last` is the last.
  std::size_t begin_of_operand(std::size_t last) const {
    while (is(last, "]") || is(last, ")")) {
      std::size_t open = last;
      while (closing(tokens_, open) != last || open == last) --open;
      last = open - 1;
    }
    return last;
  }

  // Behind what ends before the condition of the ? at `i`.
  std::size_t start_of_condition(std::size_t i) const {
    int depth = 0;
    while (--i > source_.functions[function_].open) {
      if (is(i, ")") || is(i, "]") || is(i, "}")) ++depth;
      if (depth == 0) {
        for (std::string_view stop : {"(", "[", "{", ",", "=", "+=", "-=", "|=", "&=", "return", ";", ":", "?"}) {
          if (is(i, stop)) return i + 1;
        }
      }
      if (is(i, "(") || is(i, "[") || is(i, "{")) --depth;
    }
    return i + 1;
  }

  void off_by_one(std::size_t i) {
    static const std::map<std::string_view, std::string_view> kOther = {{"<", "<="}, {"<=", "<"}, {">", ">="},
                                                                        {">=", ">"}, {"0", "1"},  {"1", "0"}};
    const std::string_view around = std::string_view(source_.text).substr(begin(i) - 1);
    const std::size_t size = tokens_[i].text.size();
    const bool is_number = tokens_[i].kind == Token::Kind::kNumber;
    // Behind a template's name there is no space.
    if (!is_number && !(around[0] == ' ' && around[size + 1] == ' ' && !is(i - 1, "template"))) return;
    if ((is(i, "+") || is(i, "-")) && is(i + 1, "1")) return add("off_by_one", {replace(i, i + 1, "")});
    if (is_number && (is(i - 1, "+") || is(i - 1, "-"))) return;
    const auto other = kOther.find(tokens_[i].text);
    if (other != kOther.end()) add("off_by_one", {replace(i, i, other->second)});
  }

  // --- Rules of statements.

  void of_statement(const Statement& s) {
    if (s.kind == Kind::kBlock) {
      swapped(s);
      unlocked(s);
    }
    if (s.condition != 0) condition(s);
    if (s.kind == Kind::kWhile || s.kind == Kind::kDo) once(s);
    if (s.kind == Kind::kExpression) no_wake(s);
    if (s.kind == Kind::kTry) {
      for (std::size_t i = 1; i < s.parts.size(); ++i) drop_each(s.parts[i]);
    }
    if (s.kind == Kind::kIf) error_branch(s.parts[0]);
    for (const Statement& part : s.parts) of_statement(part);
  }

  void negate(std::size_t first, std::size_t last) {
    add("negated", {{begin(first), begin(first), "!("}, {end(last), end(last), ")"}});
  }

  void condition(const Statement& s) {
    std::size_t first = s.condition + 1;
    std::size_t last = closing(tokens_, s.condition) - 1;
    if (s.kind == Kind::kSwitch) return;
    std::vector<std::size_t> semicolons;
    bool declares = false;  // Such as `Task task = next()`: that is no expression.
    for (std::size_t i = first; i <= last; ++i) {
      if (is(i, "(") || is(i, "[") || is(i, "{")) i = closing(tokens_, i);
      if (is(i, ";")) semicolons.push_back(i);
      if (is(i, "=")) declares = true;
    }
    if (s.kind == Kind::kFor) {
      if (semicolons.size() != 2 || semicolons[0] + 1 == semicolons[1]) return;
      first = semicolons[0] + 1;
      last = semicolons[1] - 1;
      declares = false;
      for (std::size_t i = first; i <= last; ++i) declares = declares || is(i, "=");
    }
    if (!declares && (semicolons.empty() || s.kind == Kind::kFor)) negate(first, last);
  }

  void once(const Statement& s) {
    const std::size_t close = closing(tokens_, s.condition);
    const std::string_view asked = text(s.condition, close);
    // Not as `if`: the body may have a `continue`.
    const std::string header = s.kind == Kind::kDo
                                   ? absl::StrCat("(", asked, " && false)")
                                   : absl::StrCat("for (bool once = true; once && ", asked, "; once = false)");
    add("once", {replace(s.kind == Kind::kDo ? s.condition : s.first, close, header)});
  }

  // The name of the function that an expression statement calls, or nothing.
  std::string_view called(const Statement& s) const {
    for (std::size_t i = s.first; i < s.last; ++i) {
      if (is(i, "(")) return i == s.first ? "" : tokens_[i - 1].text;
    }
    return "";
  }

  void no_wake(const Statement& s) {
    for (std::string_view part : {"notify", "wake", "tell_", "announce", "publish", "run_callbacks", "on_done"}) {
      if (absl::StrContains(called(s), part)) return add("no_wake", {replace(s.first, s.last, "{}")});
    }
  }

  void drop_each(const Statement& part) {
    const bool is_block = part.kind == Kind::kBlock;
    if (is_block) {
      for (const Statement& s : part.parts) {
        if (s.kind != Kind::kDeclaration && s.kind != Kind::kLabel) add("error_path", {replace(s.first, s.last, "{}")});
      }
    } else {
      add("error_path", {replace(part.first, part.last, "{}")});
    }
  }

  void error_branch(const Statement& branch) {
    const Statement* last = &branch;
    if (branch.kind == Kind::kBlock) last = branch.parts.empty() ? nullptr : &branch.parts.back();
    const bool leaves = last != nullptr && (is(last->first, "return") || is(last->first, "throw"));
    if (leaves) drop_each(branch);
  }

  void swapped(const Statement& block) {
    for (std::size_t i = 0; i + 1 < block.parts.size(); ++i) {
      const Statement& one = block.parts[i];
      const Statement& other = block.parts[i + 1];
      const auto counts = [&](const Statement& s) { return s.kind == Kind::kExpression && s.parts.empty(); };
      // Of two assignments the order is hardly ever of any matter.
      if (!counts(one) || !counts(other) || (called(one).empty() && called(other).empty())) continue;
      add("swapped", {{begin(one.first), end(other.last), absl::StrCat(text(other), " ", text(one))}});
    }
  }

  bool is_lock(const Statement& s) const {
    if (s.kind != Kind::kDeclaration) return false;
    for (std::size_t i = s.first; i < s.last && !is(i, "("); ++i) {
      if (is(i, "mutex_lock")) return true;
    }
    return false;
  }

  void unlocked(const Statement& block) {
    for (std::size_t i = 0; i + 1 < block.parts.size(); ++i) {
      const Statement& lock = block.parts[i];
      if (!is_lock(lock)) continue;
      const Statement& next = block.parts[i + 1];
      const Statement& last = block.parts.back();
      add("unlocked", {{begin(lock.first), end(next.last), absl::StrCat(text(next), " ", text(lock))}});
      if (last.first == next.first) continue;
      add("unlocked", {{begin(lock.first), begin(lock.first), "{ "}, {begin(last.first), begin(last.first), "} "}});
    }
  }

  const Source& source_;
  const std::vector<Token>& tokens_;
  const std::size_t function_;
  std::vector<Mutant>& mutants_;
};

}  // namespace

Source::Source(std::string path_, std::string text_)
    : path(std::move(path_)), text(std::move(text_)), tokens(tokens_of(text)), functions(functions_of(tokens)) {}

std::size_t Source::line(std::size_t offset) const {
  return 1 +
         static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

std::vector<Mutant> generate(const Source& source) {
  std::vector<Mutant> mutants;
  for (std::size_t i = 0; i < source.functions.size(); ++i) {
    if (!source.functions[i].is_constant) Rules(source, i, mutants);
  }
  return mutants;
}

}  // namespace futures::mutants
