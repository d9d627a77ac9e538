#include "spec_tests/simulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <cxxabi.h>

#include "absl/base/config.h"

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

// Saves what a called function must preserve on the stack, stores the stack pointer in *from, and goes on where `to`
// was saved.
extern "C" void concurrent_futures_switch_stack(void** from, void* to);
// Where a new fiber begins: calls the function that was stored in the saved registers.
extern "C" void concurrent_futures_first_frame();

#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl concurrent_futures_switch_stack
.type concurrent_futures_switch_stack,@function
concurrent_futures_switch_stack:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
.size concurrent_futures_switch_stack, .-concurrent_futures_switch_stack
.p2align 4
.globl concurrent_futures_first_frame
.type concurrent_futures_first_frame,@function
concurrent_futures_first_frame:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  callq *%rbx
  ud2
  .cfi_endproc
.size concurrent_futures_first_frame, .-concurrent_futures_first_frame
)");
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 4
.globl concurrent_futures_switch_stack
.type concurrent_futures_switch_stack,%function
concurrent_futures_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size concurrent_futures_switch_stack, .-concurrent_futures_switch_stack
.p2align 4
.globl concurrent_futures_first_frame
.type concurrent_futures_first_frame,%function
concurrent_futures_first_frame:
  .cfi_startproc
  .cfi_undefined x30
  mov x0, x20
  blr x19
  brk #1
  .cfi_endproc
.size concurrent_futures_first_frame, .-concurrent_futures_first_frame
)");
#else
#error "The simulator switches stacks on x86-64 and arm64 only."
#endif

// The linker's names for the two ends of the section. Weak: a program may have no such variable.
extern "C" [[gnu::weak]] std::byte __start_simulated_thread_locals[];
extern "C" [[gnu::weak]] std::byte __stop_simulated_thread_locals[];

namespace futures::simulator {
namespace {

constexpr std::size_t kGuardBytes = std::size_t{64} * 1024;  // A multiple of every page size in use.

std::size_t thread_local_bytes() {
  return static_cast<std::size_t>(__stop_simulated_thread_locals - __start_simulated_thread_locals);
}

// What the variables hold in a new thread: what they held before the first switch.
const std::byte* initial_thread_locals() {
  static const std::byte* const bytes = [] {
    auto* const copy = new std::byte[thread_local_bytes() + 1];
    if (thread_local_bytes() != 0) std::memcpy(copy, __start_simulated_thread_locals, thread_local_bytes());
    return copy;
  }();
  return bytes;
}

// Initialized once, before any fiber changes a variable.
[[maybe_unused]] const std::byte* const initial_at_start = initial_thread_locals();

std::byte* make_stack() {
  void* const memory = mmap(nullptr, kGuardBytes + Fiber::kStackBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);
  std::byte* const stack = static_cast<std::byte*>(memory) + kGuardBytes;
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  __lsan_register_root_region(stack, Fiber::kStackBytes);
#endif
  return stack;
}

}  // namespace

Fiber::Fiber() : thread_locals_(new std::byte[thread_local_bytes() + 1]) {}

Fiber::Fiber(void (*entry)(void*), void* argument)
    : entry_(entry),
      argument_(argument),
      stack_(make_stack()),
      thread_locals_(new std::byte[thread_local_bytes() + 1]),
      sanitized_bottom_(stack_),
      sanitized_bytes_(kStackBytes) {
  restart();
}

Fiber::~Fiber() {
  if (stack_ == nullptr) return;
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  __lsan_unregister_root_region(stack_, kStackBytes);
#endif
  munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes);
}

void Fiber::restart() {
  void (*const kStart)(Fiber*) = &Fiber::start;
  auto** const top = reinterpret_cast<void**>(stack_ + kStackBytes);
#if defined(__x86_64__)
  // From the top: two words that keep the stack aligned at the call, the return address, then rbp, rbx, r12 to r15.
  void** const saved = top - 9;
  for (int i = 0; i < 9; ++i) saved[i] = nullptr;
  saved[6] = reinterpret_cast<void*>(&concurrent_futures_first_frame);
  saved[4] = reinterpret_cast<void*>(kStart);  // rbx
  saved[3] = this;                             // r12
#else
  void** const saved = top - 20;
  for (int i = 0; i < 20; ++i) saved[i] = nullptr;
  saved[0] = reinterpret_cast<void*>(kStart);                                     // x19
  saved[1] = this;                                                                // x20
  saved[11] = reinterpret_cast<void*>(&concurrent_futures_first_frame);           // x30
#endif
  stack_pointer_ = saved;
  exceptions_ = {};
  fake_stack_ = nullptr;
  if (thread_local_bytes() != 0) std::memcpy(thread_locals_.get(), initial_thread_locals(), thread_local_bytes());
}

namespace {
Fiber* left = nullptr;     // By the switch that is under way.
}  // namespace

void Fiber::switch_to(Fiber& next) {
  auto* const globals = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
  exceptions_ = *globals;
  *globals = next.exceptions_;
  if (const std::size_t bytes = thread_local_bytes(); bytes != 0) {
    std::memcpy(thread_locals_.get(), __start_simulated_thread_locals, bytes);
    std::memcpy(__start_simulated_thread_locals, next.thread_locals_.get(), bytes);
  }
  left = this;
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&fake_stack_, next.sanitized_bottom_, next.sanitized_bytes_);
#endif
  concurrent_futures_switch_stack(&stack_pointer_, next.stack_pointer_);
  arrive();
}

void Fiber::arrive() {
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
  // Of the fiber that was left. The thread's own stack becomes known this way.
  left->sanitized_bottom_ = bottom;
  left->sanitized_bytes_ = bytes;
#endif
}

void Fiber::start(Fiber* self) {
  self->arrive();
  self->entry_(self->argument_);
  std::abort();
}

}  // namespace futures::simulator
