// Law P11: bytes that were made up cost no more than they are worth, and make nothing that the type does not allow.
#include "futures/encoding/encoding.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <initializer_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "cereal/types/chrono.hpp"
#include "cereal/types/memory.hpp"
#include "futures/encoding/exception_wire.h"
#include "futures/errors.h"
#include "gtest/gtest.h"

namespace futures {
namespace {

template <typename T>
std::string encoded(const T& value) {
  std::string bytes;
  internal::append_encoded(bytes, [&value](internal::WireOutput& output) { internal::write_value(output, value); });
  return bytes;
}

template <typename T>
T decoded(std::string_view bytes) {
  internal::WireInput input(bytes);
  T value = internal::read_value<T>(input);
  input.check_end();
  return value;
}

std::string length(std::uint64_t elements) { return {reinterpret_cast<const char*>(&elements), sizeof(elements)}; }

// Lets the bytes arrive as they are asked for, and gives up after so many.
class SlowArrival final : public internal::Arrival {
 public:
  SlowArrival(std::string_view bytes, std::size_t bytes_max)
      : bytes_(bytes), bytes_max_(bytes_max), place_(bytes.size(), '\0') {}
  std::string_view place() const { return place_; }
  void await(std::size_t bytes) override {
    if (bytes > bytes_max_) throw SerializationError("it takes too long");
    ASSERT_LE(bytes, bytes_.size());
    std::memcpy(place_.data(), bytes_.data(), bytes);
  }

 private:
  const std::string_view bytes_;
  const std::size_t bytes_max_;
  std::string place_;
};

template <typename T>
void expect_read_as_it_arrives(const T& value) {
  const std::string bytes = encoded(value);
  for (const std::size_t bytes_max : {bytes.size(), bytes.size() - 1, bytes.size() / 2, std::size_t{0}}) {
    SlowArrival arrival(bytes, bytes_max);
    internal::WireInput input(arrival.place(), nullptr, &arrival);
    if (bytes_max < bytes.size()) {
      EXPECT_THROW(internal::read_value<T>(input), SerializationError);
    } else {
      EXPECT_EQ(internal::read_value<T>(input), value);
      EXPECT_NO_THROW(input.check_end());
    }
  }
}

// Records what is published.
class PieceSink final : public internal::EncodeSink {
 public:
  PieceSink() : EncodeSink({}, /*is_read_early=*/true) {}
  std::span<char> block(std::size_t bytes) override {
    text.resize(bytes);
    return text;
  }
  void publish_written(std::size_t bytes) override { published.push_back(bytes); }
  std::optional<std::uint64_t> place_of(const std::shared_ptr<internal::BufferMemory>&) override {
    return std::nullopt;
  }
  std::shared_ptr<internal::BufferMemory> at(std::uint64_t, std::uint64_t) override { return nullptr; }

  std::string text;
  std::vector<std::size_t> published;
};

enum class Answer : bool { kNo, kYes };

struct Flags {
  bool flags[2] = {};

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(flags);
  }
};

template <typename T>
void expect_bools(std::string_view bytes, std::string_view expected) {
  const T value = decoded<T>(bytes);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)), expected);
}

// Though this file includes cereal's functions for them as well.
TEST(Encoding, DurationsAndPointsInTimeTravel) {
  using namespace std::chrono_literals;
  EXPECT_EQ(decoded<std::chrono::milliseconds>(encoded(-17ms)), -17ms);
  EXPECT_EQ((decoded<std::chrono::duration<double>>(encoded(std::chrono::duration<double>(0.25)))).count(), 0.25);
  const std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  EXPECT_EQ(decoded<std::chrono::system_clock::time_point>(encoded(now)), now);
  const std::map<std::string, std::vector<std::chrono::nanoseconds>> laps = {{"a", {1ns, 2ns}}, {"b", {}}};
  EXPECT_EQ((decoded<std::map<std::string, std::vector<std::chrono::nanoseconds>>>(encoded(laps))), laps);
  EXPECT_THROW(decoded<std::chrono::seconds>("1234567"), SerializationError);
}

TEST(Encoding, NothingIsReadBeforeItHasArrived) {
  expect_read_as_it_arrives(7);
  expect_read_as_it_arrives(std::string("short"));
  expect_read_as_it_arrives(std::string(300'000, 'l'));
  expect_read_as_it_arrives(std::vector<double>(100'000, 0.5));
  expect_read_as_it_arrives(std::tuple('o', std::vector<double>(100'000, 0.5), std::string("odd")));
  expect_read_as_it_arrives(std::vector<std::string>(3, std::string(100'000, 's')));
  expect_read_as_it_arrives(std::list<std::vector<bool>>(3, std::vector<bool>(100'000, true)));
}

// The items of a std::map, also side by side with others as C++23's std::views::zip gives them.
TEST(Encoding, P2_ConstPartsOfPairsAndTuplesTravel) {
  using Item = std::map<std::string, int>::value_type;
  const Item item("key", 7);
  EXPECT_EQ(decoded<Item>(encoded(item)), item);
  const std::tuple<Item, const bool> nested(item, true);
  EXPECT_EQ((decoded<std::tuple<Item, const bool>>(encoded(nested))), nested);
  static_assert(internal::ValueTravels<Item> && internal::ValueTravels<std::tuple<Item, const bool>>);
  static_assert(!internal::ValueTravels<std::pair<const std::string, const char*>>, "a pointer is still a pointer");
  static_assert(!internal::ValueTravels<std::vector<Item>>, "elements of containers are read into their places");
  static_assert(!internal::ValueTravels<std::optional<const int>>, "elements of containers are read into their places");
}

TEST(Encoding, WhatHasBeenWrittenIsTold) {
  const std::vector<std::string> value(5, std::string(100'000, 's'));
  PieceSink sink;
  const std::size_t bytes =
      internal::encode_into(sink, [&value](internal::WireOutput& output) { internal::write_value(output, value); });
  EXPECT_EQ(sink.text, encoded(value));
  ASSERT_FALSE(sink.published.empty());
  EXPECT_EQ(sink.published.back(), bytes);
  for (std::size_t i = 0; i + 1 < sink.published.size(); ++i) {
    EXPECT_GE(sink.published[i + 1], sink.published[i]);
    EXPECT_LE(sink.published[i + 1] - sink.published[i], 2 * internal::kPieceBytes);
  }
}

TEST(Encoding, P11_WhateverTheByteABoolIsTrueOrFalse) {
  using namespace std::string_view_literals;
  expect_bools<bool>("\2", "\1");
  expect_bools<Answer>("\xff", "\1");
  expect_bools<std::array<bool, 3>>("\0\2\xff"sv, "\0\1\1"sv);
  expect_bools<std::array<std::array<Answer, 2>, 2>>("\3\2\0\1"sv, "\1\1\0\1"sv);
  expect_bools<Flags>("\0\x80"sv, "\0\1"sv);
  const auto arrays = decoded<std::vector<std::array<bool, 2>>>(length(1) + "\7\7");
  EXPECT_EQ(std::memcmp(arrays[0].data(), "\1\1", 2), 0);
}

// Counts how many were made of it.
template <bool kHasBytes>
struct Counted {
  static inline std::size_t made = 0;
  Counted() { ++made; }

  template <typename Archive>
  void serialize(Archive& archive) {
    if constexpr (kHasBytes) archive(value);
  }

  std::uint64_t value = 0;
};

template <typename Container>
void expect_few_made(const std::string& bytes) {
  using Element = typename Container::value_type;
  Element::made = 0;
  EXPECT_THROW(decoded<Container>(bytes), SerializationError);
  EXPECT_LE(Element::made, bytes.size() / sizeof(std::uint64_t) + 1);
}

TEST(Encoding, P11_ElementsAreMadeAsTheyAreRead) {
  constexpr std::size_t kBytes = 1 << 16;
  const std::string bytes = length(kBytes - sizeof(std::uint64_t)) + std::string(kBytes - sizeof(std::uint64_t), 'x');
  expect_few_made<std::vector<Counted<true>>>(bytes);
  expect_few_made<std::deque<Counted<true>>>(bytes);
  expect_few_made<std::list<Counted<true>>>(bytes);
}

TEST(Encoding, P11_ContainersOfContainersHaveNoMoreElementsThanThereAreBytes) {
  using Element = Counted<false>;
  constexpr std::uint64_t kInner = 1 << 12;
  std::string bytes = length(kInner);
  for (std::uint64_t i = kInner; i-- > 0;) bytes += length(i * sizeof(std::uint64_t));  // All that is left.
  Element::made = 0;
  EXPECT_THROW(decoded<std::vector<std::vector<Element>>>(bytes), SerializationError);
  EXPECT_LE(Element::made, bytes.size());
}

TEST(Encoding, P11_TheRightLengthsAreReadWhateverTheNesting) {
  using Nested = std::vector<std::vector<std::vector<char>>>;
  Nested nested(50);
  for (auto& inner : nested) inner.assign(20, std::vector<char>(3, 'c'));
  EXPECT_EQ(decoded<Nested>(encoded(nested)), nested);
  const std::vector<std::string> texts(1000, "a");
  EXPECT_EQ(decoded<std::vector<std::string>>(encoded(texts)), texts);
  using Bools = std::list<std::deque<bool>>;
  const Bools bools(100, std::deque<bool>{true, false, true});
  EXPECT_EQ(decoded<Bools>(encoded(bools)), bools);
}

struct Tree {
  std::vector<Tree> children;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(children);
  }
};

std::size_t depth(const Tree& tree) { return tree.children.empty() ? 1 : 1 + depth(tree.children[0]); }

TEST(Encoding, P11_NestingIsBounded) {
  constexpr std::size_t kFewLevels = 50;
  std::string bytes;
  for (std::size_t i = 1; i < kFewLevels; ++i) bytes += length(1);
  EXPECT_EQ(depth(decoded<Tree>(bytes + length(0))), kFewLevels);
  for (int doublings = 0; doublings < 14; ++doublings) bytes += bytes;
  EXPECT_THROW(decoded<Tree>(bytes + length(0)), SerializationError);
}

// To follow a reference would be to take a string for a vector.
TEST(Encoding, P11_NoObjectIsReadAsOneOfAnotherType) {
  using Both = std::tuple<std::shared_ptr<std::string>, std::shared_ptr<std::vector<int>>>;
  const Both both{std::make_shared<std::string>("text"), nullptr};
  std::string bytes = encoded(both);
  EXPECT_EQ(*std::get<0>(decoded<Both>(bytes)), "text");
  bytes[bytes.size() - sizeof(std::uint32_t)] = 1;
  EXPECT_THROW(decoded<Both>(bytes), SerializationError);
}

TEST(Encoding, P3_AnObjectThatTwoPointersShareDoesNotTravel) {
  const auto object = std::make_shared<int>(1);
  EXPECT_THROW(encoded(std::vector<std::shared_ptr<int>>{object, object}), SerializationError);
  const auto copies =
      decoded<std::vector<std::shared_ptr<int>>>(encoded(std::vector{object, std::make_shared<int>(2)}));
  EXPECT_EQ(*copies[0] + *copies[1], 3);
}

std::string exception_fields(std::initializer_list<std::string_view> fields) {
  std::string all;
  for (const std::string_view field : fields) {
    const auto bytes = static_cast<std::uint32_t>(field.size());
    all.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
    all += field;
  }
  return all;
}

// a<a<a<int, int>, a<int, int>>, ...>, and so on: each level is said in four letters and doubles the text.
std::string name_without_end() {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string name = "1aI";
  for (std::size_t level = 0; level < kDigits.size(); ++level) name += "S_I";
  name += "iiE";
  for (const char digit : kDigits) name += std::string("S") + digit + "_E";
  return name;
}

TEST(Encoding, P11_ATypeNameThatIsMadeUpIsNotReadAsOne) {
  const std::exception_ptr exception =
      internal::decode_exception(exception_fields({name_without_end(), "a", "what", ""}), 7);
  try {
    std::rethrow_exception(exception);
  } catch (const RemoteError& e) {
    EXPECT_EQ(e.type_name(), "a");
    EXPECT_EQ(e.worker_pid(), 7);
  }
}

}  // namespace
}  // namespace futures
