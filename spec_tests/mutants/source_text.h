// What the generator of mutants knows of C++: tokens, the bodies of functions, and the statements inside. It reads
// sources that a compiler has accepted and clang-format has laid out; of macros it knows only that they are there.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SOURCE_TEXT_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SOURCE_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace futures::mutants {

struct Token {
  enum class Kind { kWord, kNumber, kLiteral, kPunctuation };  // kLiteral: of characters.
  Kind kind;
  std::size_t begin;  // Offset in the source.
  std::string_view text;

  std::size_t end() const { return begin + text.size(); }
  bool is(std::string_view other) const { return text == other; }
};

// The tokens of `source`, which must outlive them. Comments and preprocessor lines are none. `>>` is two tokens, as it
// may close two lists.
std::vector<Token> tokens_of(std::string_view source);

// For an opening bracket at `open` the index of its closing one; the number of tokens if there is none. Knows (, [, {.
std::size_t closing(const std::vector<Token>& tokens, std::size_t open);

// A function that is defined in a source: at namespace scope or in a class. Lambdas and local classes belong to the
// function around them.
struct Function {
  std::string name;         // With its classes, such as FutureState.step.
  bool is_constant;         // constexpr or consteval.
  std::size_t open, close;  // The tokens of the body's braces. A constructor's initializers are before them.
};

std::vector<Function> functions_of(const std::vector<Token>& tokens);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SOURCE_TEXT_H_
