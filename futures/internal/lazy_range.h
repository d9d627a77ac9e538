// An input range whose items come one after the other, each when somebody looks for it: what maps and as_completed
// return.
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_LAZY_RANGE_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_LAZY_RANGE_H_

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace futures::internal {

// A Source has two functions. `advance` moves on to the next item and returns false at the end; it may block, and may
// throw. `item` gives the item, a reference, as often as it is asked.
//
// `*`, `->` and `==` of an iterator make the step that is due. `++` makes it, too, and notes that another one is due:
// so it waits for no item but the one that it leaves. At the end, and after `advance` has thrown, the source is
// destroyed. Movable; a move invalidates the iterators. Iterate it once, by one thread.
template <typename Source>
class LazyRange {
 public:
  class Iterator {
   public:
    using reference = decltype(std::declval<Source&>().item());
    using value_type = std::remove_cvref_t<reference>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    reference operator*() const {
      range_->look();
      return range_->source_->item();
    }
    auto* operator->() const { return std::addressof(**this); }
    Iterator& operator++() {
      range_->look();
      range_->is_step_due_ = true;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      it.range_->look();
      return it.range_->source_ == nullptr;
    }

   private:
    friend class LazyRange;
    explicit Iterator(LazyRange* range) : range_(range) {}
    LazyRange* range_ = nullptr;
  };

  // On the heap, since a source may be listened to and must keep its address.
  explicit LazyRange(std::unique_ptr<Source> source) : source_(std::move(source)) {}

  Iterator begin() { return Iterator(this); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  void look() {
    if (!std::exchange(is_step_due_, false) || source_ == nullptr) return;
    try {
      if (!source_->advance()) source_ = nullptr;
    } catch (...) {
      source_ = nullptr;
      throw;
    }
  }

  std::unique_ptr<Source> source_;  // Null at the end.
  bool is_step_due_ = true;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_LAZY_RANGE_H_
