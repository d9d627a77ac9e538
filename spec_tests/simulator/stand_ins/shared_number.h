// The names of spec_tests/laws/shared_number.h in one process: a simulated run has no other.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_SHARED_NUMBER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_SHARED_NUMBER_H_

#include <cstdint>
#include <memory>

#include "futures/internal/time.h"
#include "spec_tests/simulator/sync.h"

namespace futures::spec_tests::inline simulated {

// A name for a number. Copies name the same one.
class SharedNumber {
 public:
  SharedNumber() = default;
  static SharedNumber create() {
    SharedNumber created;
    created.value_ = std::make_shared<sync::atomic<std::uint32_t>>(0);
    return created;
  }

  int add(int n) const {
    if (value_ == nullptr) return 0;
    const std::uint32_t before = value_->fetch_add(static_cast<std::uint32_t>(n));
    sync::futex_wake_all(*value_);
    return static_cast<int>(before) + n;
  }
  int value() const { return value_ == nullptr ? 0 : static_cast<int>(value_->load()); }
  bool reaches(int n, std::chrono::nanoseconds patience) const {
    if (value_ == nullptr) return n <= 0;
    const auto until = sync::clock::now() + patience;
    for (;;) {
      const std::uint32_t now = value_->load();
      if (static_cast<int>(now) >= n) return true;
      if (sync::clock::now() >= until) return false;
      sync::futex_wait(*value_, now, until);
    }
  }
  bool is_own() const { return value_ != nullptr; }

 private:
  std::shared_ptr<sync::atomic<std::uint32_t>> value_;
};

}  // namespace futures::spec_tests::inline simulated

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_SHARED_NUMBER_H_
