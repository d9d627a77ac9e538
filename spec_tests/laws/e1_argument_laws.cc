// E1, and M1 for the items of a map: what a call is given. Exactly the arguments of its submit, by value.
#include <bitset>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// The items of a map, copied one by one.
template <typename Results>
auto items_of(Results&& results) {
  std::vector<std::remove_cvref_t<decltype(*results.begin())>> items;
  for (auto&& item : results) items.push_back(item);
  return items;
}

// --- E1

// Calls what it wraps with whatever it is given, as loggers and retry wrappers do.
struct CountsArguments {
  template <typename... T>
  int operator()(T&&...) const {
    return static_cast<int>(sizeof...(T));
  }
};

void callables_that_take_anything_get_what_was_given(LawRun& run) {
  const auto executor = open(run, 1);
  const auto count = [](auto&&... x) -> int { return static_cast<int>(sizeof...(x)); };
  expect_result(run, executor->submit(count, 1, 2), 2, "a variadic lambda is called with its two arguments");
  expect_result(run, executor->submit(count), 0, "a variadic lambda is called without arguments if it is given none");
  expect_result(run, executor->submit(CountsArguments(), 1, 2), 2, "a wrapper is called with its two arguments");
  expect_result(run, executor->submit([](auto... x) { return (x + ...); }, 1, 2), 3,
                "a deduced result is of what was given");
  const auto rest = [](int, auto... x) -> int { return static_cast<int>(sizeof...(x)); };
  expect_result(run, executor->submit(rest, 1), 0, "a parameter before the others takes the first argument");
  const std::vector<int> inputs = {1, 2};
  run.expect(items_of(executor->map(count, inputs)) == std::vector<int>{1, 1}, "map calls with the items alone");
}

void bound_callables_get_what_was_given(LawRun& run) {
  const auto executor = open(run, 1);
  const auto minus = [](int a, int b) { return a - b; };
  expect_result(run, executor->submit(std::bind(minus, std::placeholders::_2, 1), 0, 10), 9,
                "a bound callable is called with the arguments at their places");
  expect_result(run, executor->submit(std::bind(minus, 3, 1)), 2, "a bound callable needs no argument");
}

bool same(bool bit) { return bit; }

void a_reference_to_a_bit_is_copied_as_the_bit(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  std::vector<bool> bits = {true, false};
  std::bitset<1> set("1");
  const Future<bool> from_lvalue = executor->submit(same, bits[0]);
  auto bit = bits[0];
  const Future<bool> from_named = executor->submit(same, bit);
  const Future<bool> from_set = executor->submit(same, set[0]);
  bits = {false, false};
  set.reset();
  busy.release();
  expect_result(run, from_lvalue, true, "the bit of a std::vector<bool> is copied when it is submitted");
  expect_result(run, from_named, true, "the bit behind a named reference is copied when it is submitted");
  expect_result(run, from_set, true, "the bit of a std::bitset is copied when it is submitted");
}

// --- Maps over ranges that give stand-ins for references.

void items_of_a_vector_of_bool_are_copied(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  auto bits = std::make_unique<std::vector<bool>>(1000, true);
  auto results = executor->map(same, *bits);
  auto through_a_view = executor->map(same, *bits | std::views::transform([](auto&& bit) { return bit; }));
  bits->assign(1000, false);
  bits.reset();
  busy.release();
  run.expect(items_of(results) == std::vector<bool>(1000, true), "map copies the items of a std::vector<bool>");
  run.expect(items_of(through_a_view) == std::vector<bool>(1000, true), "map copies the items of a view of it");
}

// Walks two vectors side by side and gives pairs of references, as C++23's std::views::zip does.
class Zipped {
 public:
  class Iterator {
   public:
    using value_type = std::pair<int, std::string>;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(std::vector<int>* numbers, std::vector<std::string>* texts) : numbers_(numbers), texts_(texts) {}
    std::pair<int&, std::string&> operator*() const { return {(*numbers_)[at_], (*texts_)[at_]}; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return it.at_ == it.numbers_->size(); }

   private:
    std::vector<int>* numbers_ = nullptr;
    std::vector<std::string>* texts_ = nullptr;
    std::size_t at_ = 0;
  };

  Zipped(std::vector<int>& numbers, std::vector<std::string>& texts) : begin_(&numbers, &texts) {}
  Iterator begin() const { return begin_; }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  Iterator begin_;
};

void items_that_stand_for_several_references_are_copied(LawRun& run) {
  const auto executor = open(run, 1);
  const BusyWorkers busy(run, *executor);
  std::vector<int> numbers = {1, 2};
  std::vector<std::string> texts = {"one", "two"};
  const auto joined = [](const std::pair<int, std::string>& both) { return both.second + std::to_string(both.first); };
  auto results = executor->map(joined, Zipped(numbers, texts));
  numbers = {0, 0};
  texts = {"", ""};
  busy.release();
  run.expect(items_of(results) == std::vector<std::string>{"one1", "two2"}, "map copies what the items refer to");
}

constexpr std::string_view kHasState = "does not apply: a callable with state travels only with a `serialize`";

constexpr Law kLaws[] = {
    law<callables_that_take_anything_get_what_was_given>("E1", "CallablesThatTakeAnythingGetWhatWasGiven"),
    law<bound_callables_get_what_was_given>("E1", "BoundCallablesGetWhatWasGiven", kHasState),
    law<a_reference_to_a_bit_is_copied_as_the_bit>("E1", "AReferenceToABitIsCopiedAsTheBit"),
    law<items_of_a_vector_of_bool_are_copied>("M1", "ItemsOfAVectorOfBoolAreCopied"),
    law<items_that_stand_for_several_references_are_copied>("M1", "ItemsThatStandForSeveralReferencesAreCopied"),
};

}  // namespace

absl::Span<const Law> argument_laws() { return kLaws; }

}  // namespace futures::spec_tests
