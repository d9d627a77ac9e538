// What ThreadSanitizer is told in programs that link this. Nobody calls it: its runtime looks for the name.
#include "absl/base/config.h"

#if defined(ABSL_HAVE_THREAD_SANITIZER)
// An exception that one thread has caught and another lets go of last is counted by libstdc++, whose code is not
// instrumented: ThreadSanitizer sees the object freed and not the count that orders it. Read when the program starts.
extern "C" const char* __tsan_default_suppressions();  // The name that the sanitizer's runtime looks for.
extern "C" const char* __tsan_default_suppressions() {
  return "race:^std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif
