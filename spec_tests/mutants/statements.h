// The statements of a function body, as far as rules for mutants want them.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_STATEMENTS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_STATEMENTS_H_

#include <cstddef>
#include <vector>

#include "spec_tests/mutants/source_text.h"

namespace futures::mutants {

struct Statement {
  enum class Kind { kExpression, kDeclaration, kJump, kBlock, kIf, kFor, kWhile, kDo, kSwitch, kTry, kLabel };
  Kind kind = Kind::kExpression;
  std::size_t first = 0, last = 0;  // Its first and last token.
  std::size_t condition = 0;        // The ( before the condition of kIf, kFor, kWhile and kDo; 0 for `if constexpr`.
  // Of a block its statements; of kIf what it does then and else; of a loop its body; of kTry the block, then the
  // handlers. Of an expression or a declaration the bodies of lambdas and of a local class's functions.
  std::vector<Statement> parts;
};

// The block that opens at `open`.
Statement block_at(const std::vector<Token>& tokens, std::size_t open);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_STATEMENTS_H_
