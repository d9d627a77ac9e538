#include "spec_tests/mutants/catalogue.h"

#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace futures::mutants {

std::string to_text(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& e : entries) {
    const char* separator = "";
    for (const std::string* part : {&e.name, &e.rule, &e.file, &e.law, &e.refused, &e.equivalent}) {
      absl::StrAppend(&text, separator, absl::StrReplaceAll(*part, {{"\t", " "}, {"\n", " "}}));
      separator = "\t";
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::vector<Entry> parse_catalogue(std::string_view text) {
  std::vector<Entry> entries;
  for (std::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    if (parts.size() != 6) throw std::runtime_error(absl::StrCat("not a line of a catalogue of mutants: ", line));
    entries.push_back({parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]});
  }
  return entries;
}

}  // namespace futures::mutants
