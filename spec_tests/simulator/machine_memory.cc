// The machine and the memory of its program: plain accesses, as the compiler's instrumentation reports them
// (simulated.bzl has the options), and the findings that come of them.
//
// Which memory threads may share: what the program has allocated in this run, static variables of the binary, and the
// stacks of other threads. Everything else is not looked at: the accessing thread's own stack, memory from before the
// run or from malloc (exceptions are there), variables of shared libraries.
//
// Not reported by the instrumentation: what memcpy and memset do, accesses of more than 16 bytes, read-modify-writes,
// and what libraries do that are not instrumented. Atomic loads and stores are reported like others. So the operations
// of sync:: access their values in functions that are not instrumented (SIMULATED_UNSEEN).
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/quarantine.h"

// Names that the linker and the C library give: the binary, and its variables.
extern "C" const std::byte __executable_start[];
extern "C" const std::byte __data_start[];
extern "C" const std::byte _end[];
extern "C" [[gnu::weak]] const std::byte __start_simulated_thread_locals[];
extern "C" [[gnu::weak]] const std::byte __stop_simulated_thread_locals[];

namespace futures::simulator {
namespace {

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

bool is_between(std::uintptr_t address, const std::byte* begin, const std::byte* end) {
  return address >= number(begin) && address < number(end);
}

// The function that an instruction is in. It may be one that the named one was inlined into.
std::string function(std::uint32_t code) {
  char name[512];
  if (!absl::Symbolize(__executable_start + code, name, sizeof(name))) return "a function without a name";
  return name;
}

}  // namespace

bool Machine::is_of_the_program(std::uintptr_t address) const {
  if (Quarantine::contains(address)) return true;
  if (is_between(address, __data_start, _end)) {
    return !is_between(address, __start_simulated_thread_locals, __stop_simulated_thread_locals);
  }
  for (int i = 0; i < count_; ++i) {
    if (address - threads_[static_cast<std::size_t>(i)]->fiber.stack() < Fiber::kStackBytes) return true;
  }
  return false;
}

void Machine::plain_access(const void* address, std::size_t bytes, bool writes, const void* code) {
  if (!observes_ || !looks_at_accesses_ || number(address) - own_stack_ < Fiber::kStackBytes) return;
  const Inside inside;
  instance().check_plain_access(number(address), bytes, writes, code);
}

void Machine::check_plain_access(std::uintptr_t address, std::size_t bytes, bool writes, const void* code) {
  if (!is_of_the_program(address)) return;
  ++outcome_.plain_accesses;
  const PlainAccess access = {.code = static_cast<std::uint32_t>(number(code) - number(__executable_start) - 1),
                              .part = happens_before_.part(current_),
                              .row = records_ ? static_cast<std::uint32_t>(rows_.size()) : 0,
                              .thread = static_cast<std::uint8_t>(current_),
                              .writes = writes};
  if (Quarantine::contains(address) && Quarantine::is_freed(address)) {
    found(Finding::Kind::kUseAfterFree, absl::StrCat("memory is used that has been freed\n", describe(access)));
  }
  if (const std::optional<PlainAccess> other = plain_accesses_.add(address, bytes, access, happens_before_)) {
    found(Finding::Kind::kDataRace,
          absl::StrCat("nothing orders two accesses to ", bytes, " bytes\n", describe(*other), "\n", describe(access)));
  }
}

std::string Machine::describe(const PlainAccess& access) const {
  std::string text =
      absl::StrFormat("    %s %s in %s\n      addr2line -Cfipe BINARY 0x%x has the lines", thread_name(access.thread),
                      access.writes ? "writes" : "reads", function(access.code), access.code);
  if (access.row > 0) absl::StrAppend(&text, "; it is behind row ", access.row - 1);
  return text;
}

Bookkeeping::Bookkeeping() : before_(Machine::observe(false)) {}
Bookkeeping::~Bookkeeping() { Machine::observe(before_); }

bool Machine::allocation_fails() {
  if (!limits_.allocations_fail) return false;
  const Inside inside;
  if (choose({.kind = Choice::Kind::kAllocationFailure, .options = 2, .first_fault = 1}) == 0) return false;
  if (records_) add_row(Operation::kNote, nullptr, Where(), "there is no memory for it");
  return true;
}

void Machine::order(Ordering ordering, const void* object, std::memory_order order) {
  if (!in_run_ || (!looks_at_accesses_ && !looks_for_conflicts_)) return;
  const Inside inside;
  if (looks_for_conflicts_ && ordering == Ordering::kLoad) conflicts_.read(current_, object);
  if (looks_for_conflicts_ && (ordering == Ordering::kStore || ordering == Ordering::kModify)) {
    conflicts_.write(current_, object);
  }
  if (!looks_at_accesses_) return;
  switch (ordering) {
    case Ordering::kLoad:
      return happens_before_.load(current_, object, order);
    case Ordering::kStore:
      return happens_before_.store(current_, object, order);
    case Ordering::kModify:
      return happens_before_.modify(current_, object, order);
    case Ordering::kFence:
      return happens_before_.fence(current_, order);
  }
}

}  // namespace futures::simulator

#define CONCURRENT_FUTURES_ACCESS(name, bytes, writes)                                              \
  extern "C" void name(const void* address) {                                                       \
    futures::simulator::Machine::plain_access(address, bytes, writes, __builtin_return_address(0)); \
  }
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_load1, 1, false)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_load2, 2, false)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_load4, 4, false)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_load8, 8, false)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_load16, 16, false)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_store1, 1, true)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_store2, 2, true)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_store4, 4, true)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_store8, 8, true)
CONCURRENT_FUTURES_ACCESS(__sanitizer_cov_store16, 16, true)
