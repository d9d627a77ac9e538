// The litmus tests on which the memory model is compared with herd7: shapes from the literature with every choice of
// memory orders, and random programs.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_TESTS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_TESTS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "spec_tests/simulator/litmus.h"

namespace futures::simulator {

// Reads a program from text. Threads are separated by `|`. An instruction is a letter, a location, numbers, and the
// memory order behind a dot (rlx, acq, rel, ar, sc):
//   Rx load, Wx1 store of 1, Ax1 fetch_add of 1, Xx2 exchange for 2, Cx01 compare_exchange of 0 for 1, F fence.
// An instruction without an order stands for one with each order that it can have; a fence for none, too.
// Returns the programs of a text: all, or a seeded random choice of `most` of them.
std::vector<Litmus> programs(std::string_view name, std::string_view text, std::size_t most, std::uint64_t seed);

// `per_shape` programs of each shape, or all if it has fewer.
std::vector<Litmus> shapes(std::size_t per_shape, std::uint64_t seed);
// Shapes whose outcomes RC11 allows or forbids by one particular of its definition, with their orders.
std::vector<Litmus> particular_programs();
// Two to four threads of one to four instructions on up to three locations.
std::vector<Litmus> random_programs(std::size_t count, std::uint64_t seed);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_LITMUS_TESTS_H_
