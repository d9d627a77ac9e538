// How long the machine itself takes for the steps of a process pool. No pool can be faster. The bounds are measured
// in the same run as the rows, so that both are of the same machine.
#ifndef CONCURRENT_FUTURES_BENCH_BOUNDS_H_
#define CONCURRENT_FUTURES_BENCH_BOUNDS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start);
double median(std::vector<double> values);
// The median time of `times` runs, in microseconds.
double median_of(int times, const std::function<void()>& run);

// All of these return medians in microseconds, and throw std::system_error.

// A round trip to another process over one word of shared memory. Both processes sleep on it, or both poll it.
double futex_round_trip();
double spin_round_trip();
// The time per number, of many numbers that go from one process to another through a ring in shared memory.
double ring_item();
// A copy into a memory file and out of it. The pages of the file are mapped already.
double copy_in_and_out(std::size_t bytes);
// From fork until each of `children` processes has sent a byte.
double fork_to_first_byte(int children);
// From SIGKILL of a child until its pidfd reports the end, and until a child that is forked after that has sent a byte.
double kill_to_notice();
double kill_to_replacement();

}  // namespace bench

#endif  // CONCURRENT_FUTURES_BENCH_BOUNDS_H_
