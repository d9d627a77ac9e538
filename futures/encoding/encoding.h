// Which calls can travel to another process, and how. Included by process_pool_executor.h. Include it yourself where
// generic code submits through `Executor&` and may be given an executor of processes.
//
// A call travels if its parts do (law P2). The callable is one of:
//   - a function;
//   - a lambda without captures, or an empty function object;
//   - a function object that can be serialised.
// Each argument, and the result, is one of:
//   - an arithmetic type or an enum, or a std::array of such;
//   - a type for which travels_bitwise is specialised;
//   - a Buffer, which need not be copied (buffer.h);
//   - what cereal can serialise: strings, containers, tuples, optionals and variants of all these, and types with a
//     `serialize` member or function in cereal's manner that are default-constructible. Parts of pairs and tuples may
//     be const, as those of a std::map's items are, but not where these are elements of a container.
// Pointers, references, views and lambdas with captures never travel. Only exception types that are to arrive as
// themselves are registered (ExceptionRegistration).
//
//   struct Point { double x, y; };
//   template <>
//   inline constexpr bool futures::travels_bitwise<Point> = true;  // See travels.h.
//
//   struct Page {
//     std::string text;
//     template <typename Archive>
//     void serialize(Archive& archive) { archive(text); }
//   };
//
// The rest is in travels.h (what travels), archive.h and cereal_hooks.h (values as bytes), call_encoding.h (a call) and
// chunk_encoding.h (several inputs of a map in one call).
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#include "futures/encoding/archive.h"
#include "futures/encoding/call_encoding.h"
#include "futures/encoding/chunk_encoding.h"
#include "futures/encoding/exception_wire.h"
#include "futures/encoding/travels.h"

namespace futures {

// Makes exceptions of type E arrive as E (law P4) rather than as RemoteError. E derives from std::exception and
// travels, or is made from its message. Name one per type at namespace scope, where program and workers both run it:
//   const futures::ExceptionRegistration<ParseError> parse_error_travels;
template <typename E>
class ExceptionRegistration {
 public:
  ExceptionRegistration() {
    static_assert(std::is_base_of_v<std::exception, E>,
                  "ExceptionRegistration: the type must derive from std::exception");
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

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_ENCODING_H_
