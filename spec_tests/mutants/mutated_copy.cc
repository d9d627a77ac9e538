#include "spec_tests/mutants/mutated_copy.h"

#include <cstddef>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace futures::mutants {
namespace {

using Cases = std::vector<std::pair<std::size_t, const Change*>>;  // The index of a mutant, and its change.

std::string changed_body(const Source& source, const Change& change) {
  const std::string_view text = source.text;
  std::string body;
  std::size_t at = source.body_begin(change.function);
  for (const Edit& edit : change.edits) {
    absl::StrAppend(&body, text.substr(at, edit.begin - at), edit.text);
    at = edit.end;
  }
  absl::StrAppend(&body, text.substr(at, source.body_end(change.function) - at));
  return body;
}

}  // namespace

std::string mutated_copy(const Source& source, const std::vector<Mutant>& mutants) {
  std::map<std::size_t, Cases> functions;  // In the order of the text.
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    for (const Change& change : mutants[i].changes) {
      if (change.file == source.path) functions[change.function].push_back({i, &change});
    }
  }
  const std::string_view text = source.text;
  std::string copy = absl::StrCat("#include \"spec_tests/mutants/mutant.h\"\n#line 1 \"", source.path, "\"\n");
  std::size_t at = 0;
  for (const auto& [function, cases] : functions) {
    const std::size_t end = source.body_end(function);
    const std::size_t begin = source.body_begin(function);
    // The source's own body is the first: where a return type is deduced, that of a mutant is the wrong one.
    absl::StrAppend(&copy, text.substr(at, begin - at), " switch (::futures::mutants::active()) { default: {",
                    text.substr(begin, end - begin), "} break;");
    for (const auto& [index, change] : cases) {
      absl::StrAppend(&copy, "\n#line 1 \"mutants/", mutants[index].name, "\"\ncase ", index + 1, ": {",
                      changed_body(source, *change), "\n} break;");
    }
    absl::StrAppend(&copy, "}\n#line ", source.line(end), " \"", source.path, "\"\n");
    at = end;
  }
  absl::StrAppend(&copy, text.substr(at));
  return copy;
}

std::string names_source(const std::vector<Mutant>& mutants) {
  std::string text =
      "#include \"spec_tests/mutants/mutant.h\"\n\n"
      "const bool is_mutant_chosen = futures::mutants::choose_from_environment({\n";
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    if (!mutants[i].changes.empty()) absl::StrAppend(&text, "    {\"", mutants[i].name, "\", ", i + 1, "},\n");
  }
  absl::StrAppend(&text, "});\n");
  return text;
}

}  // namespace futures::mutants
