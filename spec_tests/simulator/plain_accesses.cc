#include "spec_tests/simulator/plain_accesses.h"

#include <algorithm>

namespace futures::simulator {

std::optional<PlainAccess> PlainAccesses::add(std::uintptr_t address, std::size_t size, PlainAccess access,
                                              const HappensBefore& happens_before) {
  while (size > 0) {
    const std::size_t offset = address % 8;
    const std::size_t count = std::min(size, 8 - offset);
    access.bytes = static_cast<std::uint8_t>(((1u << count) - 1) << offset);
    if (const PlainAccess* const other = add_to(cells_.of(address / 8), access, happens_before)) return *other;
    address += count;
    size -= count;
  }
  return std::nullopt;
}

// Returns the one that it races with.
const PlainAccess* PlainAccesses::add_to(Cell& cell, const PlainAccess& access, const HappensBefore& happens_before) {
  int kept = 0;
  for (int i = 0; i < cell.count; ++i) {
    const PlainAccess& other = cell.accesses[static_cast<std::size_t>(i)];
    const bool is_own = other.thread == access.thread;
    if ((other.bytes & access.bytes) != 0) {
      if (is_own && other.part == access.part && other.writes >= access.writes && (access.bytes & ~other.bytes) == 0) {
        return nullptr;  // Whatever races with this one races with the other one.
      }
      const bool is_ordered = is_own || happens_before.is_before(other.thread, other.part, access.thread);
      if (!is_ordered && (other.writes || access.writes)) return &other;
      // What comes later and is not ordered behind the other one is not ordered behind this one, which it conflicts
      // with, too.
      if (is_ordered && access.writes >= other.writes && (other.bytes & ~access.bytes) == 0) continue;
    }
    cell.accesses[static_cast<std::size_t>(kept++)] = other;
  }
  if (kept == kAccessesMax) {
    cell.accesses[cell.next_dropped % kAccessesMax] = access;
    cell.next_dropped = static_cast<std::uint8_t>((cell.next_dropped + 1) % kAccessesMax);
    cell.count = kAccessesMax;
    return nullptr;
  }
  cell.accesses[static_cast<std::size_t>(kept)] = access;
  cell.count = static_cast<std::uint8_t>(kept + 1);
  return nullptr;
}

}  // namespace futures::simulator
