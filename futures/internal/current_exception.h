// Words for an exception of unknown type.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_

#include <string>

namespace futures::internal {

// What the exception that is being handled says of itself: what() of a std::exception, the type's name of any other.
// Call it inside a catch block only, and not for a forced unwind.
std::string describe_current_exception();

// A type's mangled name as a person writes it; unchanged if it is not one.
std::string demangled(const char* name);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_CURRENT_EXCEPTION_H_
