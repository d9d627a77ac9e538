#include "spec_tests/mutants/source_text.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace futures::mutants {
namespace {

bool is_word(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The end of the string or character literal whose opening quote is at `quote`.
std::size_t end_of_quoted(std::string_view source, std::size_t quote) {
  for (std::size_t i = quote + 1; i < source.size(); ++i) {
    if (source[i] == '\\') {
      ++i;
    } else if (source[i] == source[quote]) {
      return i + 1;
    }
  }
  return source.size();
}

// The same for a raw string.
std::size_t end_of_raw(std::string_view source, std::size_t quote) {
  const std::size_t open = source.find('(', quote);
  if (open == std::string_view::npos) return source.size();
  const std::string end = absl::StrCat(")", source.substr(quote + 1, open - quote - 1), "\"");
  const std::size_t found = source.find(end, open);
  return found == std::string_view::npos ? source.size() : found + end.size();
}

// The end of the line, with those that a backslash adds.
std::size_t end_of_directive(std::string_view source, std::size_t i) {
  for (; i < source.size(); ++i) {
    if (source[i] == '\n' && source[i - 1] != '\\') break;
  }
  return i;
}

// Behind spaces, comments and preprocessor lines.
std::size_t next_token(std::string_view source, std::size_t i) {
  while (i < source.size()) {
    if (absl::ascii_isspace(static_cast<unsigned char>(source[i]))) {
      ++i;
    } else if (absl::StartsWith(source.substr(i), "//")) {
      i = std::min(source.find('\n', i), source.size());
    } else if (absl::StartsWith(source.substr(i), "/*")) {
      const std::size_t end = source.find("*/", i + 2);
      i = end == std::string_view::npos ? source.size() : end + 2;
    } else if (source[i] == '#') {
      i = end_of_directive(source, i);
    } else {
      break;
    }
  }
  return i;
}

constexpr std::array kPunctuation = {"<=>", "...", "->*", "<<=", ">>=", "::", "->", "<<", "<=", ">=", "==", "!=",
                                     "&&",  "||",  "++",  "--",  "+=",  "-=", "*=", "/=", "%=", "|=", "&=", "^="};

Token token_at(std::string_view source, std::size_t begin) {
  std::size_t end = begin;
  const auto token = [&](Token::Kind kind) { return Token{kind, begin, source.substr(begin, end - begin)}; };
  if (absl::ascii_isdigit(static_cast<unsigned char>(source[begin]))) {
    while (end < source.size() && (is_word(source[end]) || source[end] == '\'' || source[end] == '.')) ++end;
    return token(Token::Kind::kNumber);
  }
  while (end < source.size() && is_word(source[end])) ++end;
  const std::string_view word = source.substr(begin, end - begin);
  if (end < source.size() && (source[end] == '"' || source[end] == '\'') && word.size() <= 3) {
    end = absl::EndsWith(word, "R") ? end_of_raw(source, end) : end_of_quoted(source, end);
    return token(Token::Kind::kLiteral);
  }
  if (!word.empty()) return token(Token::Kind::kWord);
  for (const std::string_view punctuation : kPunctuation) {
    if (!absl::StartsWith(source.substr(begin), punctuation)) continue;
    end = begin + punctuation.size();
    return token(Token::Kind::kPunctuation);
  }
  end = begin + 1;
  return token(Token::Kind::kPunctuation);
}

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> of) {
  return std::find(of.begin(), of.end(), text) != of.end();
}

// Finds functions. A scope is a namespace or a class; its declarations have a head, which is what precedes a brace.
class Scopes {
 public:
  explicit Scopes(const std::vector<Token>& tokens) : tokens_(tokens) { scope(0, tokens.size(), ""); }

  std::vector<Function> functions;

 private:
  enum class Brace { kNamespace, kClass, kFunction, kOther };

  bool is(std::size_t i, std::string_view text) const { return i < tokens_.size() && tokens_[i].is(text); }

  // The index behind the template parameter list that opens at `i`.
  std::size_t behind_angles(std::size_t i) const {
    int depth = 0;
    for (; i < tokens_.size(); ++i) {
      if (is(i, "(") || is(i, "[") || is(i, "{")) i = closing(tokens_, i);
      if (is(i, "<")) ++depth;
      if (is(i, ">") && --depth == 0) return i + 1;
    }
    return i;
  }

  void scope(std::size_t i, std::size_t end, const std::string& prefix) {
    std::size_t head = i;
    while (i < end) {
      const Token& token = tokens_[i];
      if (token.is("template") && is(i + 1, "<")) {
        i = behind_angles(i + 1);
        if (head + 1 >= i || is(head, "template")) head = i;
      } else if (token.is("(") || token.is("[")) {
        i = closing(tokens_, i) + 1;
      } else if (token.is("{")) {
        const std::size_t close = closing(tokens_, i);
        head = brace(head, i, close, prefix);
        i = close + 1;
      } else {
        const bool ends = token.is(";") || (token.is(":") && is_any_of(tokens_[i - (i > 0 ? 1 : 0)].text,
                                                                       {"public", "protected", "private"}));
        ++i;
        if (ends) head = i;
      }
    }
  }

  // Handles a brace, and returns where the head of what follows begins.
  std::size_t brace(std::size_t head, std::size_t open, std::size_t close, const std::string& prefix) {
    switch (kind(head, open)) {
      case Brace::kNamespace:
        scope(open + 1, close, prefix);
        return close + 1;
      case Brace::kClass:
        scope(open + 1, close, absl::StrCat(prefix, class_name(head, open), "."));
        return close + 1;
      case Brace::kFunction: {
        const bool is_constant = holds(head, open, "constexpr") || holds(head, open, "consteval");
        functions.push_back({absl::StrCat(prefix, function_name(head, open)), is_constant, open, close});
        return close + 1;
      }
      case Brace::kOther:
        return head;
    }
    return head;
  }

  // Calls visit(i) for the tokens of the head that are outside of brackets, and for opening ones, until it is true.
  template <typename Visit>
  bool any_in_head(std::size_t head, std::size_t open, Visit visit) const {
    for (std::size_t i = head; i < open; ++i) {
      if (visit(i)) return true;
      if (is(i, "(") || is(i, "[") || is(i, "{")) i = closing(tokens_, i);
    }
    return false;
  }
  bool holds(std::size_t head, std::size_t open, std::string_view word) const {
    return any_in_head(head, open, [&](std::size_t i) { return is(i, word); });
  }

  // Where the list of parameters opens; `open` if there is none.
  std::size_t parameters(std::size_t head, std::size_t open) const {
    std::size_t found = open;
    any_in_head(head, open, [&](std::size_t i) {
      if (!is(i, "(") || i == head) return false;
      const Token& before = tokens_[i - 1];
      const bool names_operator = i >= 2 && (is(i - 2, "operator") || (i >= 3 && is(i - 3, "operator")));
      if (before.kind != Token::Kind::kWord && !before.is(">") && !names_operator) return false;
      if (is_any_of(before.text, {"operator", "decltype", "explicit", "noexcept", "alignas", "requires"})) return false;
      found = i;
      return true;
    });
    return found;
  }

  Brace kind(std::size_t head, std::size_t open) const {
    if (open == head) return Brace::kOther;
    if (holds(head, open, "namespace") || is(head, "extern")) return Brace::kNamespace;
    const std::string_view before = tokens_[open - 1].text;
    const bool assigns = any_in_head(head, open, [&](std::size_t i) { return is(i, "=") && !is(i - 1, "operator"); });
    if (assigns || before == "requires" || before == "try" || holds(head, open, "enum")) return Brace::kOther;
    const bool ends_as_function = is_any_of(before, {")", "const", "noexcept", "override", "&", "&&", "mutable"});
    const bool has_class_key = holds(head, open, "class") || holds(head, open, "struct") || holds(head, open, "union");
    if (has_class_key && !ends_as_function) return Brace::kClass;
    const std::size_t list = parameters(head, open);
    if (list == open) return Brace::kOther;
    const auto behind_list = [&](std::string_view text) { return holds(closing(tokens_, list) + 1, open, text); };
    // A constructor's initializer with braces follows a name; the body follows a closed initializer.
    if (behind_list(":")) return before == ")" || before == "}" ? Brace::kFunction : Brace::kOther;
    if (before == ")" && is_parameter_list_of_requires(open - 1)) return Brace::kOther;
    return ends_as_function || before == "final" || behind_list("->") || behind_list("requires") ? Brace::kFunction
                                                                                                 : Brace::kOther;
  }

  bool is_parameter_list_of_requires(std::size_t close) const {
    for (std::size_t i = close; i-- > 0;) {
      if (is(i, "(") && closing(tokens_, i) == close) return i > 0 && is(i - 1, "requires");
    }
    return false;
  }

  std::string class_name(std::size_t head, std::size_t open) const {
    std::string name;
    any_in_head(head, open, [&](std::size_t i) {
      if (is(i, ":") || is(i, "final") || is(i, "<")) return true;
      const bool is_key = is_any_of(tokens_[i].text, {"class", "struct", "union", "template", "inline"});
      if (tokens_[i].kind != Token::Kind::kWord || is_key) return false;
      name = i > 0 && is(i - 1, "::") ? absl::StrCat(name, ".", tokens_[i].text) : std::string(tokens_[i].text);
      return false;
    });
    return name;
  }

  // The name before the list of parameters, with the classes that qualify it: without their template arguments.
  std::string function_name(std::size_t head, std::size_t open) const {
    std::size_t i = parameters(head, open);
    std::string name;
    for (std::size_t back = 1; back <= 3 && i >= head + back; ++back) {
      if (!is(i - back, "operator")) continue;
      for (std::size_t k = i - back; k < i; ++k) absl::StrAppend(&name, tokens_[k].text);
      return name;
    }
    while (i > head) {
      --i;
      name = absl::StrCat(tokens_[i].text, name);
      if (i > head && is(i - 1, "~")) name = absl::StrCat(tokens_[--i].text, name);
      if (i <= head || !is(i - 1, "::")) break;
      name = absl::StrCat(".", name);
      --i;
      if (i > head && is(i - 1, ">")) {
        while (i > head && !is(i - 1, "<")) --i;
        --i;
      }
    }
    return name;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view source) {
  std::vector<Token> tokens;
  for (std::size_t i = next_token(source, 0); i < source.size(); i = next_token(source, i)) {
    tokens.push_back(token_at(source, i));
    i = tokens.back().end();
  }
  return tokens;
}

std::size_t closing(const std::vector<Token>& tokens, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    if (tokens[i].kind != Token::Kind::kPunctuation) continue;
    if (is_any_of(tokens[i].text, {"(", "[", "{"})) ++depth;
    if (is_any_of(tokens[i].text, {")", "]", "}"}) && --depth == 0) return i;
  }
  return tokens.size();
}

std::vector<Function> functions_of(const std::vector<Token>& tokens) { return Scopes(tokens).functions; }

}  // namespace futures::mutants
