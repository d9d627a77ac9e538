// The names of futures/encoding/encoding.h that the laws use. Nothing travels: a simulated run has one process.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_ENCODING_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_ENCODING_H_

namespace futures::inline simulated {

template <typename T>
inline constexpr bool travels_bitwise = false;

}  // namespace futures::inline simulated

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_STAND_INS_ENCODING_H_
