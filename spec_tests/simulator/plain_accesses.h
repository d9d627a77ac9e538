// PlainAccesses: who has read and written which bytes of the program's memory, without atomics, and whether two such
// accesses race.
//
// For each eight bytes that are aligned the last accesses are kept that a later one may race with. An access is dropped
// when a later one is ordered behind it and covers it. If more remain than a cell has room for, an old one is dropped:
// a race may then be missed, and none is invented.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_PLAIN_ACCESSES_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_PLAIN_ACCESSES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "spec_tests/simulator/address_map.h"
#include "spec_tests/simulator/happens_before.h"

namespace futures::simulator {

struct PlainAccess {
  std::uint32_t code = 0;  // Where in the program: an offset, see machine_memory.cc.
  Part part = 0;
  std::uint32_t row = 0;  // How many rows the table had.
  std::uint8_t thread = 0;
  std::uint8_t bytes = 0;  // A bit for each of the eight.
  bool writes = false;
};

class PlainAccesses {
 public:
  void restart() { cells_.restart(); }

  // Adds an access of `size` bytes from `address` on, 1 to 16; access.bytes is filled in. Returns an earlier access
  // that it races with, if there is one.
  std::optional<PlainAccess> add(std::uintptr_t address, std::size_t size, PlainAccess access,
                                 const HappensBefore& happens_before);

 private:
  static constexpr int kAccessesMax = 6;  // Of two threads a read and a write each, and two more.

  struct Cell {
    void restart() { count = 0; }
    std::array<PlainAccess, kAccessesMax> accesses;
    std::uint8_t count = 0;
    std::uint8_t next_dropped = 0;
  };

  static const PlainAccess* add_to(Cell& cell, const PlainAccess& access, const HappensBefore& happens_before);

  AddressMap<Cell> cells_;  // By address / 8.
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_PLAIN_ACCESSES_H_
