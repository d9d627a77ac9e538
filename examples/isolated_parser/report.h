// What the program prints: a line for each input, and a summary.
#ifndef CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_REPORT_H_
#define CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_REPORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "examples/isolated_parser/json_file.h"

enum class Kind : std::uint8_t { kOk, kMalformed, kUnreadable, kCrashed, kTimedOut, kOutOfMemory, kNotParsed };
inline constexpr std::size_t kKinds = 7;

// The outcome of one input. The kind says which members are used.
struct Result {
  Kind kind;
  Counts counts = {};              // kOk.
  std::uint64_t offset = 0;        // kMalformed: where, in bytes.
  std::string message = {};        // kMalformed, kUnreadable, kNotParsed: why.
  int signal = -1;                 // kCrashed: as WorkerDiedError has it.
  int exit_code = -1;
};

enum class Format { kText, kJson };

class Report {
 public:
  Report(Format format, std::ostream& out) : format_(format), out_(out) {}

  void add(const std::string& path, const Result& result);
  void add_summary();
  bool is_all_ok() const { return files_ == of_kind_[static_cast<std::size_t>(Kind::kOk)]; }

 private:
  void add_text(const std::string& path, const Result& result);
  void add_json(const std::string& path, const Result& result);

  const Format format_;
  std::ostream& out_;
  std::uint64_t files_ = 0;
  std::array<std::uint64_t, kKinds> of_kind_{};
};

#endif  // CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_REPORT_H_
