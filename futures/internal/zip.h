// Zip: iterates several input ranges side by side, up to the end of the shortest. (std::views::zip is C++23.)
#ifndef CONCURRENT_FUTURES_FUTURES_INTERNAL_ZIP_H_
#define CONCURRENT_FUTURES_FUTURES_INTERNAL_ZIP_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

#include "futures/internal/callable.h"

namespace futures::internal {

// Movable at any time: the views are on the heap, so iterators into them stay valid.
template <std::ranges::view... Views>
class Zip {
 public:
  explicit Zip(Views... views) : walk_(std::make_unique<Walk>(std::move(views)...)) {}

  // Moves to the next tuple of items. Returns false at the end. `advance` alone steps the ranges, and `apply` alone
  // reads their items. So nothing is taken from an endless input before it is needed.
  bool advance() { return walk_->advance(std::index_sequence_for<Views...>()); }

  // fn(items...) of the current tuple. What is no reference comes as the value that a call keeps of it: a stand-in for
  // a reference would point into the view.
  template <typename Fn>
  decltype(auto) apply(Fn fn) {
    return std::apply(
        [&](auto&... iterators) -> decltype(auto) { return fn(static_cast<Given<Views>>(**iterators)...); },
        walk_->iterators);
  }

 private:
  struct Walk {
    explicit Walk(Views... given) : views(std::move(given)...) {}

    template <std::size_t... I>
    bool advance(std::index_sequence<I...>) {
      // One range after the other, as Python's zip: the first that is at its end stops it.
      return (advance_one(std::get<I>(views), std::get<I>(iterators)) && ...);
    }

    template <typename View, typename Iterator>
    static bool advance_one(View& view, std::optional<Iterator>& iterator) {
      if (iterator) {
        ++*iterator;
      } else {
        iterator.emplace(std::ranges::begin(view));
      }
      return *iterator != std::ranges::end(view);
    }

    std::tuple<Views...> views;
    std::tuple<std::optional<std::ranges::iterator_t<Views>>...> iterators;
  };

  template <typename View>
  using Given = std::conditional_t<std::is_reference_v<std::ranges::range_reference_t<View>>,
                                   std::ranges::range_reference_t<View>, map_argument_t<View>>;

  std::unique_ptr<Walk> walk_;
};

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_INTERNAL_ZIP_H_
