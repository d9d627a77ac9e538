// For names_test: the two builds cannot be included in one source.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATED_NAMES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATED_NAMES_H_

#include <string>
#include <vector>

namespace futures::simulator {

// The names of some types of the simulated build, as a debugger shows them.
std::vector<std::string> simulated_names();

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SIMULATED_NAMES_H_
