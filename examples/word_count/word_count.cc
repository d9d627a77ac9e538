// word_count DIR...: the lines, words and bytes of every regular file under the directories, the files in parallel on a
// thread pool. What it prints equals, byte for byte,
//
//   find DIR... -type f -print0 | LC_ALL=C sort -z | LC_ALL=C wc --files0-from=-
//
// A file or directory that cannot be read is named on stderr, and the exit status is 1; a bad command line gives 2.
//
// The two rules of what a word is: up to coreutils 9.4, Debian 12's among them, a word needs a printable character, and
// so it does here. Since 9.5, wc lets every byte that is not white space be part of one: --words=any. The two differ
// where a word has no ASCII character at all.
#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "concurrent_futures.h"

namespace {

namespace fs = std::filesystem;

// A larger chunk saves system calls on large files, and takes more stack of every worker.
constexpr std::size_t kChunkBytes = 64 * 1024;

constexpr std::string_view kUsage =
    "usage: word_count [--words=any|printable] [--] DIR...\n"
    "Prints the lines, words and bytes of every regular file under the directories, as wc does.\n"
    "  --words=printable  a word holds a printable ASCII character, as up to coreutils 9.4 (default)\n"
    "  --words=any        a word is bytes that are not white space, as since coreutils 9.5\n";

// What a byte means for words: it begins one, it leaves the state as it is, or it ends one.
struct WordRule {
  std::array<std::uint8_t, 256> begins{};
  std::array<std::uint8_t, 256> continues{};
};

// The classes are those of the C locale, in which wc takes a no-break space, 0xA0, for white space since 9.5.
WordRule make_word_rule(bool printable_only) {
  WordRule rule;
  for (int byte = 0; byte < 256; ++byte) {
    const bool space = std::isspace(byte) != 0 || (!printable_only && byte == 0xA0);
    rule.begins[byte] = !space && (!printable_only || std::isprint(byte) != 0);
    rule.continues[byte] = !space;
  }
  return rule;
}

struct Counts {
  std::uint64_t lines = 0;
  std::uint64_t words = 0;
  std::uint64_t bytes = 0;
  std::error_code stopped_by;  // Why the file could not be read to its end.

  Counts& operator+=(const Counts& other) {
    lines += other.lines;
    words += other.words;
    bytes += other.bytes;
    return *this;
  }
};

// Runs on the pool. Throws std::system_error if the file cannot be opened: it comes out of the future.
Counts count_file(const std::string& name, const WordRule& rule) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) throw std::system_error(errno, std::generic_category());
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // The chunk is the buffer.

  Counts counts;
  std::array<unsigned char, kChunkBytes> chunk;
  std::uint8_t in_word = 0;
  while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    for (std::size_t i = 0; i < size; ++i) {
      const unsigned char byte = chunk[i];
      counts.lines += byte == '\n';
      const std::uint8_t now_in_word = rule.begins[byte] | (in_word & rule.continues[byte]);
      counts.words += now_in_word & (in_word ^ 1);
      in_word = now_in_word;
    }
    counts.bytes += size;
  }
  if (std::ferror(file.get())) counts.stopped_by = std::error_code(errno, std::generic_category());
  return counts;
}

// A name as wc shows it: as it is, but one with a newline quoted for the shell, so that it stays on one line.
std::string shown(const std::string& name) {
  if (name.find('\n') == std::string::npos) return name;
  static constexpr std::string_view kLetters = "abtnvfr";  // \a is 7, \r is 13.
  std::string text = "'";
  bool escaping = false;  // Inside $'...'.
  for (const char c : name) {
    const unsigned char byte = static_cast<unsigned char>(c);
    const bool escape = byte < 0x20 || byte >= 0x7F;
    if (escape && !escaping) text += "'$'";
    if (!escape && escaping && c != '\'') text += "''";
    escaping = escape;
    if (!escape) {
      text += c == '\'' ? "'\\''" : std::string(1, c);
    } else if (byte >= 7 && byte <= 13) {
      text += {'\\', kLetters[byte - 7]};
    } else {
      text += {'\\', static_cast<char>('0' + byte / 64), static_cast<char>('0' + byte / 8 % 8),
               static_cast<char>('0' + byte % 8)};
    }
  }
  return text + "'";
}

bool everything_read = true;  // Used by the main thread alone.

void complain(const std::string& name, const std::error_code& reason) {
  std::cerr << "word_count: " << shown(name) << ": " << reason.message() << "\n";
  everything_read = false;
}

// Adds the regular files in and under `folder`. Symbolic links are not followed.
void list_folder(const fs::path& folder, std::vector<std::string>& names) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->is_symlink(error)) continue;
    if (entry->is_directory(error)) {
      list_folder(entry->path(), names);
    } else if (entry->is_regular_file(error)) {
      names.push_back(entry->path().native());
    } else if (error) {
      complain(entry->path().native(), error);
    }
  }
  if (error) complain(folder.native(), error);
}

std::vector<std::string> list_files(const std::vector<std::string>& starts) {
  std::vector<std::string> names;
  for (const std::string& start : starts) {
    std::error_code error;
    const fs::file_type type = fs::symlink_status(start, error).type();
    if (error) {
      complain(start, error);
    } else if (type == fs::file_type::directory) {
      list_folder(start, names);
    } else if (type == fs::file_type::regular) {
      names.push_back(start);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

void print(const Counts& counts, const std::string& name) {
  std::cout << counts.lines << " " << counts.words << " " << counts.bytes << " " << shown(name) << "\n";
}

void count_files(const std::vector<std::string>& names, const WordRule& rule) {
  futures::ThreadPoolExecutor executor;
  std::vector<futures::Future<Counts>> results;
  results.reserve(names.size());
  for (const std::string& name : names) {
    results.push_back(executor.submit(count_file, std::cref(name), std::cref(rule)));
  }

  Counts total;
  for (std::size_t i = 0; i < names.size(); ++i) {
    try {
      const Counts counts = results[i].take();
      if (counts.stopped_by) complain(names[i], counts.stopped_by);
      print(counts, names[i]);
      total += counts;
    } catch (const std::system_error& e) {
      complain(names[i], e.code());
    }
  }
  if (names.size() > 1) print(total, "total");
}

int usage_error(const std::string& message) {
  std::cerr << "word_count: " << message << "\n" << kUsage;
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::vector<std::string> starts;
  bool printable_only = true;
  bool options_ended = false;
  for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
    if (options_ended || argument.empty() || argument[0] != '-' || argument == "-") {
      starts.push_back(argument);
    } else if (argument == "--") {
      options_ended = true;
    } else if (argument == "--help") {
      std::cout << kUsage;
      return 0;
    } else if (argument == "--words=any" || argument == "--words=printable") {
      printable_only = argument == "--words=printable";
    } else {
      return usage_error("unknown option " + argument);
    }
  }
  if (starts.empty()) return usage_error("which directories?");

  const WordRule rule = make_word_rule(printable_only);
  count_files(list_files(starts), rule);
  if (!std::cout.flush()) {
    std::cerr << "word_count: cannot write the counts\n";
    return 1;
  }
  return everything_read ? 0 : 1;
}
