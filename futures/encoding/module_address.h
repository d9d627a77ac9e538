// Names a function so that another process that runs the same modules finds it, wherever they are loaded there.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_

#include <cstdint>

namespace futures::internal {

// The module (the program or a shared library), by its build id, or by its ELF headers if it has none, and the distance
// of the function from where the module is loaded.
struct ModuleAddress {
  std::uint64_t module = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const ModuleAddress&, const ModuleAddress&) = default;
};

// The name of the function at `code`. Throws SerializationError if no loaded module holds it. Any thread.
ModuleAddress name_of(const void* code);

// The function's address in this process. Throws SerializationError if the module is not loaded here or has no code
// there. Any thread.
const void* address_of(const ModuleAddress& name);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_
