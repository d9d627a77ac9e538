// The mutated copy of a source: the same text, but the body of each function that mutants change is there several
// times, and a switch chooses one of them on each call.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTATED_COPY_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTATED_COPY_H_

#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/mutants/mutant_list.h"

namespace futures::mutants {

// The copy of `source` with mutants[i] under the number i + 1. The lines of the source keep their numbers. A compiler
// says "mutants/NAME:LINE" of what only a mutant has.
std::string mutated_copy(const Source& source, const std::vector<Mutant>& mutants);

// A source that has the names of the mutants, and chooses from the environment before main.
std::string names_source(const std::vector<Mutant>& mutants);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTATED_COPY_H_
