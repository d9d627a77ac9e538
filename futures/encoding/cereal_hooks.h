// What cereal asks of the archives in archive.h: a function for each kind of value, found by argument-dependent lookup.
// Numbers are copied as they lie in memory. Containers of the standard library are read one element after the other, so
// that no length in the bytes makes more memory than the bytes that follow (law P11). Part of
// futures/encoding/encoding.h.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_CEREAL_HOOKS_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_CEREAL_HOOKS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cereal/cereal.hpp"
#include "cereal/types/array.hpp"
#include "cereal/types/complex.hpp"
#include "cereal/types/deque.hpp"
#include "cereal/types/list.hpp"
#include "cereal/types/map.hpp"
#include "cereal/types/optional.hpp"
#include "cereal/types/set.hpp"
#include "cereal/types/string.hpp"
#include "cereal/types/tuple.hpp"
#include "cereal/types/unordered_map.hpp"
#include "cereal/types/unordered_set.hpp"
#include "cereal/types/utility.hpp"
#include "cereal/types/variant.hpp"
#include "cereal/types/vector.hpp"
#include "futures/encoding/archive.h"
#include "futures/encoding/buffer.h"
#include "futures/encoding/call_vtable.h"
#include "futures/errors.h"
#include "futures/internal/time.h"

namespace futures::internal {

// Any other bit pattern than 0 and 1 in a bool is undefined behaviour.
inline void make_bools(void* data, std::size_t bytes) {
  static_assert(sizeof(bool) == 1);
  auto* const bools = static_cast<unsigned char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) bools[i] = bools[i] != 0 ? 1 : 0;
}

template <typename T>
  requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const T& value) {
  archive.write(&value, sizeof(value));
}
template <typename T>
  requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    unsigned char byte = 0;
    archive.read(&byte, 1);
    value = byte != 0;
  } else {
    archive.read(&value, sizeof(value));
  }
}
template <typename Archive, typename T>
  requires(std::is_same_v<Archive, WireOutput> || std::is_same_v<Archive, WireInput>)
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <typename T>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const cereal::SizeTag<T>& tag) {
  const auto elements = static_cast<std::uint64_t>(tag.size);
  archive.write(&elements, sizeof(elements));
}
template <typename T>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, cereal::SizeTag<T>& tag) {
  std::uint64_t elements = 0;
  archive.read(&elements, sizeof(elements));
  archive.check_length(elements);
  tag.size = static_cast<std::remove_reference_t<T>>(elements);
}

// Used instead of cereal's functions, which make all elements before they read the first.
template <typename Container>
void load_one_by_one(WireInput& archive, Container& container) {
  std::uint64_t elements = 0;
  archive(cereal::make_size_tag(elements));
  container.clear();
  if constexpr (requires { container.reserve(0); }) {
    container.reserve(archive.elements_to_reserve(elements, sizeof(typename Container::value_type)));
  }
  for (; elements > 0; --elements) archive(container.emplace_back());
}
template <typename T, typename Allocator>
  requires(!std::is_arithmetic_v<T>)
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::vector<T, Allocator>& vector) {
  load_one_by_one(archive, vector);
}
template <typename T, typename Allocator>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::deque<T, Allocator>& deque) {
  load_one_by_one(archive, deque);
}
template <typename T, typename Allocator>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::list<T, Allocator>& list) {
  load_one_by_one(archive, list);
}
template <typename T>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const cereal::BinaryData<T>& data) {
  archive.write(data.data, static_cast<std::size_t>(data.size));
}
template <typename T>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, cereal::BinaryData<T>& data) {
  archive.read(data.data, static_cast<std::size_t>(data.size));
  using Element = std::remove_all_extents_t<std::remove_pointer_t<std::remove_reference_t<T>>>;
  if constexpr (std::is_same_v<Element, bool>) make_bools(data.data, static_cast<std::size_t>(data.size));
}
// Cereal calls this before it reads anything.
template <typename T>
void prologue(WireInput& archive, const T&) {
  archive.check_depth();
}

// Strings and vectors of numbers are copied once. Cereal would fill the memory with zeros first.
template <typename Traits, typename Allocator>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::basic_string<char, Traits, Allocator>& text) {
  cereal::size_type length = 0;
  archive(cereal::make_size_tag(length));
  const std::size_t bytes = archive.size_of(length);
  text.clear();
  text.reserve(bytes);
  archive.take_large(text.data(), bytes, [&text](std::string_view piece) { text.append(piece.data(), piece.size()); });
}
template <typename T, typename Allocator>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::vector<T, Allocator>& values) {
  cereal::size_type length = 0;
  archive(cereal::make_size_tag(length));
  const std::size_t bytes = archive.size_of(length, sizeof(T));
  values.clear();
  values.reserve(length);
  archive.take_large(values.data(), bytes, [&values](std::string_view piece) {
    static_assert(kPieceBytes % sizeof(T) == 0);
    const std::size_t count = piece.size() / sizeof(T);
    if (reinterpret_cast<std::uintptr_t>(piece.data()) % alignof(T) == 0) {
      const T* const first = reinterpret_cast<const T*>(piece.data());
      values.insert(values.end(), first, first + count);
    } else {
      const std::size_t before = values.size();
      values.resize(before + count);
      std::memcpy(values.data() + before, piece.data(), piece.size());
    }
  });
}

// As cereal/types/chrono.hpp has it, which includes all of <chrono>. These are chosen where it is included as well.
template <typename Rep, typename Period>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const std::chrono::duration<Rep, Period>& duration) {
  archive(duration.count());
}
template <typename Rep, typename Period>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::chrono::duration<Rep, Period>& duration) {
  Rep count{};
  archive(count);
  duration = std::chrono::duration<Rep, Period>(count);
}
template <typename Clock, typename Duration>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const std::chrono::time_point<Clock, Duration>& time) {
  archive(time.time_since_epoch());
}
template <typename Clock, typename Duration>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, std::chrono::time_point<Clock, Duration>& time) {
  Duration since_epoch{};
  archive(since_epoch);
  time = std::chrono::time_point<Clock, Duration>(since_epoch);
}

// A buffer is its size and its place in shared memory; or its size, this number, and its bytes.
inline constexpr std::uint64_t kCopiedBytes = ~std::uint64_t{0};
inline void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const Buffer& buffer) {
  const auto size = static_cast<std::uint64_t>(buffer.size());
  std::optional<std::uint64_t> place;
  if (size > 0) place = archive.buffers().place_of(buffer.memory());
  archive(size, place.value_or(kCopiedBytes));
  if (!place) archive.write(buffer.bytes().data(), buffer.size());
}
inline void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, Buffer& buffer) {
  std::uint64_t size = 0;
  std::uint64_t place = 0;
  archive(size, place);
  if (place == kCopiedBytes) {
    const std::size_t bytes = archive.size_of(size);
    buffer = Buffer(bytes);
    std::byte* to = buffer.bytes().data();
    archive.take_large(to, bytes, [&to](std::string_view piece) {
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    });
    return;
  }
  std::shared_ptr<BufferMemory> memory = archive.buffers() == nullptr ? nullptr : archive.buffers()->at(place, size);
  if (memory == nullptr) throw SerializationError("the encoded data holds a buffer that is nowhere");
  buffer = Buffer(std::move(memory));
}

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_CEREAL_HOOKS_H_
