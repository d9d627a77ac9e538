// Mutants: single bugs, as changes of a source's text inside the bodies of functions.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_LIST_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_LIST_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/mutants/source_text.h"

namespace futures::mutants {

// Replaces [begin, end) of a source by `text`.
struct Edit {
  std::size_t begin;
  std::size_t end;
  std::string text;

  friend bool operator==(const Edit&, const Edit&) = default;
};

// What a mutant changes in one function.
struct Change {
  std::string file;
  std::size_t function;     // Its index in Source::functions.
  std::vector<Edit> edits;  // In the order of the text.
};

struct Mutant {
  std::string name;  // Unique. Of a generated one RULE/FILE/FUNCTION/NUMBER.
  std::string rule;  // "written" if somebody wrote it.
  std::vector<Change> changes;

  // Of a written one alone.
  std::string law;         // What it breaks, by its id.
  std::string breaks;      // What is wrong then.
  std::string hurts;       // Whom, and when.
  std::string like;        // A historic bug of this kind.
  std::string refused;     // Why no compiler takes it, if so.
  std::string equivalent;  // Why nobody can tell it from the source, if so.
};

// A source of the project, taken apart.
struct Source {
  std::string path;
  std::string text;
  std::vector<Token> tokens;
  std::vector<Function> functions;

  Source(std::string path_, std::string text_);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // The number of the line at an offset, from 1.
  std::size_t line(std::size_t offset) const;
  // Behind the opening brace of a function's body, and at its closing one.
  std::size_t body_begin(std::size_t function) const { return tokens[functions[function].open].end(); }
  std::size_t body_end(std::size_t function) const { return tokens[functions[function].close].begin; }
};

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_LIST_H_
