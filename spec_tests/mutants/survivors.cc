#include "spec_tests/mutants/survivors.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace futures::mutants {

std::map<std::string, std::string> parse_survivors(std::string_view text) {
  std::map<std::string, std::string> survivors;
  for (std::string_view line : absl::StrSplit(text, '\n', absl::SkipWhitespace())) {
    if (line[0] == '#') continue;
    std::pair<std::string, std::string> one = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (one.second.empty()) throw std::runtime_error(absl::StrCat("no reason why it survives: ", line));
    if (!survivors.insert(one).second) throw std::runtime_error(absl::StrCat("listed twice: ", line));
  }
  return survivors;
}

std::string compare(const std::map<std::string, std::string>& survivors, const std::vector<Verdict>& verdicts,
                    const std::vector<Copies>& copies) {
  std::string wrong;
  for (const Verdict& verdict : verdicts) {
    const std::string& name = verdict.mutant.name;
    const bool is_listed = survivors.contains(name);
    if (verdict.is_killed() && is_listed) {
      absl::StrAppend(&wrong, name, " is killed by ", verdict.killed_by, ": take it from the list of survivors\n");
    }
    if (!verdict.is_killed() && !is_listed && verdict.mutant.equivalent.empty()) {
      absl::StrAppend(&wrong, name, " survives: write a check that kills it\n");
    }
  }
  for (const auto& [name, reason] : survivors) {
    const bool exists = std::any_of(copies.begin(), copies.end(), [&name = name](const Copies& one) {
      return std::any_of(one.entries.begin(), one.entries.end(),
                         [&](const Entry& entry) { return entry.name == name; });
    });
    if (!exists) absl::StrAppend(&wrong, name, " does not exist: take it from the list of survivors\n");
  }
  return wrong;
}

}  // namespace futures::mutants
