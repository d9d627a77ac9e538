#include "spec_tests/simulator/simulated_names.h"

#include <typeinfo>

#include "spec_tests/simulator/simulated/futures/errors.h"
#include "spec_tests/simulator/simulated/futures/future.h"
#include "spec_tests/simulator/simulated/futures/internal/current_exception.h"
#include "spec_tests/simulator/simulated/optimized/thread_pool_executor.h"
#include "spec_tests/simulator/simulated/reference/reference_executor.h"

namespace futures::simulator {

std::vector<std::string> simulated_names() {
  using simulated::internal::demangled;
  return {demangled(typeid(BrokenThreadPool).name()), demangled(typeid(Future<int>).name()),
          demangled(typeid(ThreadPoolExecutor).name()), demangled(typeid(ReferenceExecutor).name()),
          demangled(typeid(sync::stop_token).name())};
}

}  // namespace futures::simulator
