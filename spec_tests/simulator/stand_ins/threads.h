// The names of spec_tests/laws/threads.h for simulated threads. A thread's number begins at 1: 0 is nobody.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_THREADS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_THREADS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <utility>

#include "futures/internal/time.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/sync.h"

namespace futures::spec_tests::inline simulated {

inline pid_t own_tid() { return simulator::Machine::instance().current() + 1; }
inline bool is_asleep(pid_t tid) { return tid > 0 && simulator::Machine::instance().is_asleep(tid - 1); }
inline bool is_alive(pid_t tid) { return tid > 0 && !simulator::Machine::instance().has_ended(tid - 1); }

// Until the simulated clock is there, which goes on when every thread waits.
inline void sleep_for(std::chrono::nanoseconds time) {
  sync::end_if_cancelled();
  const auto until = sync::clock::now() + time;
  const sync::atomic<std::uint32_t> never_woken{0};
  while (sync::clock::now() < until) sync::futex_wait(never_woken, 0, until);
}

inline void yield() { sync::pause(); }

inline constexpr int kRaces = 1;  // Schedules take the place of luck.

enum class AtEnd { kThreadLocal, kKey };
// A simulated thread has one end for both.
inline void when_this_thread_ends(AtEnd, std::function<void()> last_words) {
  simulator::Machine::instance().at_end(std::move(last_words));
}

}  // namespace futures::spec_tests::inline simulated

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_THREADS_H_
