// The tables of skips in docs/SPEC.md, held against what the run skips.
#ifndef CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_
#define CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_

#include <string>
#include <string_view>

namespace futures::conformance {

// docs/SPEC.md as it was when this program was built.
std::string_view spec_text();

// What the tables "## Skips" and "### Checks" of `spec` do not agree on with the executors of the registry that are not
// broken on purpose, and with the checks that are not for processes: one line each; empty if nothing.
std::string disagreements_with(std::string_view spec);

}  // namespace futures::conformance

#endif  // CONCURRENT_FUTURES_TOOLS_SPEC_SKIPS_H_
