// For programs that run under ThreadSanitizer and share exceptions between threads: several call `result` of one future
// that has an exception, or one catches what another lets go of last. Add @concurrent_futures//:thread_sanitizer to the
// deps of the program or test. There is nothing to include and nothing to call. In a build without ThreadSanitizer it
// is empty.
//
// Why: the threads share one object through a count inside libstdc++, whose code is not instrumented. The sanitizer
// sees a thread that reads the exception and another that frees it. It does not see the count that orders the two, and
// reports a race that is none: `free`, `operator delete` or a destructor of an exception on one side, a read of the
// exception on the other.
//
// What it hides: that the memory of an exception is freed; that a standard exception's text is freed; what a destructor
// does to an exception that std::make_exception_ptr has made. A real race between these and a read of the same
// exception is not seen either. What it does not hide: any other race, those between reads and writes of an exception's
// members among them.
//
// What is left to you: a type of your own that is thrown, and has a member with memory of its own. Its destructor is
// your code, and nothing above it in the stack has a name. Put `race:^ParseError::~ParseError` into the file that
// TSAN_OPTIONS=suppressions=FILE names. A program that has a __tsan_default_suppressions of its own, or links libstdc++
// statically, needs these lines, too, for `free`.
#include "absl/base/config.h"

#if defined(ABSL_HAVE_THREAD_SANITIZER)
#include <dlfcn.h>

#include <cxxabi.h>

// The runtime looks for this name when the program starts.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:^std::__exception_ptr::exception_ptr::_M_release\n"
         "race:std::__exception_ptr::__dest_thunk\n"
         "race:^std::runtime_error::~runtime_error\n"
         "race:^std::logic_error::~logic_error\n";
}

extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);

// libstdc++ frees an exception's memory at the end of a chain of tail calls from the thread's last catch clause: all
// that a suppression could name is `free` and the program's own function. So its function is replaced by one that calls
// it, and the sanitizer is told to look away for as long. Weak, since a static libstdc++ has a function of that name,
// which is then used.
namespace __cxxabiv1 {
extern "C" __attribute__((weak)) void __cxa_free_exception(
    void* exception) noexcept {  // NOLINT(bugprone-reserved-identifier)
  using Free = void (*)(void*);
  static const auto free_exception = reinterpret_cast<Free>(dlsym(RTLD_NEXT, "__cxa_free_exception"));
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  free_exception(exception);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}
}  // namespace __cxxabiv1
#endif
