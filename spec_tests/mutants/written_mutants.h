// Mutants that somebody wrote, as text. README.md here has an example of the form.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_WRITTEN_MUTANTS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_WRITTEN_MUTANTS_H_

#include <functional>
#include <string_view>
#include <vector>

#include "spec_tests/mutants/mutant_list.h"

namespace futures::mutants {

// Finds the source with this path; null if the copies are not to have it. Throws std::runtime_error if there is no such
// source.
using FindSource = std::function<const Source*(std::string_view path)>;

// The mutants of `text`. One that changes a source which is not copied has no changes at all.
// Throws std::runtime_error, with the mutant and the source, if an original is gone, is not unique, or is outside the
// bodies of functions; with the line if the text has not the form. `name` is of the file, for messages.
std::vector<Mutant> parse_written(std::string_view name, std::string_view text, const FindSource& find);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_WRITTEN_MUTANTS_H_
