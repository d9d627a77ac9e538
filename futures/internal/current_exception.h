// A description of an exception of unknown type.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_

#include <string>

namespace futures::internal {

// Describes the exception that is being handled: what() of a std::exception, the name of the type of any other. Call it
// inside a catch block only, and not for a forced unwind.
std::string describe_current_exception();

// Returns the name of a type as a programmer writes it. A text that is no mangled name is returned unchanged.
std::string demangled(const char* name);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
