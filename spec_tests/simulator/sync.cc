#include "spec_tests/simulator/sync.h"

#include <cerrno>
#include <system_error>

namespace futures::inline simulated::sync {

thread thread::start(const thread_options& options, std::function<void()> body, Where where) {
  const int number = Machine::instance().start(options.name, std::move(body), where);
  if (number == simulator::kNobody) throw std::system_error(EAGAIN, std::generic_category(), "cannot start a thread");
  return thread(number);
}

// --- The library of this file is not instrumented: the counts are no plain variables.

void Owners::add() noexcept { ++count_; }

void Owners::add_to_some() {
  if (count_ == 0) throw std::bad_weak_ptr();
  ++count_;
}

void Owners::drop() noexcept {
  Machine::instance().order(Machine::Ordering::kModify, this, std::memory_order_acq_rel);
  if (--count_ == 0) delete this;
}

long Owners::count() const noexcept { return count_; }

}  // namespace futures::inline simulated::sync
