// How long an operation may wait.
#ifndef CONCURRENT_FUTURES_FUTURES_TIMEOUT_H_
#define CONCURRENT_FUTURES_FUTURES_TIMEOUT_H_

#include <optional>
#include <stdexcept>
#include <type_traits>

#include "futures/internal/sync.h"
#include "futures/internal/time.h"

namespace futures {

// A span of time, or for ever. Converts from any std::chrono duration, integral or floating, and from std::nullopt.
// Zero and less means: do not wait, only look. Anything beyond the clock's range, infinity included, means for ever.
// Throws std::invalid_argument for a duration that is not a number.
class Timeout {
 public:
  // For ever.
  constexpr Timeout() = default;
  constexpr Timeout(std::nullopt_t) {}  // NOLINT(google-explicit-constructor): Python's None.

  template <typename Rep, typename Period>
  constexpr Timeout(std::chrono::duration<Rep, Period> span)  // NOLINT(google-explicit-constructor): `result(2s)`.
      : span_(saturated(span)) {}

  // A number alone does not say what it counts.
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  constexpr Timeout(Number) {  // NOLINT(google-explicit-constructor): as what it stands in for.
    static_assert(!std::is_arithmetic_v<Number>, "a timeout needs a unit, as in 5s or std::chrono::milliseconds(20)");
  }

  constexpr bool is_forever() const { return !span_.has_value(); }

  // The moment when a wait that begins now is over; nothing for ever. Law W6: call it first, when the operation starts.
  sync::deadline deadline() const {
    if (is_forever()) return std::nullopt;
    return sync::clock::now() + *span_;
  }

 private:
  // The clock counts nanoseconds in 63 bits, 292 years; half of that leaves room to add the current time.
  static constexpr std::chrono::duration<long double> kLongest{146.0L * 365 * 24 * 3600};

  template <typename Rep, typename Period>
  static constexpr std::optional<std::chrono::nanoseconds> saturated(std::chrono::duration<Rep, Period> span) {
    if constexpr (std::is_floating_point_v<Rep>) {
      if (span.count() != span.count()) throw std::invalid_argument("the timeout is not a number");
    }
    const std::chrono::duration<long double> seconds = span;
    if (seconds.count() <= 0) return std::chrono::nanoseconds::zero();
    if (seconds >= kLongest) return std::nullopt;
    const auto whole = std::chrono::duration_cast<std::chrono::nanoseconds>(span);
    return whole.count() > 0 ? whole : std::chrono::nanoseconds(1);
  }

  std::optional<std::chrono::nanoseconds> span_;
};

}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_TIMEOUT_H_
