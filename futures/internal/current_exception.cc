#include "futures/internal/current_exception.h"

#include <cstdlib>
#include <exception>
#include <memory>
#include <typeinfo>

#include <cxxabi.h>

#include "absl/log/log.h"

namespace futures::internal {

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : name;
}

std::string describe_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    const char* const what = e.what();
    return what == nullptr ? "" : what;
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type == nullptr ? "an exception of unknown type" : "an exception of type " + demangled(type->name());
  }
}

void log_current_exception(const char* what) {
  try {
    LOG(ERROR) << what << describe_current_exception();
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace futures::internal
