// std::chrono's durations, points in time and clocks. <chrono> has calendars, time zones and formatting, too, and would
// be a quarter of what the public headers cost. Whoever writes `5s` or formats a date includes <chrono> himself.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>  // libstdc++'s own, which its <condition_variable> and <future> include.
#else
#include <chrono>
#endif

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_TIME_H_
