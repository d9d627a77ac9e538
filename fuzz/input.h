// Input: the bytes of a fuzz target's input, read from the front as numbers. When no bytes are left every number is 0.
#ifndef CONCURRENT_FUTURES_FUZZ_INPUT_H_
#define CONCURRENT_FUTURES_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace futures::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : Input({reinterpret_cast<const char*>(data), size}) {}
  explicit Input(std::string_view bytes) : left_(bytes) {}

  bool empty() const { return left_.empty(); }

  template <typename T>
  T number() {
    T value{};
    const std::string_view read = bytes(sizeof(T));
    if (!read.empty()) std::memcpy(&value, read.data(), read.size());
    return value;
  }
  // From 0 to `end` - 1.
  std::uint32_t below(std::uint32_t end) { return number<std::uint8_t>() % end; }

  std::string_view bytes(std::size_t count) {
    const std::string_view read = left_.substr(0, std::min(count, left_.size()));
    left_.remove_prefix(read.size());
    return read;
  }
  std::string_view rest() { return bytes(left_.size()); }

 private:
  std::string_view left_;
};

}  // namespace futures::fuzz

#endif  // CONCURRENT_FUTURES_FUZZ_INPUT_H_
