// What the machine itself takes for the steps that a pool of processes is made of: no pool can be faster. Measured in the
// same run as the rows, so that both see the same machine.
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

// All are medians in microseconds, and throw std::system_error.

// To another process and back, over one word of shared memory on which both sleep; or at which both look all the time.
double futex_round_trip();
double spin_round_trip();
// For one number, of many, from one process to another through a ring in shared memory.
double ring_item();
// Into a memory file and out of it, whose pages are there.
double copy_in_and_out(std::size_t bytes);
// From fork to the first byte from each of so many children.
double fork_to_first_byte(int children);
// From SIGKILL of a child until its pidfd says so; until a child forked after that has sent a byte.
double kill_to_notice();
double kill_to_replacement();

}  // namespace bench

#endif  // CONCURRENT_FUTURES_BENCH_BOUNDS_H_
