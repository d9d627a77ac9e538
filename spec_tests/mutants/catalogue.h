// The catalogue of the mutants of some copies: what the report has to know of each. One line of text for each.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_CATALOGUE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_CATALOGUE_H_

#include <string>
#include <string_view>
#include <vector>

namespace futures::mutants {

struct Entry {
  std::string name;
  std::string rule;
  std::string file;          // The first that it changes, by its path; empty if no copy has it.
  std::string law;           // Empty for a generated one.
  std::string refused;       // What the compiler says to it, if it takes it not.
  std::string equivalent;    // Why nobody can tell it from the source, if somebody has argued so.

  friend bool operator==(const Entry&, const Entry&) = default;
};

std::string to_text(const std::vector<Entry>& entries);
// Throws std::runtime_error if this is no catalogue.
std::vector<Entry> parse_catalogue(std::string_view text);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_CATALOGUE_H_
