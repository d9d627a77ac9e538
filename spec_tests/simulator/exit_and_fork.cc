// The simulated side of futures/internal/exit_and_fork.h. A simulated run neither forks nor ends the program: laws S8
// and T9 are asked of real threads alone. So there is one generation, and nothing is kept for the exit.
#include "spec_tests/simulator/simulated/futures/internal/exit_and_fork.h"

namespace futures::inline simulated::internal {

std::uint32_t fork_generation() noexcept { return 1; }
void check_generation(std::uint32_t) {}
void leave_to_parent(sync::shared_ptr<DrainedAtExit>) {}
void drain_at_exit(const sync::shared_ptr<DrainedAtExit>&) {}

}  // namespace futures::inline simulated::internal
