#include "spec_tests/simulator/law_names.h"

#include "spec_tests/laws/law.h"

namespace futures::simulator {

std::vector<LawName> names_of_all_laws() {
  std::vector<LawName> names;
  for (const spec_tests::Law& law : spec_tests::all_laws()) names.push_back({.law = law.id, .check = law.name});
  return names;
}

}  // namespace futures::simulator
