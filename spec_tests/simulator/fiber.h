// Fibers: several stacks on one thread of the operating system, and a switch from one to another.
//
// A switch also exchanges what C++ keeps per thread: the exceptions that are being handled or thrown
// (__cxa_get_globals), and the variables that the simulated sources declare as thread_local (SIMULATED_THREAD_LOCAL).
// AddressSanitizer is told of each switch. Variables that other libraries declare as thread_local stay those of the
// operating system's thread.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FIBER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FIBER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

// What `thread_local` becomes in the simulated sources. A plain variable in a section of its own, whose bytes are
// exchanged at each switch. So such a variable must have a constant initializer and a trivial destructor.
#define SIMULATED_THREAD_LOCAL __attribute__((section("simulated_thread_locals"), used))

namespace futures::simulator {

// Not thread-safe: fibers that switch to each other belong to one thread.
class Fiber {
 public:
  // The code that runs where it is made: the thread's own stack.
  Fiber();
  // A fiber with a stack of its own. The first switch to it calls `entry(argument)`, which must not return or throw.
  Fiber(void (*entry)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves this fiber, which must be the one that runs, for `next`. Returns when another fiber switches back.
  void switch_to(Fiber& next);

  // Where its stack begins, and how large each is; 0 for the thread's own stack.
  std::uintptr_t stack() const { return reinterpret_cast<std::uintptr_t>(stack_); }
  static constexpr std::size_t kStackBytes = std::size_t{256} * 1024;

  // The next switch to this fiber calls its entry again, on an empty stack. What was on the stack is not unwound.
  void restart();

 private:
  struct Exceptions {  // __cxa_eh_globals of the Itanium C++ ABI.
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };

  static void start(Fiber* self);
  void arrive();

  void (*const entry_)(void*) = nullptr;
  void* const argument_ = nullptr;
  std::byte* stack_ = nullptr;  // The lowest address, above the guard page.
  void* stack_pointer_ = nullptr;
  Exceptions exceptions_;
  std::unique_ptr<std::byte[]> thread_locals_;
  // For AddressSanitizer.
  [[maybe_unused]] void* fake_stack_ = nullptr;
  [[maybe_unused]] const void* sanitized_bottom_ = nullptr;
  [[maybe_unused]] std::size_t sanitized_bytes_ = 0;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FIBER_H_
