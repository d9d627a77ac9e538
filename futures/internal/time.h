// std::chrono's durations, points in time and clocks, for all sources of the project. <chrono> has calendars, time
// zones and formatting, too: it would be a quarter of what the public headers cost, and as much of what a test takes to
// compile.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++'s own, which its <condition_variable> and <future> include.
#else
#include <chrono>
#endif

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_
