// Rows of values and errors on their way, also where the bytes are not what an honest process writes (law P11).
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "futures/encoding/encoding.h"
#include "futures/encoding/map_chunk.h"
#include "futures/errors.h"
#include "futures/future.h"
#include "futures/internal/map_call.h"
#include "gtest/gtest.h"

namespace futures::internal {
namespace {

template <typename... Parts>
std::string encoded(const ValuesOrErrors<Parts...>& row) {
  std::string bytes;
  append_encoded(bytes, [&row](WireOutput& output) { write_value(output, row); });
  return bytes;
}

template <typename Row>
Row decoded(std::string_view bytes) {
  WireInput input(bytes);
  Row row = read_value<Row>(input);
  input.check_end();
  return row;
}

// "value value !what value": what the row holds, position by position.
template <typename Row>
std::string text_of(Row row) {
  std::string text;
  for (typename Row::Walk place(row); !place.is_at_end(); place.next()) {
    if (const std::exception_ptr* const error = place.error()) {
      try {
        std::rethrow_exception(*error);
      } catch (const std::exception& e) {
        text += std::string(" !") + e.what();
      }
    } else if constexpr (std::is_same_v<typename Row::Value, std::tuple<std::string>>) {
      text += " " + std::get<0>(place.value());
    } else if constexpr (std::is_same_v<typename Row::Value, std::tuple<std::monostate>>) {
      text += " .";
    } else {
      text += std::apply([](const auto&... parts) { return (... + (" " + std::to_string(parts))); }, place.value());
    }
  }
  return text;
}

std::exception_ptr error(const char* what) { return std::make_exception_ptr(std::out_of_range(what)); }

template <typename Row>
void expect_travels(const Row& row, const std::string& text) {
  EXPECT_EQ(text_of(row), text);
  EXPECT_EQ(text_of(decoded<Row>(encoded(row))), text);
}

TEST(ChunkEncoding, M6_RowsTravel) {
  expect_travels(ValuesOrErrors<int>(), "");
  ValuesOrErrors<int, bool> pairs;
  ValuesOrErrors<std::string> words;
  ValuesOrErrors<std::monostate> nothings;
  pairs.add_error(error("a"));
  pairs.add(7, true);
  pairs.add(-1, false);
  pairs.add_error(error("b"));
  pairs.add_error(error("c"));
  expect_travels(pairs, " !a 7 1 -1 0 !b !c");
  words.add("one");
  words.add_error(error("x"));
  words.add("two");
  expect_travels(words, " one !x two");
  nothings.add(std::monostate());
  nothings.add_error(error("y"));
  nothings.add(std::monostate());
  expect_travels(nothings, " . !y .");
}

// The promise is to read within the bytes, whatever they are: sanitizers look on. Returns how many of them are refused.
template <typename Row>
int refused_variants(const std::string& bytes) {
  int refused = 0;
  const auto look_at = [&refused](std::string_view variant) {
    // In memory of its own, so that a byte read behind it is found.
    const std::vector<char> copy(variant.begin(), variant.end());
    try {
      text_of(decoded<Row>({copy.data(), copy.size()}));
    } catch (const SerializationError&) {
      ++refused;
    }
  };
  for (std::size_t length = 0; length < bytes.size(); ++length) look_at(std::string_view(bytes).substr(0, length));
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes.size(); ++at) {
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{1} << 32,
                                       std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
      std::string variant = bytes;
      std::memcpy(variant.data() + at, &number, sizeof(number));
      look_at(variant);
    }
  }
  return refused;
}

TEST(ChunkEncoding, P11_WhateverTheBytesAre) {
  ValuesOrErrors<int> ints;
  ValuesOrErrors<std::string> words;
  for (int i = 0; i < 3; ++i) {
    ints.add(i);
    words.add("word");
    ints.add_error(error("x"));
    words.add_error(error("x"));
  }
  // Each that ends too early at least.
  EXPECT_GE(refused_variants<ValuesOrErrors<int>>(encoded(ints)), static_cast<int>(encoded(ints).size()));
  EXPECT_GE(refused_variants<ValuesOrErrors<std::string>>(encoded(words)), static_cast<int>(encoded(words).size()));
}

// A finished chunk with these results, that was given so many inputs, as a map shows it.
std::string shown(ChunkResults<int> results, std::size_t inputs) {
  Promise<ChunkResults<int>> promise;
  promise.set_result(std::move(results));
  MapItem<int> item;
  item.open(MapCall<int>(promise.future(), inputs));
  std::string text;
  do {
    text += item.error() == nullptr ? std::to_string(item.value()) : "!";
  } while (item.next());
  return text;
}

TEST(ChunkEncoding, P11_ResultsThatAreMissingAreErrors) {
  ChunkResults<int> results;
  EXPECT_EQ(shown(results, 2), "!!");
  results.add(1);
  results.add_error(error("x"));
  EXPECT_EQ(shown(results, 1), "1");
  EXPECT_EQ(shown(results, 2), "1!");
  EXPECT_EQ(shown(results, 4), "1!!!");
  results.add(2);
  EXPECT_EQ(shown(results, 3), "1!2");
  EXPECT_EQ(shown(results, 4), "1!2!");
}

}  // namespace
}  // namespace futures::internal
