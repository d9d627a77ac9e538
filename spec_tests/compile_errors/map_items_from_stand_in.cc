// The iterator gives a stand-in for a reference, and no item can be made of it.
// expect: map: each item is stored in its call: the range's value type must be constructible from what it gives
#include <cstddef>
#include <iterator>

#include "concurrent_futures.h"

struct Row {
  int number = 0;
};

struct RowReference {
  RowReference(const Row& row);
};

struct Table {
  struct Iterator {
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    RowReference operator*() const;
    Iterator& operator++() { return *this; }
    void operator++(int) {}
    bool operator==(std::default_sentinel_t) const { return true; }
  };
  Iterator begin() const { return {}; }
  std::default_sentinel_t end() const { return {}; }
};

void misuse(futures::ThreadPoolExecutor& executor, const Table& table) {
  auto numbers = executor.map([](const Row& row) { return row.number; }, table);
}
