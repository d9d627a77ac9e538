// How the chunks of a map travel (map_chunk.h): callables, inputs and results. Part of futures/encoding/encoding.h.
//
// A row of values or errors is encoded as a ChunkHeader; for each error its position, its length and what
// exception_wire.h makes of it; then the values in their order. Values of which every part is copied bitwise lie there
// side by side; others have their length in front, so that one that cannot be encoded or decoded is an error at its own
// position (law P3) and costs no other.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_CHUNK_ENCODING_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_CHUNK_ENCODING_H_

#include <unistd.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <cxxabi.h>

#include "absl/strings/str_cat.h"
#include "futures/encoding/archive.h"
#include "futures/encoding/call_encoding.h"
#include "futures/encoding/exception_wire.h"
#include "futures/encoding/map_chunk.h"
#include "futures/encoding/travels.h"
#include "futures/errors.h"

namespace futures::internal {

struct ChunkHeader {
  std::uint64_t positions = 0;
  std::uint64_t errors = 0;
  std::int64_t pid = 0;  // Of the process that encodes: what a RemoteError names.
};

// What takes the same number of bytes whatever it is. A std::monostate takes one, too: so the bytes bound the
// positions.
template <typename T>
concept Packed = CopiedBitwise<T> || std::is_same_v<T, std::monostate>;

template <typename T>
void pack(char*& to, const T& value) {
  if constexpr (CopiedBitwise<T>) std::memcpy(to, &value, sizeof(T));
  to += sizeof(T);
}

template <typename T>
T unpack(const char*& from) {
  const char* const bytes = std::exchange(from, from + sizeof(T));
  if constexpr (std::is_same_v<T, bool>) {
    return *bytes != 0;
  } else if constexpr (CopiedBitwise<T>) {
    std::array<std::byte, sizeof(T)> copy;
    std::memcpy(copy.data(), bytes, sizeof(T));
    return std::bit_cast<T>(copy);
  } else {
    return T();
  }
}

inline void append_number(std::string& encoded, std::uint64_t number) {
  encoded.append(reinterpret_cast<const char*>(&number), sizeof(number));
}
inline std::uint64_t read_number(WireInput& archive) {
  std::uint64_t number = 0;
  archive.read(&number, sizeof(number));
  return number;
}

// Runs `code` for one item: encodes or decodes it. Whatever it throws is given to `on_error`, as a SerializationError.
template <typename Code, typename OnError>
void for_one_item(const char* what, Code code, OnError on_error) {
  try {
    code();
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const SerializationError&) {
    on_error(std::current_exception());
  } catch (const std::exception& e) {
    on_error(std::make_exception_ptr(
        SerializationError(absl::StrCat("an item of a map could not be ", what, ": ", e.what()))));
  } catch (...) {
    on_error(std::make_exception_ptr(SerializationError(absl::StrCat("an item of a map could not be ", what))));
  }
}

// Encodes one row.
template <typename... Parts>
class RowEncoder {
 public:
  using Row = ValuesOrErrors<Parts...>;
  static constexpr bool kPacked = (Packed<Parts> && ...);

  explicit RowEncoder(const Row& row) {
    if constexpr (kPacked) {
      pack_values(row.values());
      for (const auto& error : row.errors()) add_error(error.position, error.exception);
    } else {
      auto error = row.errors().begin();
      for (std::uint64_t position = 0, value = 0; position < row.size(); ++position) {
        if (error != row.errors().end() && error->position == position) {
          add_error(position, (error++)->exception);
        } else {
          add_value(position, row.values()[value++]);
        }
      }
    }
    header_.positions = row.size();
  }

  void write(WireOutput& archive) const {
    archive.write(&header_, sizeof(header_));
    archive.write(errors_.data(), errors_.size());
    archive.write(values_.data(), values_.size());
  }

 private:
  void pack_values(const std::vector<typename Row::Value>& values) {
    values_.resize(values.size() * (sizeof(Parts) + ...));
    char* to = values_.data();
    for (const auto& value : values) {
      std::apply([&to](const Parts&... parts) { (pack(to, parts), ...); }, value);
    }
  }

  void add_value(std::uint64_t position, const typename Row::Value& value) {
    const std::size_t start = values_.size();
    const auto encode = [&] {
      append_number(values_, 0);
      append_encoded(values_, [&value](WireOutput& output) {
        std::apply([&output](const Parts&... parts) { (write_value(output, parts), ...); }, value);
      });
      const std::uint64_t bytes = values_.size() - start - sizeof(bytes);
      std::memcpy(values_.data() + start, &bytes, sizeof(bytes));
    };
    for_one_item("encoded", encode, [&](const std::exception_ptr& error) {
      values_.resize(start);
      add_error(position, error);
    });
  }

  void add_error(std::uint64_t position, const std::exception_ptr& error) {
    std::string encoded;
    try {
      std::rethrow_exception(error);
    } catch (...) {
      encode_current_exception(encoded);
    }
    append_number(errors_, position);
    append_number(errors_, encoded.size());
    errors_ += encoded;
    ++header_.errors;
  }

  ChunkHeader header_{.pid = getpid()};
  std::string errors_;
  std::string values_;
};

// Decodes one row, whatever the bytes are.
template <typename... Parts>
class RowDecoder {
 public:
  using Row = ValuesOrErrors<Parts...>;

  explicit RowDecoder(WireInput& archive) : archive_(archive) {
    archive_.read(&header_, sizeof(header_));
    archive_.check_length(header_.positions);  // Each takes a byte at least.
    if (header_.errors > header_.positions)
      throw SerializationError("the encoded chunk has more errors than positions");
  }

  void read_into(Row& row) {
    const std::vector<typename Row::Error> errors = read_errors();
    auto error = errors.begin();
    const std::uint64_t values = header_.positions - header_.errors;
    const char* packed = nullptr;
    if constexpr (kPacked) {
      packed = archive_.take(archive_.size_of(values, (sizeof(Parts) + ...))).data();
    } else {
      archive_.check_length(values * sizeof(std::uint64_t));  // Each has its length in front.
    }
    row.reserve(values);
    for (std::uint64_t position = 0; position < header_.positions; ++position) {
      if (error != errors.end() && error->position == position) {
        row.add_error((error++)->exception);
      } else if constexpr (kPacked) {
        row.add_value(typename Row::Value{unpack<Parts>(packed)...});  // Braces fix the order of reading.
      } else {
        read_value_into(row);
      }
    }
  }

 private:
  static constexpr bool kPacked = RowEncoder<Parts...>::kPacked;

  std::vector<typename Row::Error> read_errors() {
    std::vector<typename Row::Error> errors;
    for (std::uint64_t i = 0; i < header_.errors; ++i) {
      const std::uint64_t position = read_number(archive_);
      const std::string encoded(archive_.take(read_number(archive_)));
      const bool rises = errors.empty() || position > errors.back().position;
      if (!rises || position >= header_.positions) {
        throw SerializationError("the encoded chunk has errors at impossible positions");
      }
      errors.push_back({static_cast<std::size_t>(position), decode_exception(encoded, static_cast<int>(header_.pid))});
    }
    return errors;
  }

  void read_value_into(Row& row) {
    const std::string_view encoded = archive_.take(read_number(archive_));
    const auto decode = [&] {
      WireInput input(encoded);
      typename Row::Value value{read_value<Parts>(input)...};
      input.check_end();
      row.add_value(std::move(value));
    };
    for_one_item("decoded", decode, [&row](std::exception_ptr error) { row.add_error(std::move(error)); });
  }

  WireInput& archive_;
  ChunkHeader header_;
};

// The hooks of cereal, as in cereal_hooks.h.
template <typename... Parts>
  requires(ValueTravels<Parts> && ...)
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const ValuesOrErrors<Parts...>& row) {
  RowEncoder<Parts...>(row).write(archive);
}
template <typename... Parts>
  requires(ValueTravels<Parts> && ...)
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, ValuesOrErrors<Parts...>& row) {
  RowDecoder<Parts...>(archive).read_into(row);
}
template <typename Fn>
  requires CallableTravels<Fn>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const ChunkFn<Fn>& chunk) {
  write_value(archive, chunk.fn);
}
template <typename Fn>
  requires CallableTravels<Fn>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, ChunkFn<Fn>& chunk) {
  if constexpr (NamedFunction<Fn>) {
    chunk.fn = read_value<Fn>(archive);
  } else if constexpr (!Stateless<Fn>) {
    archive(chunk.fn);
  }
}

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_CHUNK_ENCODING_H_
