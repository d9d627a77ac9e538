// The choice, at run time, of the mutant that the mutated copies of the sources are. Every mutant has a number; 0 is
// the source itself. CONCURRENT_FUTURES_MUTANT=NAME in the environment chooses, or `choose` does.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_H_

#include <atomic>
#include <initializer_list>
#include <string_view>

namespace futures::mutants {

inline constexpr const char* kMutantVariable = "CONCURRENT_FUTURES_MUTANT";
// The exit status of a program that is asked for a mutant that it does not have.
inline constexpr int kNoSuchMutant = 77;

struct NumberedName {
  std::string_view name;
  int number;
};

inline int chosen = 0;

// Which mutant the copies are. They ask on every call of a function that has mutants.
inline int active() { return chosen; }

// Chooses the mutant `name`, or the source for an empty name. Returns false if there is no such mutant. Not
// thread-safe: before other threads start.
bool choose(std::string_view name, std::initializer_list<NumberedName> names);

// The same with the name in the environment. Ends the program if there is no such mutant. A generated source calls it
// before main.
bool choose_from_environment(std::initializer_list<NumberedName> names);

// --- What the copies have in the place of one atomic operation: two, between which other threads may come. As long as
// none comes they do the same.

template <typename Atomic, typename T, typename V>
bool compare_then_store(Atomic& word, T& expected, V desired) {
  const T seen = word.load(std::memory_order_acquire);
  if (seen != expected) {
    expected = seen;
    return false;
  }
  word.store(desired, std::memory_order_release);
  return true;
}

// Stores change(the value), and returns the value.
template <typename Atomic, typename Change>
auto load_then(Atomic& word, Change change) {
  const auto seen = word.load(std::memory_order_acquire);
  word.store(static_cast<decltype(word.load())>(change(seen)), std::memory_order_release);
  return seen;
}
template <typename Atomic, typename V>
auto load_then_store(Atomic& word, V value) {
  return load_then(word, [&](auto) { return value; });
}
template <typename Atomic, typename V>
auto load_then_add(Atomic& word, V value) {
  return load_then(word, [&](auto seen) { return seen + value; });
}
template <typename Atomic, typename V>
auto load_then_subtract(Atomic& word, V value) {
  return load_then(word, [&](auto seen) { return seen - value; });
}
template <typename Atomic, typename V>
auto load_then_or(Atomic& word, V value) {
  return load_then(word, [&](auto seen) { return seen | value; });
}
template <typename Atomic, typename V>
auto load_then_and(Atomic& word, V value) {
  return load_then(word, [&](auto seen) { return seen & value; });
}

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_MUTANT_H_
