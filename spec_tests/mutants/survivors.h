// Mutants that are known to survive, and why: a hole that is known is not a hole that is forgotten.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SURVIVORS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SURVIVORS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/mutants/score.h"

namespace futures::mutants {

// Of a text with a line "NAME: REASON" for each; # begins a comment. Throws std::runtime_error.
std::map<std::string, std::string> parse_survivors(std::string_view text);

// What is not as the list says, one sentence a line: an asked mutant that survives and is neither listed nor argued
// equivalent, one that is listed and is killed, and a listed one that does not exist.
std::string compare(const std::map<std::string, std::string>& survivors, const std::vector<Verdict>& verdicts,
                    const std::vector<Copies>& copies);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SURVIVORS_H_
