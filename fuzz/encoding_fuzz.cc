// Fuzz target for encodings. The input is what a worker delivered: a value of one of many types, an exception, or a
// value that the worker goes on writing while it is read. The first byte says which. Decoding gives a value or
// throws. It reads nothing beyond the bytes, and takes no more memory than they account for. Law P11.
#include <algorithm>
#include <array>
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
#include "futures/encoding/buffer.h"
#include "futures/encoding/call_vtable.h"
#include "futures/encoding/encoding.h"
#include "futures/encoding/exception_wire.h"
#include "futures/errors.h"
#include "futures/internal/time.h"
#include "fuzz/input.h"
#include "fuzz/memory_bound.h"

namespace futures::fuzz {
namespace {

[[noreturn]] void fail(const std::string& report) {
  std::cerr << "\n" << report << std::endl;
  std::abort();
}

void require(bool condition, const char* what) {
  if (!condition) fail(what);
}

// --- Types as users write them.

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

// Nested as deep as the bytes say.
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

// Large in memory, with an encoding of few bytes.
struct Sparse {
  std::array<char, 1000> memory{};
  char value = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

// Its encoding has no bytes.
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

// How many bytes a container adds to an element: links, hashes, and the spare capacity of one that grows by doubling.
constexpr std::size_t kBytesBesideElement = 96;
constexpr std::size_t kFixedBytes = 32 << 10;

// How much memory decoding `encoded_bytes` may take, if no element of a container is larger than `element_bytes`.
// There are at most as many elements as bytes. They count three times, because a container that grows copies its
// elements to new memory of twice the size.
constexpr std::size_t bytes_max(std::size_t encoded_bytes, std::size_t element_bytes) {
  return kFixedBytes + 3 * encoded_bytes * (element_bytes + kBytesBesideElement);
}

// `bytes` are in memory of exactly their size, so that a sanitizer sees a read beyond the end.
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
      // Encoding it again reads every part of the value.
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

// A worker that goes on writing while its value is read: where it said that it had written already, or anywhere else.
class WritesOn final : public internal::Arrival {
 public:
  WritesOn(std::vector<char>& bytes, std::string_view script) : bytes_(bytes), script_(script) {}

  void await(std::size_t bytes) override {
    require(bytes <= bytes_.size(), "more is awaited than there will be");
    if (script_.empty()) return;
    const std::uint32_t step = script_.below(16);
    if (step == 0) throw SerializationError("the worker writes no more");
    if (step >= 8) return;
    // A position near that of the reader.
    const std::size_t from = std::max(bytes, std::size_t{64}) - 64 + script_.below(128);
    const std::string_view written = script_.bytes(step);
    if (from < bytes_.size())
      std::copy_n(written.data(), std::min(written.size(), bytes_.size() - from), &bytes_[from]);
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

// A well-formed exception of a type that is known here. Its type's own part comes from the input.
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

// The input begins with what the worker does meanwhile. Behind it comes the value, of which there may be several
// pieces.
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
