// AddressMap: values by address, all forgotten at once at the start of a run.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_ADDRESS_MAP_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_ADDRESS_MAP_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace futures::simulator {

// A hash table with open addressing, which keeps its memory and that of its values from run to run. `Value` needs a
// function `restart`, which makes a value of an earlier run as good as new. Not thread-safe.
template <typename Value>
class AddressMap {
 public:
  AddressMap() : entries_(kEntriesAtFirst) {}

  void restart() {
    ++generation_;
    size_ = 0;
  }

  // The value of this key, a new one if there is none. Valid until the next call.
  Value& of(std::uintptr_t key) {
    Entry* entry = &find(key);
    if (entry->generation != generation_) {
      if (++size_ > entries_.size() / 2) {
        grow();
        entry = &find(key);
      }
      entry->key = key;
      entry->generation = generation_;
      entry->value.restart();
    }
    return entry->value;
  }

 private:
  static constexpr std::size_t kEntriesAtFirst = 4096;  // A power of two. More: small programs miss the cache.

  struct Entry {
    std::uintptr_t key = 0;
    std::uint64_t generation = 0;  // An entry of another generation is free.
    Value value;
  };

  // The entry of the key, or a free one.
  Entry& find(std::uintptr_t key) {
    const std::size_t mask = entries_.size() - 1;
    for (std::size_t at = (key * 0x9E3779B97F4A7C15u) >> 32;; ++at) {
      Entry& entry = entries_[at & mask];
      if (entry.key == key || entry.generation != generation_) return entry;
    }
  }

  void grow() {
    std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(2 * entries_.size()));
    for (Entry& entry : old) {
      if (entry.generation == generation_) find(entry.key) = std::move(entry);
    }
  }

  std::vector<Entry> entries_;
  std::uint64_t generation_ = 1;
  std::size_t size_ = 0;
};

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_ADDRESS_MAP_H_
