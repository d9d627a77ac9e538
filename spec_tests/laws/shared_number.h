// Numbers that a check shares with its calls, on threads and in other processes of the program alike: they lie in
// shared memory of the process that made them, and go by names that travel.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_SHARED_NUMBER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_SHARED_NUMBER_H_

#include <sys/types.h>

#include <cstdint>

#include "futures/internal/time.h"

namespace futures::spec_tests {

// A name for a number. Copies name the same one. Thread-safe, also between processes. A number that is no more, since
// its process has ended or made very many others meanwhile, is 0 and stays so: bodies that a broken executor runs long
// after their check do no harm.
class SharedNumber {
 public:
  // Names nothing: as a number that is no more.
  SharedNumber() = default;
  // A new number, 0. Throws std::system_error if there is no memory or no descriptor for the first one of this process.
  static SharedNumber create();

  // Returns the new value. What happened before is visible to whoever sees it.
  int add(int n) const;
  int value() const;
  // Waits until the value is at least `n`. Returns whether it is.
  bool reaches(int n, std::chrono::nanoseconds patience) const;

  // Whether this is the process that made it.
  bool is_own() const;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(process_, descriptor_, index_, generation_);
  }

 private:
  pid_t process_ = 0;  // Which made it,
  int descriptor_ = -1;  // and its memory there.
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;  // Of those that had the same place one after the other.
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_SHARED_NUMBER_H_
