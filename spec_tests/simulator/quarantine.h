// The memory that the program of a run allocates and frees.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_QUARANTINE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_QUARANTINE_H_

#include <cstdint>

namespace futures::simulator {

// While one lives, `new` in the program takes memory from one range of addresses, in ascending order; and what is freed
// is overwritten and not used again. So an address is one object's for the whole run, and the simulator knows of each
// access whether its memory still lives. The memory of the simulator itself comes from elsewhere.
//
// Does nothing under AddressSanitizer and ThreadSanitizer, which replace the allocator. One at a time.
class Quarantine {
 public:
  Quarantine();
  ~Quarantine();
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  // Whether the program has allocated memory here, and whether it has freed it.
  static bool contains(std::uintptr_t address) noexcept { return address - begin_ < bytes_; }
  static bool is_freed(std::uintptr_t address) noexcept;

 private:
  static inline std::uintptr_t begin_ = 0;
  static inline std::uintptr_t bytes_ = 0;  // 0 before the first run.
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_QUARANTINE_H_
