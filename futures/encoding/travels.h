// Which values, results and callables can travel to another process. A call is checked by these concepts when it is
// compiled. Part of futures/encoding/encoding.h.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_TRAVELS_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_TRAVELS_H_

#include <array>
#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "cereal/cereal.hpp"
#include "futures/encoding/archive.h"
#include "futures/encoding/cereal_hooks.h"

namespace futures {

// Whether an object of T means the same in another process of this program after its bytes were copied. Specialise it
// as true for a trivially copyable type of yours that holds no pointer. Do so where the type is complete, before it is
// submitted. An object that comes from a hostile worker may have any bytes (law P11).
//
//   template <>
//   inline constexpr bool futures::travels_bitwise<Point> = true;
template <typename T>
inline constexpr bool travels_bitwise = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <typename T, std::size_t kSize>
inline constexpr bool travels_bitwise<std::array<T, kSize>> = travels_bitwise<T>;

namespace internal {

template <typename T>
concept CopiedBitwise = travels_bitwise<T> && std::is_trivially_copyable_v<T>;

// A class that travels bitwise and has no other way to travel, as a part of another value.
template <typename T>
concept BitwisePart =
    CopiedBitwise<T> && std::is_class_v<T> && !cereal::traits::has_member_serialize<T, WireOutput>::value &&
    !cereal::traits::has_member_save<T, WireOutput>::value && !requires { std::tuple_size<T>::value; };
template <BitwisePart T>
void CEREAL_SAVE_FUNCTION_NAME(WireOutput& archive, const T& value) {
  archive.write(&value, sizeof(value));
}
template <BitwisePart T>
void CEREAL_LOAD_FUNCTION_NAME(WireInput& archive, T& value) {
  archive.read(&value, sizeof(value));
}

// Cereal's traits say of every container of the standard library that it can be serialised, whatever its elements are;
// that an element cannot shows only as an error deep inside cereal. So the elements are asked here.
template <typename T>
inline constexpr bool kPartsTravel = true;
// Parts are read into their places, so none can be const.
template <typename T>
concept PartTravels =
    !std::is_const_v<T> && !std::is_pointer_v<T> && cereal::traits::is_output_serializable<T, WireOutput>::value &&
    cereal::traits::is_input_serializable<T, WireInput>::value && kPartsTravel<T>;
template <typename... Ts>
inline constexpr bool kAllTravel = (PartTravels<Ts> && ...);
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

// A callable without state: its type says all there is to know.
template <typename T>
concept Stateless = std::is_class_v<T> && std::is_empty_v<T> && std::is_default_constructible_v<T>;

// What a T is read as before it becomes a T: pairs and tuples without the const of their parts, such as the keys of a
// std::map have. That of a tuple in a tuple counts, too; that of a pair in a container does not.
template <typename T>
struct ReadAs : std::type_identity<T> {};
template <typename T>
using read_as_t = typename ReadAs<T>::type;
template <typename T>
struct ReadAs<const T> : ReadAs<T> {};
template <typename A, typename B>
struct ReadAs<std::pair<A, B>> : std::type_identity<std::pair<read_as_t<A>, read_as_t<B>>> {};
template <typename... Ts>
struct ReadAs<std::tuple<Ts...>> : std::type_identity<std::tuple<read_as_t<Ts>...>> {};

template <typename T>
concept ValueTravels =
    CopiedBitwise<T> || (SerialisedByCereal<read_as_t<T>> && std::is_constructible_v<T, read_as_t<T>>);
template <typename T>
concept ResultTravels = std::is_void_v<T> || ValueTravels<T>;
template <typename T>
concept CallableTravels = NamedFunction<T> || Stateless<T> || SerialisedByCereal<T>;

}  // namespace internal
}  // namespace futures

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_TRAVELS_H_
