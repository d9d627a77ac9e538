// Reads from the compiler's intermediate code (LLVM's, not optimised) what the project's own functions use of the world
// outside the project. There every alias, auto, macro and template argument is resolved, and what headers inline is an
// instruction.
//
// It sees calls, addresses of functions and variables, atomic instructions, thread_local variables, guards of statics,
// and inline assembly. It does not see
//   - templates that the translation unit does not instantiate,
//   - what a function outside the project does in its turn, and calls through pointers that such a function has given,
//   - members of types outside the project that are never constructed, used or destroyed.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SEAM_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SEAM_H_

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace futures::simulator {

// One use, by a function of the project or by the initial value of one of its variables.
struct OutsideUse {
  std::string user;  // The mangled name.
  std::string file;  // Empty for a variable.
  // The outermost class, or the function, with its namespaces: "std::atomic", "std::chrono::steady_clock::now",
  // "pthread_self". In parentheses what has no name: "(atomic instruction)", "(thread_local)", "(static)",
  // "(assembly)".
  std::string name;
};

struct SeamReading {
  std::vector<OutsideUse> uses;
  std::set<std::string> files;  // Those of the project that have code.
};

// `is_own` says of a file's name whether its functions are the project's.
SeamReading read_seam(std::string_view code, const std::function<bool(std::string_view file)>& is_own);

// As in OutsideUse: the name of what a symbol of the linker stands for.
std::string entity_of_symbol(std::string_view symbol);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SEAM_H_
