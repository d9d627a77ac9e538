// What a call gets and keeps, where no executor could show it: language features after C++20, other standard libraries.
#include "futures/internal/callable.h"

#include <bitset>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"

namespace futures::internal {
namespace {

struct ByValue {
  int operator()(this ByValue, std::stop_token, int x) { return x; }
};
struct ByReference {
  int operator()(this const ByReference&, const std::stop_token&, int x) noexcept { return x; }
};
struct OfABase : ByReference {};
struct Static {
  static int operator()(std::stop_token, int x) { return x; }
};
struct WithoutToken {
  int operator()(this const WithoutToken&, int x) { return x; }
};
struct StaticWithoutToken {
  static int operator()(int x) { return x; }
};

TEST(Callable, T8_AnExplicitObjectParameterIsNotTheFirst) {
  EXPECT_TRUE(DeclaresStopToken<ByValue>);
  EXPECT_TRUE(DeclaresStopToken<ByReference>);
  EXPECT_TRUE(DeclaresStopToken<OfABase>);
  EXPECT_TRUE((takes_stop_token_v<ByReference, int>));
  EXPECT_FALSE(DeclaresStopToken<WithoutToken>);
  EXPECT_FALSE((takes_stop_token_v<WithoutToken, int>));
}

TEST(Callable, T8_AStaticOperatorHasNoObject) {
  EXPECT_TRUE(DeclaresStopToken<Static>);
  EXPECT_FALSE(DeclaresStopToken<StaticWithoutToken>);
}

// As a std::bitset's of libc++: flip() returns nothing.
class BitOfAnotherLibrary {
 public:
  explicit BitOfAnotherLibrary(bool& bit) : bit_(&bit) {}
  BitOfAnotherLibrary(const BitOfAnotherLibrary&) = default;
  BitOfAnotherLibrary& operator=(bool value) {
    *bit_ = value;
    return *this;
  }
  operator bool() const { return *bit_; }
  bool operator~() const { return !*bit_; }
  void flip() { *bit_ = !*bit_; }

 private:
  bool* bit_;
};

TEST(Callable, E1_OfAReferenceToABitTheBitIsKept) {
  EXPECT_TRUE((std::is_same_v<stored_argument_t<BitOfAnotherLibrary&>, bool>));
  EXPECT_TRUE((std::is_same_v<stored_argument_t<std::vector<bool>::reference>, bool>));
  EXPECT_TRUE((std::is_same_v<stored_argument_t<std::bitset<9>::reference>, bool>));
  EXPECT_TRUE((std::is_same_v<stored_argument_t<const std::string&>, std::string>));
}

}  // namespace
}  // namespace futures::internal
