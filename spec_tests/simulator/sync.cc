#include "spec_tests/simulator/sync.h"

#include <cerrno>
#include <system_error>

namespace futures::inline simulated::sync {

thread thread::start(const thread_options& options, std::function<void()> body, Where where) {
  const int number = Machine::instance().start(options.name, std::move(body), where);
  if (number == simulator::kNobody) throw std::system_error(EAGAIN, std::generic_category(), "cannot start a thread");
  return thread(number);
}

}  // namespace futures::inline simulated::sync
