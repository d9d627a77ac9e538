// How an exception travels from a worker process to the program. Law P4.
#ifndef CONCURRENT_FUTURES_FUTURES_ENCODING_EXCEPTION_WIRE_H_
#define CONCURRENT_FUTURES_FUTURES_ENCODING_EXCEPTION_WIRE_H_

#include <exception>
#include <string>
#include <string_view>
#include <typeinfo>

namespace futures::internal {

// How one exception type is encoded and rebuilt. `encode` is given an object of exactly that type.
struct ExceptionWire {
  const std::type_info* type;
  void (*encode)(const std::exception& exception, std::string& encoded);
  std::exception_ptr (*decode)(std::string_view encoded);
};

// Makes a type known in this process. Has no effect for a type that is known already. Any thread.
void register_exception_wire(const ExceptionWire& wire);

// Appends the encoding of the exception that is being handled. Call it inside a catch block only, and not for a forced
// unwind. Throws nothing of its own but std::bad_alloc.
void encode_current_exception(std::string& encoded);

// Returns what encode_current_exception appends for a std::bad_alloc. To be called in advance, because there may be no
// memory for it once a std::bad_alloc has been thrown.
std::string encoded_bad_alloc();

// Rebuilds the exception. Returns a RemoteError if its type is not known here, or if its bytes make no sense. Reads
// only within `encoded`, whatever it holds.
std::exception_ptr decode_exception(std::string_view encoded, int worker_pid);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_FUTURES_ENCODING_EXCEPTION_WIRE_H_
