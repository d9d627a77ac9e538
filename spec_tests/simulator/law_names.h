// The checks that there are for real threads and processes, whether or not they are built for simulated ones.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_NAMES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_NAMES_H_

#include <string_view>
#include <vector>

namespace futures::simulator {

struct LawName {
  std::string_view law;  // "S3"
  std::string_view check;  // "CancelFuturesCancelsWhatHasNotStarted"
};

std::vector<LawName> names_of_all_laws();

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LAW_NAMES_H_
