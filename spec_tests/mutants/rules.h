// Rules that make mutants of a source: the single bugs of which concurrent code is full.
//
//   order         a memory order one step weaker
//   two_steps     an atomic read-modify-write as a load and a store
//   notify_one    notify_all as notify_one
//   no_wake       a notify or wake is dropped
//   once          a loop runs at most once: `while` as `if`
//   unlocked      the first or the last statement under a lock moves out of it
//   negated       a condition is negated
//   off_by_one    < for <=, without + 1, 0 for 1
//   swapped       two statements next to each other change places
//   error_path    a statement of a handler is dropped, or one of a branch that ends in throw or return
//
// A mutant's name has the function, and counts the rule's mutants in it. So it stays when other functions change.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_RULES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_RULES_H_

#include <vector>

#include "spec_tests/mutants/mutant_list.h"

namespace futures::mutants {

// In the order of the rules, and of the text. Leaves out functions that are constexpr: they must not ask at run time
// which mutant they are.
std::vector<Mutant> generate(const Source& source);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_RULES_H_
