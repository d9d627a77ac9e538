// A program for `python3 -c` that runs driver.py: its text, that of the files it imports, and bootstrap.py. Private to the
// target :cpython_player.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_DRIVER_TEXT_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_DRIVER_TEXT_H_

namespace futures::spec_tests {

extern const char kDriverText[];

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_DRIVER_TEXT_H_
