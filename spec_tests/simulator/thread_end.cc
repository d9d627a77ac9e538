// The end of a simulated thread by pthread_exit or by a cancellation.
//
// As in glibc it is a forced unwind: destructors run, and the handlers that match abi::__forced_unwind, catch (...)
// among them, which have to rethrow. The unwinder asks a function of ours at each frame; at the last one of the fiber
// the thread has ended.
#include <dlfcn.h>
#include <pthread.h>
#include <unwind.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "spec_tests/simulator/machine.h"

namespace futures::simulator {

void Machine::exit_thread() {
  Thread& self = thread(current_);
  if (std::exchange(self.is_ending, true)) found(Finding::Kind::kMisuse, "a thread that unwinds calls pthread_exit");
  if (records_) add_row(Operation::kNote, nullptr, self.waits_at, "its stack is unwound");
  std::memset(&self.unwinding, 0, sizeof(self.unwinding));
  self.unwinding.exception_cleanup = &Machine::unwinding_was_stopped;
  _Unwind_ForcedUnwind(&self.unwinding, &Machine::unwind_frame, nullptr);
  LOG(FATAL) << "the stack of a simulated thread cannot be unwound";
}

_Unwind_Reason_Code Machine::unwind_frame(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception*,
                                          _Unwind_Context*, void*) {
  if ((actions & _UA_END_OF_STACK) != 0) instance().end_thread();
  return _URC_NO_REASON;
}

// glibc ends the program there: "FATAL: exception not rethrown".
void Machine::unwinding_was_stopped(_Unwind_Reason_Code, _Unwind_Exception*) {
  Machine& machine = instance();
  machine.found(Finding::Kind::kMisuse, absl::StrCat("a catch (...) on ", machine.thread(machine.current_).name,
                                                     " has not rethrown the forced unwind that ends the thread"));
}

void Machine::at_end(std::function<void()> last_words) { thread(current_).last_words.push_back(std::move(last_words)); }

void Machine::say_last_words() noexcept {
  Thread& self = thread(current_);
  while (!self.last_words.empty()) {
    const std::function<void()> say = std::move(self.last_words.back());
    self.last_words.pop_back();
    say();
  }
}

void Machine::cancel(int number, const Where& where) {
  before(Operation::kCancel, nullptr, nullptr, where);
  Thread& cancelled = thread(number);
  if (records_) append(cancelled.name);
  cancelled.is_cancelled = true;
  if (cancelled.state != State::kCondition || !ends_here(cancelled)) return;
  cancelled.is_cancelled_here = true;
  wake(cancelled);
}

bool Machine::set_cancellable(bool is_cancellable) {
  return !in_run_ || std::exchange(thread(current_).is_cancellable, is_cancellable);
}

void Machine::end_if_cancelled(const Where& where) {
  if (!in_run_) return;
  before(Operation::kCancellationPoint, nullptr, nullptr, where);
  if (ends_here(thread(current_))) exit_thread();
}

namespace {

template <typename Function>
Function* next_definition(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace futures::simulator

// These take the place of glibc's, which would end or cancel the thread of the operating system that runs all fibers.
extern "C" void pthread_exit(void* value) {
  using futures::simulator::Machine;
  if (Machine::runs_here()) Machine::instance().exit_thread();
  static auto* const exit = futures::simulator::next_definition<void(void*)>("pthread_exit");
  exit(value);
  std::abort();
}

extern "C" int pthread_cancel(pthread_t thread) {
  using futures::simulator::Machine;
  if (Machine::runs_here() && pthread_equal(thread, pthread_self()) != 0) {
    Machine::instance().cancel(Machine::instance().current(), {});
    return 0;
  }
  static auto* const cancel = futures::simulator::next_definition<int(pthread_t)>("pthread_cancel");
  return cancel(thread);
}
