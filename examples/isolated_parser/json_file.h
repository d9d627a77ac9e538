// What runs in the workers: one file through RapidJSON's recursive reader. It is fast, and it is not safe with hostile
// input: nothing bounds how deep it recurses, how long it takes or how much it keeps. The processes around it do.
#ifndef CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_JSON_FILE_H_
#define CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_JSON_FILE_H_

#include <cstdint>
#include <string>

#include "optimized/process_pool_executor.h"

struct Counts {
  std::uint64_t values = 0;  // Of every kind: also true, false and null. A member's name is not a value.
  std::uint64_t objects = 0;
  std::uint64_t arrays = 0;
  std::uint64_t strings = 0;
  std::uint64_t numbers = 0;
  std::uint64_t depth = 0;  // The most objects and arrays that are open at once.
  std::uint64_t bytes = 0;  // Of the file.
};

struct ParsedFile {
  Counts counts;                    // Of the whole file if `error` is 0.
  std::int32_t error = 0;           // What parse_error_text takes.
  std::uint64_t error_offset = 0;   // In bytes from the file's beginning.
};

// It holds numbers and no pointer, so its bytes can cross from the worker as they are.
template <>
inline constexpr bool futures::travels_bitwise<ParsedFile> = true;

// Parses the file of that name as one JSON value. Throws std::system_error if it cannot be read, std::bad_alloc if
// there is no memory for what the parser has to keep. Deeply nested input makes it overflow the stack.
ParsedFile parse_file(const std::string& path);

std::string parse_error_text(std::int32_t error);

#endif  // CONCURRENT_FUTURES_EXAMPLES_ISOLATED_PARSER_JSON_FILE_H_
