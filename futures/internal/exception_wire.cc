#include "futures/internal/exception_wire.h"

#include <any>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
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

// An exception that is all said by its message.
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

// std::system_error of the two categories that every process has: code, category, and the message given by its maker,
// which what() shows in front of the code's own text.
ExceptionWire system_error_wire() {
  return {&typeid(std::system_error),
          [](const std::exception& e, std::string& encoded) {
            const std::error_code code = static_cast<const std::system_error&>(e).code();
            const std::int32_t value = code.value();
            encoded += code.category() == std::system_category() ? 's' : code.category() == std::generic_category() ? 'g' : '?';
            encoded.append(reinterpret_cast<const char*>(&value), sizeof(value));
            std::string text = e.what();
            const std::string tail = ": " + code.message();
            if (text.ends_with(tail)) text.resize(text.size() - tail.size());
            if (text != code.message()) encoded += text;  // Else its maker gave none.
          },
          [](std::string_view encoded) -> std::exception_ptr {
            std::int32_t value = 0;
            if (encoded.size() < 1 + sizeof(value) || (encoded[0] != 's' && encoded[0] != 'g')) return nullptr;
            std::memcpy(&value, encoded.data() + 1, sizeof(value));
            const std::error_category& category = encoded[0] == 's' ? std::system_category() : std::generic_category();
            const std::string text(encoded.substr(1 + sizeof(value)));
            return std::make_exception_ptr(text.empty() ? std::system_error(value, category)
                                                        : std::system_error(value, category, text));
          }};
}

class KnownExceptions {
 public:
  static KnownExceptions& instance() {
    static absl::NoDestructor<KnownExceptions> known;
    return *known;
  }

  KnownExceptions() {
    for (const ExceptionWire& wire :
         {message_wire<std::logic_error>(), message_wire<std::invalid_argument>(), message_wire<std::domain_error>(),
          message_wire<std::length_error>(), message_wire<std::out_of_range>(), message_wire<std::runtime_error>(),
          message_wire<std::range_error>(), message_wire<std::overflow_error>(), message_wire<std::underflow_error>(),
          message_wire<InvalidStateError>(), message_wire<DeadlockError>(), message_wire<BrokenExecutor>(),
          message_wire<SerializationError>(), message_wire<TimeoutError>(), bare_wire<CancelledError>(),
          bare_wire<ShutdownError>(), bare_wire<std::exception>(), bare_wire<std::bad_alloc>(),
          bare_wire<std::bad_array_new_length>(), bare_wire<std::bad_cast>(), bare_wire<std::bad_typeid>(),
          bare_wire<std::bad_any_cast>(), bare_wire<std::bad_function_call>(), bare_wire<std::bad_optional_access>(),
          bare_wire<std::bad_variant_access>(), bare_wire<std::bad_weak_ptr>(), bare_wire<std::bad_exception>(),
          system_error_wire()}) {
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

void append_field(std::string& encoded, std::string_view field) {
  const std::uint32_t bytes = static_cast<std::uint32_t>(field.size());
  encoded.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
  encoded += field;
}

// Takes one field off the front. Nothing if the bytes do not hold it.
std::optional<std::string_view> take_field(std::string_view& encoded) {
  std::uint32_t bytes = 0;
  if (encoded.size() < sizeof(bytes)) return std::nullopt;
  std::memcpy(&bytes, encoded.data(), sizeof(bytes));
  if (encoded.size() - sizeof(bytes) < bytes) return std::nullopt;
  const std::string_view field = encoded.substr(sizeof(bytes), bytes);
  encoded.remove_prefix(sizeof(bytes) + bytes);
  return field;
}

}  // namespace

void register_exception_wire(const ExceptionWire& wire) { KnownExceptions::instance().add(wire); }

// Four fields: the type's mangled name, its readable one, what() or a description, and what the type's own wire makes of it.
// The readable one is made here: of a mangled name that is made up the runtime can make a text without end.
void encode_current_exception(std::string& encoded) {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  const std::string name = type == nullptr ? "" : type->name();
  std::string own;
  try {
    throw;
  } catch (const std::exception& e) {
    if (const auto wire = KnownExceptions::instance().find(name)) wire->encode(e, own);
  } catch (...) {  // It has no message.
  }
  append_field(encoded, name);
  append_field(encoded, demangled(name.c_str()));
  append_field(encoded, describe_current_exception());
  append_field(encoded, own);
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
  } catch (...) {  // It could not be rebuilt: it arrives as any unknown one does.
  }
  return std::make_exception_ptr(RemoteError(std::string(*readable_name), std::string(*what), worker_pid));
}

}  // namespace futures::internal
