#include "spec_tests/mutants/mutant.h"

#include <cstdio>
#include <cstdlib>

namespace futures::mutants {

bool choose(std::string_view name, std::initializer_list<NumberedName> names) {
  if (name.empty()) {
    chosen = 0;
    return true;
  }
  for (const NumberedName& candidate : names) {
    if (candidate.name != name) continue;
    chosen = candidate.number;
    return true;
  }
  return false;
}

bool choose_from_environment(std::initializer_list<NumberedName> names) {
  const char* const name = std::getenv(kMutantVariable);
  if (choose(name == nullptr ? "" : name, names)) return true;
  std::fprintf(stderr, "%s: there is no mutant %s\n", kMutantVariable, name);
  std::_Exit(kNoSuchMutant);
}

}  // namespace futures::mutants
