// ModuleAddress: the name of a function that another process with the same modules finds, wherever they are loaded
// there.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_

#include <cstdint>

namespace futures::internal {

// A module is the program or a shared library. It is named by its build id, or by its ELF headers if it has none. The
// offset is the distance of the function from where the module is loaded.
struct ModuleAddress {
  std::uint64_t module = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const ModuleAddress&, const ModuleAddress&) = default;
};

// Returns the name of the function at `code`. Throws SerializationError if no loaded module holds it. Any thread.
ModuleAddress name_of(const void* code);

// Returns the address of the function in this process. Throws SerializationError if the module is not loaded here, or
// has no code at that offset. Any thread.
const void* address_of(const ModuleAddress& name);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_MODULE_ADDRESS_H_
