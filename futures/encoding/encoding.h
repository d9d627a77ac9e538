// Which calls can travel to another process, and how. Included by process_pool_executor.h; include it yourself where
// generic code submits through `Executor&` and may be given an executor of processes.
//
// A call travels if its parts do (law P2):
//   - the callable: a function, a lambda without captures, an empty function object, or one that can be serialised;
//   - each argument and the result: an arithmetic type or enum, std::array of such; a type for which travels_bitwise is
//     specialised; a Buffer, which need not be copied; or what cereal can serialise: strings, containers, tuples, optionals,
//     variants of all these, and types with a `serialize` member or function in cereal's manner, default-constructible.
// Pointers, references, views and lambdas with captures never travel. Nothing needs to be registered but exception types
// that are to arrive as themselves (ExceptionRegistration).
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "cereal/cereal.hpp"
#include "cereal/types/array.hpp"
#include "cereal/types/chrono.hpp"
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
#include "futures/encoding/buffer.h"
#include "futures/errors.h"
#include "futures/encoding/exception_wire.h"
#include "futures/encoding/page_advice.h"
#include "futures/encoding/module_address.h"
#include "futures/internal/call.h"
#include "futures/encoding/call_vtable.h"

namespace futures {

// Whether objects of T mean the same in another process of this program if their bytes are copied. Specialise it as true
// for a trivially copyable type of yours that holds no pointer, where the type is complete and before it is submitted. A
// hostile worker's (law P11) have whatever bytes it likes.
//
//   template <>
//   inline constexpr bool futures::travels_bitwise<Point> = true;
template <typename T>
inline constexpr bool travels_bitwise = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <typename T, std::size_t kSize>
inline constexpr bool travels_bitwise<std::array<T, kSize>> = travels_bitwise<T>;

namespace internal {

// Writes what cereal gives it to a place of fixed size, and counts what does not fit there.
class WireOutput : public cereal::OutputArchive<WireOutput, cereal::AllowEmptyClassElision> {
 public:
  // `place` is of `room`, which is told how much has been written if it `is_told`.
  WireOutput(std::span<char> place, EncodeSink& room, bool is_told)
      : OutputArchive(this), place_(place), room_(room), is_told_(is_told) {}

  void write(const void* data, std::size_t bytes) {
    if (is_told_) return write_in_pieces(static_cast<const char*>(data), bytes);
    write_piece(data, bytes);
  }
  // How many there were. The place holds them all, or else it is too small, and what is in it is of no use.
  std::size_t bytes() const { return bytes_; }
  WireBuffers& buffers() const { return room_; }

  // Cereal's, for what a std::shared_ptr points to. Nothing that was written once is referred to: see WireInput.
  std::uint32_t registerSharedPointer(const std::shared_ptr<const void>& object) {
    const std::uint32_t id = OutputArchive::registerSharedPointer(object);
    if (id != 0 && (id & cereal::detail::msb_32bit) == 0) {
      throw SerializationError("an object that two pointers share cannot travel");
    }
    return id;
  }

 private:
  void write_piece(const void* data, std::size_t bytes) {
    if (bytes <= place_.size() - std::min(bytes_, place_.size()) && bytes > 0) std::memcpy(place_.data() + bytes_, data, bytes);
    bytes_ += bytes;
  }
  void write_in_pieces(const char* data, std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t piece = std::min(bytes, kPieceBytes);
      write_piece(data, piece);
      data += piece;
      bytes -= piece;
      if (bytes_ - bytes_told_ < kPieceBytes) continue;
      room_.publish_written(bytes_);
      bytes_told_ = bytes_;
    }
  }

  const std::span<char> place_;
  EncodeSink& room_;
  const bool is_told_;
  std::size_t bytes_ = 0;
  std::size_t bytes_told_ = 0;
};

// Encodes what `write` gives to a WireOutput, at hand if it fits there. Returns its size. Throws what `write` throws, and
// SerializationError if that says something else the second time.
template <typename Write>
std::size_t encode_into(EncodeSink& room, const Write& write) {
  WireOutput inline_bytes(room.inline_bytes(), room, /*is_told=*/false);
  write(inline_bytes);
  const std::size_t bytes = inline_bytes.bytes();
  if (bytes <= room.inline_bytes().size()) return bytes;
  const std::span<char> place = room.block(bytes);
  if (place.size() < bytes) return bytes;
  WireOutput in_room(place.first(bytes), room, room.is_read_early());
  write(in_room);
  room.publish_written(std::min(in_room.bytes(), bytes));
  if (in_room.bytes() != bytes) throw SerializationError("a `serialize` does not write the same each time");
  return bytes;
}

// The same, to the end of a string.
template <typename Write>
void append_encoded(std::string& encoded, const Write& write) {
  StringSink room(encoded);
  encode_into(room, write);
}

// Reads what a WireOutput wrote; the bytes may be anything. Throws SerializationError instead of reading past their end,
// of nesting deeper than a stack bears, and of allocating for a length that they cannot hold. Elements of containers are
// made one by one as they are read, and all containers together have no more of them than there are bytes: so what a value
// takes while it is read is bounded by the bytes times the size of the largest element (law P11).
class WireInput : public cereal::InputArchive<WireInput, cereal::AllowEmptyClassElision> {
 public:
  // `arrival` is null where all bytes are there.
  explicit WireInput(std::string_view encoded, WireBuffers* buffers = nullptr, Arrival* arrival = nullptr)
      : InputArchive(this),
        left_(encoded),
        bytes_(encoded.size()),
        buffers_(buffers),
        arrival_(arrival),
        elements_left_(encoded.size()),
        frame_(__builtin_frame_address(0)) {}

  void read(void* data, std::size_t bytes) {
    if (bytes == 0) return;  // An empty vector's data may be null.
    std::memcpy(data, take(bytes).data(), bytes);
    // Who wrote the bytes may still be writing: what has been checked is what was read here, once.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // The next bytes as they lie there: valid as long as what is read, and to be copied before anything about them is decided.
  std::string_view take(std::uint64_t bytes) {
    const std::string_view taken = left_.substr(0, size_of(bytes));
    left_.remove_prefix(taken.size());
    if (arrival_ != nullptr) arrival_->await(bytes_ - left_.size());
    return taken;
  }
  // The same, for `copy` to write to fresh memory at `to`: all at once or, while they arrive, in pieces of kPieceBytes.
  template <typename Copy>
  void take_large(void* to, std::size_t bytes, const Copy& copy) {
    const bool arrives = arrival_ != nullptr;
    if (arrives) {
      prefer_large_pages(to, bytes);
    } else {
      take_pages(to, bytes);
    }
    const std::size_t piece = arrives ? kPieceBytes : bytes;
    for (std::size_t left = bytes; left > 0; left -= std::min(left, piece)) copy(take(std::min(left, piece)));
  }
  // What `elements` of `bytes_each` take: so many bytes are left.
  std::size_t size_of(std::uint64_t elements, std::size_t bytes_each = 1) const {
    if (elements > left_.size() / bytes_each) throw SerializationError("the encoded data ends too early");
    return static_cast<std::size_t>(elements * bytes_each);
  }
  WireBuffers* buffers() const { return buffers_; }
  // Takes the elements off what all containers may have. An element has at least a byte that is in no element of its own.
  void check_length(std::uint64_t elements) {
    if (elements > left_.size() || elements > elements_left_) {
      throw SerializationError("the encoded data holds an impossible length");
    }
    elements_left_ -= elements;
  }
  void check_depth() const {
    const auto* const here = static_cast<const char*>(__builtin_frame_address(0));
    if (static_cast<const char*>(frame_) - here > kStackBytesMax) {
      throw SerializationError("the encoded data is nested too deeply");
    }
  }
  void check_end() const {
    if (!left_.empty()) throw SerializationError("the encoded data is longer than its type");
  }
  // For how many of `elements` there is to be room at once: for all, unless they look too large for the bytes left.
  std::size_t first_room(std::uint64_t elements, std::size_t element_bytes) const {
    constexpr std::uint64_t kRoomPerByte = 8;  // A std::string takes 4 times the bytes of its length.
    return static_cast<std::size_t>(std::min(elements, kRoomPerByte * left_.size() / element_bytes));
  }

  // Cereal's, for std::shared_ptr. Of which type an object is that was read before is not in the bytes: to refer to one
  // would be to believe them.
  void registerSharedPointer(std::uint32_t, const std::shared_ptr<void>&) {}
  std::shared_ptr<void> getSharedPointer(std::uint32_t id) const {
    if (id != 0) throw SerializationError("the encoded data refers to an object that pointers share");
    return nullptr;
  }

 private:
  // A thread that reads needs this much for a value that is nested without end.
  static constexpr std::ptrdiff_t kStackBytesMax = 256 << 10;

  std::string_view left_;
  const std::size_t bytes_;
  WireBuffers* const buffers_;
  Arrival* const arrival_;
  std::uint64_t elements_left_;
  const void* const frame_;  // Of the thread that reads, about where it began.
};

// Any other bit pattern than 0 and 1 in a bool is undefined behaviour.
inline void make_bools(void* data, std::size_t bytes) {
  static_assert(sizeof(bool) == 1);
  auto* const bools = static_cast<unsigned char*>(data);
  for (std::size_t i = 0; i < bytes; ++i) bools[i] = bools[i] != 0 ? 1 : 0;
}

// The hooks that cereal asks of an archive, found by argument-dependent lookup.
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

// Instead of cereal's, which make all elements first. Of arithmetic elements that is what there are bytes for.
template <typename Container>
void load_one_by_one(WireInput& archive, Container& container) {
  std::uint64_t elements = 0;
  archive(cereal::make_size_tag(elements));
  container.clear();
  if constexpr (requires { container.reserve(0); }) {
    container.reserve(archive.first_room(elements, sizeof(typename Container::value_type)));
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
// Whatever is about to be read.
template <typename T>
void prologue(WireInput& archive, const T&) {
  archive.check_depth();
}

// Contiguous data is copied once. cereal would fill the memory with zeros first.
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

// A buffer: its size and its place, or its bytes.
inline constexpr std::uint64_t kCopiedBytes = ~std::uint64_t{0};  // Instead of a place.
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

template <typename T>
concept CopiedBitwise = travels_bitwise<T> && std::is_trivially_copyable_v<T>;

// Types that only say how they travel bitwise, inside of others.
template <typename T>
concept BitwisePart = CopiedBitwise<T> && std::is_class_v<T> && !cereal::traits::has_member_serialize<T, WireOutput>::value &&
                      !cereal::traits::has_member_save<T, WireOutput>::value && !requires { std::tuple_size<T>::value; };
template <BitwisePart T>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const T& value) {
  archive.write(&value, sizeof(value));
}
template <BitwisePart T>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, T& value) {
  archive.read(&value, sizeof(value));
}

// Of the standard library's containers cereal says that it serialises them, whatever is in them; what it thinks of that it says
// where the call does not compile any more.
template <typename T>
inline constexpr bool kPartsTravel = true;
template <typename T>
concept PartTravels = !std::is_pointer_v<T> && cereal::traits::is_output_serializable<T, WireOutput>::value &&
                      cereal::traits::is_input_serializable<T, WireInput>::value && kPartsTravel<T>;
template <typename... Ts>
inline constexpr bool kAllTravel = (PartTravels<std::remove_const_t<Ts>> && ...);
template <typename T, typename A>
inline constexpr bool kPartsTravel<std::vector<T, A>> = kAllTravel<T>;
template <typename T, typename A>
inline constexpr bool kPartsTravel<std::deque<T, A>> = kAllTravel<T>;
template <typename T, typename A>
inline constexpr bool kPartsTravel<std::list<T, A>> = kAllTravel<T>;
template <typename T, std::size_t kSize>
inline constexpr bool kPartsTravel<std::array<T, kSize>> = kAllTravel<T>;
template <typename T, typename C, typename A>
inline constexpr bool kPartsTravel<std::set<T, C, A>> = kAllTravel<T>;
template <typename T, typename C, typename A>
inline constexpr bool kPartsTravel<std::multiset<T, C, A>> = kAllTravel<T>;
template <typename K, typename V, typename C, typename A>
inline constexpr bool kPartsTravel<std::map<K, V, C, A>> = kAllTravel<K, V>;
template <typename K, typename V, typename C, typename A>
inline constexpr bool kPartsTravel<std::multimap<K, V, C, A>> = kAllTravel<K, V>;
template <typename T, typename H, typename E, typename A>
inline constexpr bool kPartsTravel<std::unordered_set<T, H, E, A>> = kAllTravel<T>;
template <typename T, typename H, typename E, typename A>
inline constexpr bool kPartsTravel<std::unordered_multiset<T, H, E, A>> = kAllTravel<T>;
template <typename K, typename V, typename H, typename E, typename A>
inline constexpr bool kPartsTravel<std::unordered_map<K, V, H, E, A>> = kAllTravel<K, V>;
template <typename K, typename V, typename H, typename E, typename A>
inline constexpr bool kPartsTravel<std::unordered_multimap<K, V, H, E, A>> = kAllTravel<K, V>;
template <typename T>
inline constexpr bool kPartsTravel<std::optional<T>> = kAllTravel<T>;
template <typename A, typename B>
inline constexpr bool kPartsTravel<std::pair<A, B>> = kAllTravel<A, B>;
template <typename... Ts>
inline constexpr bool kPartsTravel<std::tuple<Ts...>> = kAllTravel<Ts...>;
template <typename... Ts>
inline constexpr bool kPartsTravel<std::variant<Ts...>> = kAllTravel<Ts...>;

template <typename T>
concept SerialisedByCereal = std::is_class_v<T> && std::is_default_constructible_v<T> && PartTravels<T>;

// Bools, enums of bools, and arrays of such.
template <typename T>
inline constexpr bool kMadeOfBools = std::is_same_v<T, bool>;
template <typename T>
  requires std::is_enum_v<T>
inline constexpr bool kMadeOfBools<T> = std::is_same_v<std::underlying_type_t<T>, bool>;
template <typename T, std::size_t kSize>
inline constexpr bool kMadeOfBools<std::array<T, kSize>> = kMadeOfBools<T>;

// A function, named rather than copied.
template <typename T>
concept NamedFunction = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

// A callable without state: its type says all.
template <typename T>
concept Stateless = std::is_class_v<T> && std::is_empty_v<T> && std::is_default_constructible_v<T>;

template <typename T>
concept ValueTravels = CopiedBitwise<T> || SerialisedByCereal<T>;
template <typename T>
concept ResultTravels = std::is_void_v<T> || ValueTravels<T>;
template <typename T>
concept CallableTravels = NamedFunction<T> || Stateless<T> || SerialisedByCereal<T>;

template <typename T>
void write_value(WireOutput& archive, const T& value) {
  if constexpr (NamedFunction<T>) {
    const ModuleAddress name = name_of(reinterpret_cast<const void*>(value));
    archive.write(&name, sizeof(name));
  } else if constexpr (CopiedBitwise<T>) {
    archive.write(&value, sizeof(value));
  } else if constexpr (!Stateless<T>) {
    archive(value);
  }
}

template <typename T>
T read_value(WireInput& archive) {
  if constexpr (NamedFunction<T>) {
    ModuleAddress name;
    archive.read(&name, sizeof(name));
    return reinterpret_cast<T>(const_cast<void*>(address_of(name)));
  } else if constexpr (CopiedBitwise<T>) {
    std::array<std::byte, sizeof(T)> bytes;
    archive.read(bytes.data(), bytes.size());
    if constexpr (kMadeOfBools<T>) make_bools(bytes.data(), bytes.size());
    return std::bit_cast<T>(bytes);
  } else {
    T value{};
    if constexpr (!Stateless<T>) archive(value);
    return value;
  }
}

// How a call travels: see call_vtable.h.
template <typename R, typename Fn, typename... Args>
  requires(ResultTravels<R> && CallableTravels<Fn> && (ValueTravels<Args> && ...))
struct CallEncoding<R, Fn, Args...> {
  template <typename Call>
  static const CallVtable* call_vtable() noexcept {
    static constexpr CallVtable kWire = {&run, &encode<Call>, &store_result, &decode_early};
    return &kWire;
  }

  // Of a call that is encoded by encode_parts as it is submitted.
  static const CallVtable* encoded_call() noexcept {
    static constexpr CallVtable kWire = {&run, nullptr, &store_result, &decode_early};
    return &kWire;
  }

  static std::size_t run(std::string_view encoded_call, EncodeSink& room) {
    WireInput input(encoded_call, &room);
    // Braces, not parentheses: they fix the order of reading.
    std::tuple<Fn, Args...> parts{read_value<Fn>(input), read_value<Args>(input)...};
    input.check_end();
    const auto call = [](Fn& fn, Args&... args) -> R { return std::invoke(std::move(fn), std::move(args)...); };
    if constexpr (std::is_void_v<R>) {
      std::apply(call, parts);
      return 0;
    } else {
      const R value = std::apply(call, parts);
      return encode_into(room, [&value](WireOutput& output) { write_value(output, value); });
    }
  }

  // From where they are given; what is stored by a call is one of Fn and Args, and so is what it is stored from.
  static std::size_t encode_parts(EncodeSink& room, const Fn& fn, const Args&... args) {
    return encode_into(room, [&](WireOutput& output) {
      write_value(output, fn);
      (write_value(output, args), ...);
    });
  }

  template <typename Call>
  static std::size_t encode(FutureState& call, EncodeSink& room) {
    return std::apply([&room](const Fn& fn, const Args&... args) { return encode_parts(room, fn, args...); },
                      static_cast<Call&>(call).parts());
  }

  static void store_result(FutureState& call, std::string_view encoded_value, WireBuffers& buffers) {
    if constexpr (std::is_void_v<R>) {
      WireInput(encoded_value, &buffers).check_end();
      static_cast<ResultState<R>&>(call).emplace_from([] { return std::monostate(); });
    } else {
      Decoded(encoded_value, buffers, nullptr).store(call);
    }
  }

  static std::unique_ptr<EarlyValue> decode_early(std::string_view encoded_value, WireBuffers& buffers, Arrival& arrival) {
    if constexpr (std::is_void_v<R>) {
      return nullptr;
    } else {
      return std::make_unique<Decoded>(encoded_value, buffers, &arrival);
    }
  }

 private:
  // The value once it is decoded, whether or not all of it was there.
  class Decoded final : public EarlyValue {
   public:
    Decoded(std::string_view encoded, WireBuffers& buffers, Arrival* arrival)
        : Decoded(WireInput(encoded, &buffers, arrival)) {}
    void store(FutureState& call) override {
      static_cast<ResultState<R>&>(call).emplace_from([this]() -> R { return std::move(value_); });
    }

   private:
    explicit Decoded(WireInput&& input) : value_(read_value<R>(input)) { input.check_end(); }
    R value_;
  };
};

}  // namespace internal

// Makes exceptions of type E arrive as E (law P4) rather than as RemoteError. E derives from std::exception and travels,
// or is made from its message. Name one per type at namespace scope, where program and workers both run it:
//   const futures::ExceptionRegistration<ParseError> parse_error_travels;
template <typename E>
class ExceptionRegistration {
 public:
  ExceptionRegistration() {
    static_assert(std::is_base_of_v<std::exception, E>, "ExceptionRegistration: the type must derive from std::exception");
    static_assert(internal::ValueTravels<E> || std::is_constructible_v<E, std::string>,
                  "ExceptionRegistration: give the type a `serialize`, or a constructor from its message");
    internal::register_exception_wire({&typeid(E), &encode, &decode});
  }

 private:
  static void encode(const std::exception& exception, std::string& encoded) {
    if constexpr (internal::ValueTravels<E>) {
      internal::append_encoded(encoded, [&exception](internal::WireOutput& output) {
        internal::write_value(output, static_cast<const E&>(exception));
      });
    } else {
      if (const char* const what = exception.what()) encoded += what;
    }
  }
  static std::exception_ptr decode(std::string_view encoded) {
    if constexpr (internal::ValueTravels<E>) {
      internal::WireInput input(encoded);
      return std::make_exception_ptr(internal::read_value<E>(input));
    } else {
      return std::make_exception_ptr(E(std::string(encoded)));
    }
  }
};

}  // namespace futures

CEREAL_SETUP_ARCHIVE_TRAITS(futures::internal::WireInput, futures::internal::WireOutput)

#include "futures/encoding/chunk_encoding.h"  // Last: it is made of what stands above.

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_
