// A description of an exception of unknown type, and errors where memory may be short.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace futures::internal {

// Describes the exception that is being handled: what() of a std::exception, the name of the type of any other. Call it
// inside a catch block only, and not for a forced unwind.
std::string describe_current_exception();

// Logs `what` and the exception that is being handled. Nothing is logged if there is no memory for it.
void log_current_exception(const char* what);

// An E with this text. If there is no memory for it, a std::bad_alloc.
template <typename E>
std::exception_ptr make_error(std::string_view text) noexcept {
  try {
    return std::make_exception_ptr(E(std::string(text)));
  } catch (const std::bad_alloc&) {
    return std::current_exception();
  }
}

// Returns the name of a type as a programmer writes it. A text that is no mangled name is returned unchanged.
std::string demangled(const char* name);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
