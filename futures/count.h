// A whole number in an option, whatever integer type it comes from.
#ifndef CONCURRENT_FUTURES_FUTURES_COUNT_H_
#define CONCURRENT_FUTURES_FUTURES_COUNT_H_

#include <limits>
#include <type_traits>

namespace futures {

// How many of something. Converts from every integer type without losing anything: a number beyond the range of
// `long long` becomes its largest one. Who reads the option then sees that it is too large, and says so.
// A number with a fraction does not compile.
//
//   futures::ThreadPoolExecutor executor({.max_workers = 4});
class Count {
 public:
  template <typename Number>
    requires std::is_integral_v<Number>
  constexpr Count(Number number)  // NOLINT(google-explicit-constructor): `.max_workers = 4`.
      : value_(saturated(number)) {}

  // An unscoped enumerator, or an object that converts to an integer.
  template <typename Number>
    requires(!std::is_arithmetic_v<Number> &&
             requires(const Number& number) { std::type_identity_t<long long>{number}; })
  constexpr Count(const Number& number)  // NOLINT(google-explicit-constructor): as a number.
      : value_{number} {}

  template <typename Number>
    requires std::is_floating_point_v<Number>
  constexpr Count(Number) : value_(0) {  // NOLINT(google-explicit-constructor): as what it stands in for.
    static_assert(!std::is_floating_point_v<Number>, "a count is a whole number: give an integer");
  }

  constexpr long long value() const noexcept { return value_; }

 private:
  template <typename Number>
  static constexpr long long saturated(Number number) {
    constexpr long long kLargest = std::numeric_limits<long long>::max();
    constexpr long long kSmallest = std::numeric_limits<long long>::min();
    if constexpr (sizeof(Number) > sizeof(long long) ||
                  (std::is_unsigned_v<Number> && sizeof(Number) == sizeof(long long))) {
      if (number > static_cast<Number>(kLargest)) return kLargest;
    }
    if constexpr (sizeof(Number) > sizeof(long long) && !std::is_unsigned_v<Number>) {
      if (number < static_cast<Number>(kSmallest)) return kSmallest;
    }
    return static_cast<long long>(number);
  }

  long long value_;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_COUNT_H_
