#include "examples/isolated_parser/json_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <system_error>

#include "rapidjson/error/en.h"
#include "rapidjson/reader.h"

namespace {

// More saves system calls on large files and leaves less of the stack to the recursion.
constexpr std::size_t kChunkBytes = 64 * 1024;

// Beside rapidjson::ParseErrorCode, which knows NUL as the end of the input alone.
constexpr std::int32_t kNulByte = 1000;

// RapidJSON's own allocator does not check whether malloc failed.
struct ThrowingAllocator {
  void* Realloc(void* old, std::size_t, std::size_t bytes) {
    void* const grown = std::realloc(old, std::max<std::size_t>(bytes, 1));
    if (grown == nullptr) throw std::bad_alloc();
    return grown;
  }
  static void Free(void* old) { std::free(old); }
};

// A file as one of RapidJSON's input streams. One chunk of it is in memory at a time. At its end the stream has a NUL.
class FileStream {
 public:
  using Ch = char;

  explicit FileStream(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {
    if (file_ < 0) throw std::system_error(errno, std::generic_category());
    try {
      read_chunk();
    } catch (...) {
      close(file_);
      throw;
    }
  }
  ~FileStream() { close(file_); }
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  char Peek() const { return *next_; }
  // Does not move beyond the end, because RapidJSON takes all bytes of a UTF-8 character before it checks them.
  char Take() {
    const char taken = *next_;
    if (next_ != end_ && ++next_ == end_) read_chunk();
    return taken;
  }
  std::size_t Tell() const { return before_chunk_ + static_cast<std::size_t>(next_ - chunk_.data()); }
  bool is_at_nul_byte() const { return next_ != end_ && *next_ == '\0'; }

  // RapidJSON calls these only when it parses in place.
  char* PutBegin() { std::abort(); }
  void Put(char) { std::abort(); }
  void Flush() { std::abort(); }
  std::size_t PutEnd(char*) { std::abort(); }

 private:
  void read_chunk() {
    before_chunk_ = Tell();
    next_ = end_ = chunk_.data();
    ssize_t bytes = 0;
    do {
      bytes = read(file_, chunk_.data(), kChunkBytes);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0) throw std::system_error(errno, std::generic_category());
    end_ += bytes;
    *end_ = '\0';
  }

  const int file_;
  std::array<char, kChunkBytes + 1> chunk_;
  std::size_t before_chunk_ = 0;       // How many bytes of the file precede the chunk.
  const char* next_ = chunk_.data();   // Equals end_ at the end of the file only.
  char* end_ = chunk_.data();
};

// Counts RapidJSON's events. Each returns true, which means: go on.
class Counter {
 public:
  bool Null() { return add_value(); }
  bool Bool(bool) { return add_value(); }
  bool Int(int) { return add_number(); }
  bool Uint(unsigned) { return add_number(); }
  bool Int64(std::int64_t) { return add_number(); }
  bool Uint64(std::uint64_t) { return add_number(); }
  bool Double(double) { return add_number(); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return add_number(); }
  bool String(const char*, rapidjson::SizeType, bool) {
    ++counts_.strings;
    return add_value();
  }
  bool Key(const char*, rapidjson::SizeType, bool) { return true; }
  bool StartObject() {
    ++counts_.objects;
    return descend();
  }
  bool EndObject(rapidjson::SizeType) { return ascend(); }
  bool StartArray() {
    ++counts_.arrays;
    return descend();
  }
  bool EndArray(rapidjson::SizeType) { return ascend(); }

  const Counts& counts() const { return counts_; }

 private:
  bool add_value() {
    ++counts_.values;
    return true;
  }
  bool add_number() {
    ++counts_.numbers;
    return add_value();
  }
  bool descend() {
    counts_.depth = std::max(counts_.depth, ++open_);
    return add_value();
  }
  bool ascend() {
    --open_;
    return true;
  }

  Counts counts_;
  std::uint64_t open_ = 0;
};

}  // namespace

ParsedFile parse_file(const std::string& path) {
  FileStream file(path);
  Counter counter;
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, ThrowingAllocator> reader;
  const rapidjson::ParseResult result = reader.Parse<rapidjson::kParseValidateEncodingFlag>(file, counter);

  ParsedFile parsed{.counts = counter.counts()};
  parsed.counts.bytes = file.Tell();
  if (file.is_at_nul_byte()) {
    parsed.error = kNulByte;
    parsed.error_offset = file.Tell();
  } else if (result.IsError()) {
    parsed.error = result.Code();
    parsed.error_offset = result.Offset();
  }
  return parsed;
}

std::string parse_error_text(std::int32_t error) {
  if (error == kNulByte) return "A NUL byte.";
  return rapidjson::GetParseError_En(static_cast<rapidjson::ParseErrorCode>(error));
}
