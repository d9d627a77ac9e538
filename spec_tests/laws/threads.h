// What a check asks of threads and an executor never does: who runs, who sleeps, and what happens when a thread ends.
// The simulator has the same names for simulated threads.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_THREADS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_THREADS_H_

#include <sys/types.h>

#include <functional>

#include "absl/base/config.h"
#include "futures/internal/time.h"

namespace futures::spec_tests {

// The kernel's number of this thread. Where calls run in other processes, each has one thread, and this is its
// process's.
pid_t own_tid();

// Whether the thread sleeps, blocked in the kernel. False for one that is no more.
bool is_asleep(pid_t tid);

// Whether the thread, one of this process, has not ended.
bool is_alive(pid_t tid);

// Time passes. Never to get an order. A cancellation point.
void sleep_for(std::chrono::nanoseconds time);
// Others may run first: for loops that poll.
void yield();

// How often a check repeats what threads race for: on real threads it is a matter of luck how close a race is. Raising
// it finds more and takes longer.
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
inline constexpr int kRaces = 10;
#else
inline constexpr int kRaces = 100;
#endif

// What runs at the end of a thread: destructors of its thread_locals, then those of its pthread keys.
enum class AtEnd { kThreadLocal, kKey };
// Runs `last_words` when this thread ends.
void when_this_thread_ends(AtEnd where, std::function<void()> last_words);

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_THREADS_H_
