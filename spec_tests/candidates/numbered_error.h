// What the bodies of traces throw.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_NUMBERED_ERROR_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_NUMBERED_ERROR_H_

#include <stdexcept>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace futures::spec_tests {

// Travels between processes as its message.
class NumberedError : public std::runtime_error {
 public:
  explicit NumberedError(int number) : std::runtime_error(absl::StrCat(number)), number_(number) {}
  explicit NumberedError(const std::string& message) : std::runtime_error(message) {
    if (!absl::SimpleAtoi(message, &number_)) number_ = -1;
  }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_NUMBERED_ERROR_H_
