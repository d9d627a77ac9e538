#include "spec_tests/mutants/statements.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace futures::mutants {
namespace {

using Kind = Statement::Kind;

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}

  Statement block(std::size_t open) const {
    const std::size_t close = closing(tokens_, open);
    Statement block{.kind = Kind::kBlock, .first = open, .last = close};
    for (std::size_t i = open + 1; i < close; i = block.parts.back().last + 1) block.parts.push_back(statement(i));
    return block;
  }

 private:
  bool is(std::size_t i, std::string_view text) const { return i < tokens_.size() && tokens_[i].is(text); }
  bool is_word(std::size_t i) const { return i < tokens_.size() && tokens_[i].kind == Token::Kind::kWord; }

  Statement statement(std::size_t i) const {
    if (is(i, "{")) return block(i);
    if (is(i, "if")) return branch(i);
    if (is(i, "for") || is(i, "while") || is(i, "switch")) return loop(i);
    if (is(i, "do")) return do_loop(i);
    if (is(i, "try")) return try_block(i);
    if (is(i, "case") || is(i, "default")) {
      std::size_t colon = i;
      while (!is(colon, ":")) ++colon;
      return {.kind = Kind::kLabel, .first = i, .last = colon};
    }
    return simple(i);
  }

  Statement branch(std::size_t i) const {
    Statement found{.kind = Kind::kIf, .first = i};
    const bool is_constant = is(i + 1, "constexpr");
    const std::size_t open = i + (is_constant ? 2 : 1);
    found.condition = is_constant ? 0 : open;
    found.parts.push_back(statement(closing(tokens_, open) + 1));
    if (is(found.parts.back().last + 1, "else")) found.parts.push_back(statement(found.parts.back().last + 2));
    found.last = found.parts.back().last;
    return found;
  }

  Statement loop(std::size_t i) const {
    const Kind kind = is(i, "for") ? Kind::kFor : is(i, "while") ? Kind::kWhile : Kind::kSwitch;
    Statement found{.kind = kind, .first = i, .condition = i + 1};
    found.parts.push_back(statement(closing(tokens_, i + 1) + 1));
    found.last = found.parts.back().last;
    return found;
  }

  Statement do_loop(std::size_t i) const {
    Statement found{.kind = Kind::kDo, .first = i};
    found.parts.push_back(statement(i + 1));
    found.condition = found.parts.back().last + 2;        // Behind `while`.
    found.last = closing(tokens_, found.condition) + 1;  // The semicolon.
    return found;
  }

  Statement try_block(std::size_t i) const {
    Statement found{.kind = Kind::kTry, .first = i};
    found.parts.push_back(block(i + 1));
    while (is(found.parts.back().last + 1, "catch")) {
      found.parts.push_back(block(closing(tokens_, found.parts.back().last + 2) + 1));
    }
    found.last = found.parts.back().last;
    return found;
  }

  Statement simple(std::size_t i) const {
    Statement found{.kind = kind_of(i), .first = i};
    for (; i < tokens_.size() && !is(i, ";"); ++i) {
      if (is(i, "(") || is(i, "[") || is(i, "{")) {
        const std::size_t close = closing(tokens_, i);
        inner_blocks(i, close, found.parts);
        i = close;
      }
    }
    found.last = i;
    return found;
  }

  // A lambda's or a function's body follows a bracket or a word that may stand behind one; an initializer does not.
  void inner_blocks(std::size_t from, std::size_t to, std::vector<Statement>& found) const {
    for (std::size_t i = from; i < to; ++i) {
      if (!is(i, "{")) continue;
      const bool is_body = is(i - 1, ")") || is(i - 1, "]") || is(i - 1, "const") || is(i - 1, "mutable") ||
                           is(i - 1, "noexcept") || is(i - 1, "override") || is(i - 2, "->");
      if (!is_body) continue;
      found.push_back(block(i));
      i = found.back().last;
    }
  }

  Kind kind_of(std::size_t i) const {
    static constexpr std::string_view kJumps[] = {"return", "throw", "break", "continue", "goto"};
    static constexpr std::string_view kDeclare[] = {"const", "constexpr", "static", "auto",  "struct",
                                                    "class", "using",     "enum",   "union", "static_assert"};
    const auto begins_with_any = [&](const auto& words) {
      return std::any_of(std::begin(words), std::end(words), [&](std::string_view word) { return is(i, word); });
    };
    if (begins_with_any(kJumps)) return Kind::kJump;
    if (begins_with_any(kDeclare)) return Kind::kDeclaration;
    if (is(i, "delete") || is(i, "new") || is(i, "co_return") || !is_word(i)) return Kind::kExpression;
    return is_word(behind_type(i)) ? Kind::kDeclaration : Kind::kExpression;
  }

  // Behind what may be the name of a type, with its arguments and what makes it a pointer or a reference.
  std::size_t behind_type(std::size_t i) const {
    while (is_word(i)) {
      ++i;
      if (is(i, "<")) {
        int depth = 0;
        for (; i < tokens_.size() && !is(i, ";"); ++i) {
          if (is(i, "<")) ++depth;
          if (is(i, ">") && --depth == 0) break;
        }
        ++i;
      }
      if (!is(i, "::")) break;
      ++i;
    }
    while (is(i, "*") || is(i, "&") || is(i, "&&") || is(i, "const")) ++i;
    return i;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

Statement block_at(const std::vector<Token>& tokens, std::size_t open) { return Parser(tokens).block(open); }

}  // namespace futures::mutants
