#include "futures/encoding/exception_wire.h"

#include <any>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <format>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <variant>

#include <cxxabi.h>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "futures/errors.h"
#include "futures/internal/current_exception.h"
#include "futures/internal/sync.h"

namespace futures::internal {
namespace {

// An exception that carries its message and nothing else.
template <typename E>
ExceptionWire message_wire() {
  return {&typeid(E), [](const std::exception& e, std::string& encoded) { encoded += e.what(); },
          [](std::string_view encoded) { return std::make_exception_ptr(E(std::string(encoded))); }};
}

// An exception that carries nothing.
template <typename E>
ExceptionWire bare_wire() {
  return {&typeid(E), [](const std::exception&, std::string&) {},
          [](std::string_view) { return std::make_exception_ptr(E()); }};
}

// Appends a field with its length in front.
void append_field(std::string& encoded, std::string_view field) {
  const std::uint32_t bytes = static_cast<std::uint32_t>(field.size());
  encoded.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
  encoded += field;
}

// Removes one field from the front and returns it. Returns nothing if the bytes do not hold one.
std::optional<std::string_view> take_field(std::string_view& encoded) {
  std::uint32_t bytes = 0;
  if (encoded.size() < sizeof(bytes)) return std::nullopt;
  std::memcpy(&bytes, encoded.data(), sizeof(bytes));
  if (encoded.size() - sizeof(bytes) < bytes) return std::nullopt;
  const std::string_view field = encoded.substr(sizeof(bytes), bytes);
  encoded.remove_prefix(sizeof(bytes) + bytes);
  return field;
}

// A value without its length, and the value that such bytes are.
template <typename T>
void append_value(std::string& encoded, const T& value) {
  encoded.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
template <typename T>
std::optional<T> value_of(std::string_view encoded) {
  T value;
  if (encoded.size() != sizeof(value)) return std::nullopt;
  std::memcpy(&value, encoded.data(), sizeof(value));
  return value;
}

// The categories of error codes that every process has, by a letter each.
const std::error_category* category_of(char letter) {
  switch (letter) {
    case 's':
      return &std::system_category();
    case 'g':
      return &std::generic_category();
    case 'i':
      return &std::iostream_category();
    default:
      return nullptr;
  }
}
char letter_of(const std::error_category& category) {
  for (const char letter : {'s', 'g', 'i'}) {
    if (*category_of(letter) == category) return letter;
  }
  return '?';
}

// Appends what a std::system_error carries: its code, and the message that it was made with. what() shows that
// message in front of the code's own text. It also tells no message from an empty one, so that is encoded, too.
void append_code(std::string& encoded, const std::system_error& error) {
  const std::int32_t value = error.code().value();
  encoded += letter_of(error.code().category());
  append_value(encoded, value);
  std::string text = error.std::runtime_error::what();
  const std::string tail = ": " + error.code().message();
  const bool has_text = text.ends_with(tail);
  if (has_text) text.resize(text.size() - tail.size());
  encoded += has_text ? 't' : '-';
  append_field(encoded, has_text ? text : "");
}

struct CodeAndText {
  std::error_code code;
  std::optional<std::string> text;
};
std::optional<CodeAndText> take_code(std::string_view& encoded) {
  constexpr std::size_t kHead = 2 + sizeof(std::int32_t);
  if (encoded.size() < kHead || category_of(encoded[0]) == nullptr) return std::nullopt;
  const std::int32_t value = *value_of<std::int32_t>(encoded.substr(1, sizeof(std::int32_t)));
  const std::error_code code(value, *category_of(encoded[0]));
  const bool has_text = encoded[kHead - 1] == 't';
  encoded.remove_prefix(kHead);
  const std::optional<std::string_view> text = take_field(encoded);
  if (!text) return std::nullopt;
  return CodeAndText{.code = code, .text = has_text ? std::optional<std::string>(*text) : std::nullopt};
}

ExceptionWire system_error_wire() {
  return {&typeid(std::system_error),
          [](const std::exception& e, std::string& encoded) {
            append_code(encoded, static_cast<const std::system_error&>(e));
          },
          [](std::string_view encoded) -> std::exception_ptr {
            const std::optional<CodeAndText> error = take_code(encoded);
            if (!error) return nullptr;
            return std::make_exception_ptr(error->text ? std::system_error(error->code, *error->text)
                                                       : std::system_error(error->code));
          }};
}

// A stream throws a type that is derived from std::ios_base::failure and that the library does not name.
const std::type_info& type_of_stream_failures() {
  std::ostringstream stream;
  stream.exceptions(std::ios_base::failbit);
  try {
    stream.setstate(std::ios_base::failbit);
  } catch (const std::exception& e) {
    return typeid(e);
  }
  return typeid(std::ios_base::failure);
}

ExceptionWire stream_failure_wire(const std::type_info& type) {
  return {&type,
          [](const std::exception& e, std::string& encoded) {
            append_code(encoded, static_cast<const std::ios_base::failure&>(e));
          },
          [](std::string_view encoded) -> std::exception_ptr {
            const std::optional<CodeAndText> error = take_code(encoded);
            if (!error) return nullptr;
            return std::make_exception_ptr(std::ios_base::failure(error->text.value_or(""), error->code));
          }};
}

ExceptionWire filesystem_error_wire() {
  using std::filesystem::filesystem_error;
  return {&typeid(filesystem_error),
          [](const std::exception& e, std::string& encoded) {
            const auto& error = static_cast<const filesystem_error&>(e);
            append_code(encoded, error);
            append_field(encoded, error.path1().native());
            append_field(encoded, error.path2().native());
          },
          [](std::string_view encoded) -> std::exception_ptr {
            const std::optional<CodeAndText> error = take_code(encoded);
            const std::optional<std::string_view> first = take_field(encoded);
            const std::optional<std::string_view> second = take_field(encoded);
            if (!error || !first || !second) return nullptr;
            const std::string text = error->text.value_or("");
            if (!second->empty()) return std::make_exception_ptr(filesystem_error(text, *first, *second, error->code));
            if (!first->empty()) return std::make_exception_ptr(filesystem_error(text, *first, error->code));
            return std::make_exception_ptr(filesystem_error(text, error->code));
          }};
}

ExceptionWire future_error_wire() {
  return {&typeid(std::future_error),
          [](const std::exception& e, std::string& encoded) {
            append_value(encoded, static_cast<std::int32_t>(static_cast<const std::future_error&>(e).code().value()));
          },
          [](std::string_view encoded) -> std::exception_ptr {
            const std::optional<std::int32_t> code = value_of<std::int32_t>(encoded);
            return code ? std::make_exception_ptr(std::future_error(static_cast<std::future_errc>(*code))) : nullptr;
          }};
}

class KnownExceptions {
 public:
  static KnownExceptions& instance() {
    static absl::NoDestructor<KnownExceptions> known;
    return *known;
  }

  KnownExceptions() {
    for (const ExceptionWire& wire : {message_wire<std::logic_error>(),
                                      message_wire<std::invalid_argument>(),
                                      message_wire<std::domain_error>(),
                                      message_wire<std::length_error>(),
                                      message_wire<std::out_of_range>(),
                                      message_wire<std::runtime_error>(),
                                      message_wire<std::range_error>(),
                                      message_wire<std::overflow_error>(),
                                      message_wire<std::underflow_error>(),
                                      message_wire<InvalidStateError>(),
                                      message_wire<DeadlockError>(),
                                      message_wire<BrokenExecutor>(),
                                      message_wire<SerializationError>(),
                                      message_wire<TimeoutError>(),
                                      bare_wire<CancelledError>(),
                                      bare_wire<ShutdownError>(),
                                      bare_wire<std::exception>(),
                                      bare_wire<std::bad_alloc>(),
                                      bare_wire<std::bad_array_new_length>(),
                                      bare_wire<std::bad_cast>(),
                                      bare_wire<std::bad_typeid>(),
                                      bare_wire<std::bad_any_cast>(),
                                      bare_wire<std::bad_function_call>(),
                                      bare_wire<std::bad_optional_access>(),
                                      bare_wire<std::bad_variant_access>(),
                                      bare_wire<std::bad_weak_ptr>(),
                                      bare_wire<std::bad_exception>(),
                                      message_wire<std::format_error>(),
                                      future_error_wire(),
                                      system_error_wire(),
                                      filesystem_error_wire(),
                                      stream_failure_wire(typeid(std::ios_base::failure)),
                                      stream_failure_wire(type_of_stream_failures())}) {
      add(wire);
    }
  }

  void add(const ExceptionWire& wire) {
    sync::mutex_lock lock(mutex_);
    by_name_.emplace(wire.type->name(), wire);
  }

  std::optional<ExceptionWire> find(const std::string& type_name) {
    sync::mutex_lock lock(mutex_);
    const auto found = by_name_.find(type_name);
    if (found == by_name_.end()) return std::nullopt;
    return found->second;
  }

 private:
  sync::mutex mutex_;
  std::unordered_map<std::string, ExceptionWire> by_name_ ABSL_GUARDED_BY(mutex_);  // By mangled name.
};

}  // namespace

void register_exception_wire(const ExceptionWire& wire) { KnownExceptions::instance().add(wire); }

// Appends four fields: the mangled name of the type, its readable name, what() or a description, and what the type's
// own ExceptionWire encodes. The readable name is made here, in the worker, because a mangled name that a hostile
// worker has made up could demangle to an endless text in the program.
void encode_current_exception(std::string& encoded) {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  std::string name = type == nullptr ? "" : type->name();
  const std::string readable_name = demangled(name.c_str());
  std::string own;
  try {
    throw;
  } catch (const std::exception& e) {
    try {
      if (const auto wire = KnownExceptions::instance().find(name)) wire->encode(e, own);
    } catch (abi::__forced_unwind&) {
      throw;
    } catch (...) {  // It arrives like one of an unknown type.
      name.clear();
      own.clear();
    }
  } catch (...) {  // It has no message.
  }
  append_field(encoded, name);
  append_field(encoded, readable_name);
  append_field(encoded, describe_current_exception());
  append_field(encoded, own);
}

std::string encoded_bad_alloc() {
  std::string encoded;
  append_field(encoded, typeid(std::bad_alloc).name());
  append_field(encoded, "std::bad_alloc");
  append_field(encoded, "std::bad_alloc");
  append_field(encoded, "");
  return encoded;
}

std::exception_ptr decode_exception(std::string_view encoded, int worker_pid) {
  const auto name = take_field(encoded);
  const auto readable_name = name ? take_field(encoded) : std::nullopt;
  const auto what = readable_name ? take_field(encoded) : std::nullopt;
  const auto own = what ? take_field(encoded) : std::nullopt;
  if (!own) return std::make_exception_ptr(RemoteError("unknown", "the worker sent no readable exception", worker_pid));
  try {
    if (const auto wire = KnownExceptions::instance().find(std::string(*name))) {
      if (std::exception_ptr rebuilt = wire->decode(*own)) return rebuilt;
    }
  } catch (...) {  // It could not be rebuilt, so it arrives like one of an unknown type.
  }
  return std::make_exception_ptr(RemoteError(std::string(*readable_name), std::string(*what), worker_pid));
}

}  // namespace futures::internal
