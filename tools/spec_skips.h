// The tables of docs/SPEC.md, compared with what the conformance run does.
#ifndef CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_
#define CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_

#include <string>
#include <string_view>

namespace futures::conformance {

// docs/SPEC.md as it was when this program was built.
std::string_view spec_text();

// Compares the tables of `spec` with the executors and checks of this program. Executors that are broken on purpose do
// not count. Returns one line for each difference, and nothing if there is none. Tables are known by their columns:
// - | Law | Status | Held by | names the checks of each law, and says whether traces ask for it.
// - | Laws | Executors | Reason | says which laws an executor is not held to. A law is named by its id, by `group X`,
// or by
//   `without traces`. Where two rows name the same law and executor, the first one holds.
// - | Law | Checks | Reason | says which checks are not run on processes: their names, or `all`.
std::string disagreements_with(std::string_view spec);

}  // namespace futures::conformance

#endif  // CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_
