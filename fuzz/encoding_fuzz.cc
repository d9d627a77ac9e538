// Fuzz target: bytes are what a worker delivered, a value of one of many types or an exception, or a value that it goes on
// writing while it is read; the first byte says which. Reading them either gives a value, or throws; it reads nothing beyond
// the bytes and takes no more memory than they account for. Law P11.
#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "cereal/types/memory.hpp"
#include "fuzz/memory_bound.h"
#include "fuzz/input.h"
#include "futures/encoding/buffer.h"
#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/encoding/exception_wire.h"
#include "futures/encoding/call_vtable.h"

namespace futures::fuzz {
namespace {

[[noreturn]] void fail(const std::string& report) {
  std::cerr << "\n" << report << std::endl;
  std::abort();
}

void require(bool condition, const char* what) {
  if (!condition) fail(what);
}

// --- Types of users.

enum class Colour : std::uint8_t { kRed, kGreen, kBlue };
enum class Answer : bool { kNo, kYes };

struct Page {
  std::string name;
  std::vector<int> numbers;
  std::map<std::string, std::vector<double>> columns;
  bool flags[3] = {};
  Colour colour = Colour::kRed;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(name, numbers, columns, flags, colour);
  }
};

// As deep as the bytes say.
struct Tree {
  std::vector<Tree> children;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(children);
  }
};

struct Chain {
  int value = 0;
  std::unique_ptr<Chain> next;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(value, next);
  }
};

// Large, and of few bytes when encoded.
struct Sparse {
  std::array<char, 1000> memory{};
  char value = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

// Of no bytes at all when encoded.
struct Nothing {
  std::array<char, 64> memory{};

  template <typename Archive>
  void serialize(Archive&) {}
};

struct Empty {};

struct Shares {
  std::shared_ptr<std::string> text;
  std::shared_ptr<std::vector<int>> numbers;
  std::weak_ptr<int> weak;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(text, numbers, weak);
  }
};

class ParseError : public std::runtime_error {
 public:
  ParseError() : std::runtime_error("parse error") {}

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(lines_);
  }

 private:
  std::vector<std::string> lines_;
};
const ExceptionRegistration<ParseError> parse_error_travels;

class Refused : public std::logic_error {
 public:
  explicit Refused(const std::string& what) : std::logic_error(what) {
    if (what.empty()) throw std::invalid_argument("an error needs a reason");
  }
};
const ExceptionRegistration<Refused> refused_travels;

// --- Reading.

// What containers add to an element: links, hashes, the spare room of what grows by doubling.
constexpr std::size_t kBytesBesideElement = 96;
constexpr std::size_t kFixedBytes = 32 << 10;

// What reading `encoded_bytes` may take, if no element of any container in it is larger than `element_bytes`: as many
// elements as there are bytes, and three times, since what grows is copied from old room of half the size to new.
constexpr std::size_t bytes_max(std::size_t encoded_bytes, std::size_t element_bytes) {
  return kFixedBytes + 3 * encoded_bytes * (element_bytes + kBytesBesideElement);
}

// Of `bytes`, which have exactly the size that they say, so that reading beyond the end is seen.
template <typename T>
void read_as(const std::vector<char>& bytes, std::size_t element_bytes, internal::Arrival* arrival = nullptr) {
  std::string again;
  bool has_value = false;
  {
    const MemoryBound bound(bytes_max(bytes.size(), element_bytes));
    try {
      internal::WireInput input({bytes.data(), bytes.size()}, nullptr, arrival);
      const T value = internal::read_value<T>(input);
      input.check_end();
      has_value = true;
      // Looks at every part of the value.
      internal::append_encoded(again, [&value](internal::WireOutput& output) { internal::write_value(output, value); });
    } catch (const SerializationError&) {
    } catch (const cereal::Exception&) {
    }
  }
  if (!has_value) return;
  internal::WireInput input(again);
  internal::read_value<T>(input);
  input.check_end();
}

// A worker that writes on while its value is read: where it said that it had written, or anywhere else.
class WritesOn final : public internal::Arrival {
 public:
  WritesOn(std::vector<char>& bytes, std::string_view script) : bytes_(bytes), script_(script) {}

  void await(std::size_t bytes) override {
    require(bytes <= bytes_.size(), "more is awaited than there will be");
    if (script_.empty()) return;
    const std::uint32_t step = script_.below(16);
    if (step == 0) throw SerializationError("the worker writes no more");
    if (step >= 8) return;
    // About where the reader is.
    const std::size_t from = std::max(bytes, std::size_t{64}) - 64 + script_.below(128);
    const std::string_view written = script_.bytes(step);
    if (from < bytes_.size()) std::copy_n(written.data(), std::min(written.size(), bytes_.size() - from), &bytes_[from]);
  }

 private:
  std::vector<char>& bytes_;
  Input script_;
};

void read_exception(std::string_view encoded) {
  const std::vector<char> bytes(encoded.begin(), encoded.end());
  const MemoryBound bound(bytes_max(encoded.size(), sizeof(std::string)));
  const std::exception_ptr exception = internal::decode_exception({bytes.data(), bytes.size()}, 1);
  require(exception != nullptr, "no exception");
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    require(e.what() != nullptr, "an exception without a text");
  }
}

// A well-formed exception of a type that is known here, its own part from the input.
void read_exception_of(std::string_view type, std::string_view own) {
  std::string encoded;
  for (const std::string_view field : {type, std::string_view("name"), std::string_view("what"), own}) {
    const auto bytes = static_cast<std::uint32_t>(field.size());
    encoded.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
    encoded += field;
  }
  read_exception(encoded);
}

using Read = void (*)(std::string_view encoded);

template <typename T, std::size_t kElementBytes = 64>
void read(std::string_view encoded) {
  read_as<T>({encoded.begin(), encoded.end()}, kElementBytes);
}

// The input has what the worker does meanwhile first. Behind what it has of the value there may be more than one piece.
template <typename T, std::size_t kElementBytes = 64>
void read_early(std::string_view input) {
  Input parts(input);
  const std::string_view script = parts.bytes(parts.number<std::uint8_t>());
  const std::size_t filler = parts.below(4) * internal::kPieceBytes;
  const std::string_view encoded = parts.rest();
  std::vector<char> bytes(encoded.begin(), encoded.end());
  bytes.resize(bytes.size() + filler);
  WritesOn arrival(bytes, script);
  read_as<T>(bytes, kElementBytes, &arrival);
}

// Add at the end: the corpus names them by number, of which there is room for 64.
constexpr Read kReads[] = {
    &read<int>,
    &read<bool>,
    &read<double>,
    &read<Colour>,
    &read<Answer>,
    &read<std::array<bool, 5>>,
    &read<std::array<Colour, 3>>,
    &read<std::array<std::array<Answer, 2>, 2>>,
    &read<std::string>,
    &read<std::u32string>,
    &read<std::vector<int>>,
    &read<std::vector<long double>>,
    &read<std::vector<std::string>>,
    &read<std::vector<bool>>,
    &read<std::vector<std::array<bool, 3>>>,
    &read<std::vector<std::vector<std::vector<short>>>>,
    &read<std::map<std::string, int>>,
    &read<std::multimap<int, std::string>>,
    &read<std::unordered_map<std::string, std::vector<int>>>,
    &read<std::optional<std::vector<int>>>,
    &read<std::variant<int, std::string, std::vector<std::string>>>,
    &read<std::variant<std::monostate, bool>>,
    &read<std::tuple<int, std::string, bool, std::pair<char, double>>>,
    &read<std::deque<std::string>>,
    &read<std::deque<bool>>,
    &read<std::list<std::optional<int>>>,
    &read<std::set<std::string>>,
    &read<std::multiset<int>>,
    &read<std::unordered_set<int>>,
    &read<std::complex<double>>,
    &read<std::chrono::nanoseconds>,
    &read<std::chrono::system_clock::time_point>,
    &read<std::unique_ptr<std::vector<int>>>,
    &read<Page, sizeof(std::pair<std::string, std::vector<double>>)>,
    &read<std::vector<Page>, sizeof(Page)>,
    &read<Tree>,
    &read<Chain>,
    &read<std::vector<Sparse>, sizeof(Sparse)>,
    &read<std::deque<Sparse>, sizeof(Sparse)>,
    &read<std::vector<std::vector<Sparse>>, sizeof(Sparse)>,
    &read<std::vector<std::vector<Nothing>>>,
    &read<std::vector<std::list<Nothing>>>,
    &read<std::vector<Empty>>,
    &read<std::vector<std::vector<Empty>>>,
    &read<std::set<std::tuple<>>>,
    &read<std::vector<std::monostate>>,
    &read<Shares>,
    &read<std::vector<Shares>>,
    &read_exception,
    [](std::string_view own) { read_exception_of(typeid(ParseError).name(), own); },
    [](std::string_view own) { read_exception_of(typeid(Refused).name(), own); },
    [](std::string_view own) { read_exception_of(typeid(std::system_error).name(), own); },
    [](std::string_view type) { read_exception_of(type, "own"); },
    &read_early<std::string>,
    &read_early<std::vector<int>>,
    &read_early<std::vector<std::string>>,
    &read_early<std::map<std::string, int>>,
    &read_early<std::pair<Buffer, std::string>>,
    &read_early<std::vector<bool>>,
    &read_early<std::vector<Page>, sizeof(Page)>,
    &read_early<std::optional<std::variant<int, std::string>>>,
    &read_early<Tree>,
};

}  // namespace
}  // namespace futures::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  futures::fuzz::Input input(data, size);
  constexpr std::uint32_t kNumbers = 64;
  const std::uint32_t number = input.below(kNumbers);
  if (number < std::size(futures::fuzz::kReads)) futures::fuzz::kReads[number](input.rest());
  return 0;
}
