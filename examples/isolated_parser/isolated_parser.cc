// isolated_parser PATH...: parses many JSON files that nobody vouches for, each in a worker process, so that one that
// crashes, hangs or eats the memory costs itself alone: the others are parsed, and it is named with what happened.
//
// A folder stands for the regular files under it, in the order of their paths' bytes; symbolic links in it are not
// followed. Anything else is opened as it is, by a worker and so by its name: /dev/stdin is not the program's there.
// The report follows the order of the arguments, with a line for every input:
//
//   PATH: ok: values 7, objects 1, arrays 1, strings 2, numbers 3, depth 2, bytes 61
//   PATH: malformed at byte 17: Missing a comma or '}' after an object member.
//   PATH: unreadable: Permission denied
//   PATH: crashed by SIGSEGV
//   PATH: timed out
//   PATH: out of memory
//   PATH: not parsed: the reason, which is no fault of the input: there could be no more workers
//   files 6, ok 1, malformed 1, ...
//
// The exit status is 0 if every input is ok, and 1 if one is not; 2 if the report is not there or not whole: after a
// bad command line, or where no worker can be started or nothing can be written.
//
// This keeps a parser's accidents from the batch. It is no sandbox: a worker may do what the program may.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "concurrent_futures.h"
#include "examples/isolated_parser/json_file.h"
#include "examples/isolated_parser/report.h"
#include "optimized/process_pool_executor.h"

namespace {

namespace fs = std::filesystem;

// How many files are submitted ahead. With more, all workers stay busy for longer behind a slow file. Each costs
// memory.
constexpr int kFilesAhead = 4096;

// Paths and results are small. A larger value takes address space of each worker, and leaves the parser less.
constexpr std::size_t kPayloadBytesMax = 1 << 20;

// The address space that the pool itself needs in a worker, rounded up.
constexpr std::uint64_t kPoolBytes = 4 << 20;

constexpr std::string_view kUsage =
    "usage: isolated_parser [--workers=N] [--timeout=SECONDS] [--memory-mb=N] [--format=text|json] [--] PATH...\n"
    "Parses JSON files, and those under folders, each in a process that it can crash without harm.\n"
    "  --workers=N        so many files at once, 1 to 1000 (default: as many as there are CPUs)\n"
    "  --timeout=SECONDS  how long one file may take; 0: for ever (default: 10)\n"
    "  --memory-mb=N      how much memory one file may take; 0: any (default: 1024)\n"
    "  --format=json      a JSON object on each line, for programs (default: text)\n";

// A mistake in the command line.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Options {
  std::optional<int> workers;
  double timeout_seconds = 10;
  std::uint64_t memory_mb = 1024;
  Format format = Format::kText;
  bool help = false;
  std::vector<std::string> starts;
};

template <typename Number>
Number number_in(const std::string& argument, Number least, Number most, const std::string& kind) {
  const std::size_t begin = argument.find('=') + 1;
  const char* const end = argument.data() + argument.size();
  Number number{};
  const auto [parsed_to, error] = std::from_chars(argument.data() + begin, end, number);
  if (error != std::errc() || parsed_to != end || !(number >= least && number <= most)) {
    throw UsageError(argument.substr(0, begin - 1) + " takes " + kind + ", not '" + argument.substr(begin) + "'");
  }
  return number;
}

Options options_in(const std::vector<std::string>& arguments) {
  Options options;
  bool options_ended = false;
  for (const std::string& argument : arguments) {
    if (options_ended || !argument.starts_with('-') || argument == "-") {
      options.starts.push_back(argument);
    } else if (argument == "--") {
      options_ended = true;
    } else if (argument.starts_with("--workers=")) {
      options.workers = number_in<int>(argument, 1, 1000, "a whole number from 1 to 1000");
    } else if (argument.starts_with("--timeout=")) {
      options.timeout_seconds = number_in<double>(argument, 0, 1e6, "seconds from 0 to 1000000");
    } else if (argument.starts_with("--memory-mb=")) {
      options.memory_mb = number_in<std::uint64_t>(argument, 0, 1'000'000'000, "a whole number from 0 to 1000000000");
    } else if (argument == "--format=text" || argument == "--format=json") {
      options.format = argument == "--format=text" ? Format::kText : Format::kJson;
    } else if (argument == "--help") {
      options.help = true;
    } else {
      throw UsageError("unknown option " + argument);
    }
  }
  if (options.starts.empty() && !options.help) throw UsageError("which files?");
  return options;
}

struct Input {
  std::string path;
  std::error_code listing_error;  // Why the folder could not be listed.
};

// Adds the regular files under a folder. At most one folder is open at a time, however deep the tree is.
void list_folder(const std::string& start, std::vector<Input>& inputs) {
  const std::size_t first = inputs.size();
  std::vector<fs::path> folders = {start};
  while (!folders.empty()) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    std::error_code folder_error;
    for (fs::directory_iterator entry(folder, folder_error); entry != fs::directory_iterator();
         entry.increment(folder_error)) {
      std::error_code error;
      const fs::file_type type = entry->symlink_status(error).type();
      if (error) {
        inputs.push_back({entry->path().native(), error});
      } else if (type == fs::file_type::directory) {
        folders.push_back(entry->path());
      } else if (type == fs::file_type::regular) {
        inputs.push_back({entry->path().native(), {}});
      }
    }
    if (folder_error) inputs.push_back({folder.native(), folder_error});
  }
  std::sort(inputs.begin() + static_cast<std::ptrdiff_t>(first), inputs.end(),
            [](const Input& a, const Input& b) { return a.path < b.path; });
}

std::vector<Input> list_inputs(const std::vector<std::string>& starts) {
  std::vector<Input> inputs;
  for (const std::string& start : starts) {
    struct stat status;
    if (stat(start.c_str(), &status) != 0) {
      inputs.push_back({start, std::error_code(errno, std::generic_category())});
    } else if (S_ISDIR(status.st_mode)) {
      list_folder(start, inputs);
    } else {
      inputs.push_back({start, {}});
    }
  }
  return inputs;
}

// The memory that the program has mapped: its image and, under a sanitizer, shadow memory. A worker begins with the
// same.
std::uint64_t address_space_bytes() {
  std::uint64_t pages = 0;
  if (!(std::ifstream("/proc/self/statm") >> pages)) throw std::runtime_error("cannot read /proc/self/statm");
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Runs first in each worker. A crash is expected here, so it leaves no core file.
void leave_no_core() {
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

futures::ProcessPoolOptions pool_options(const Options& options) {
  futures::ProcessPoolOptions pool;
  pool.max_workers = options.workers;
  pool.isolation = futures::Isolation::kPerWorker;  // A worker that reads hostile input shares memory with no other.
  pool.initializer = leave_no_core;
  pool.payload_bytes_max = kPayloadBytesMax;
  if (options.timeout_seconds > 0) {
    pool.call_timeout =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.timeout_seconds));
  }
  if (options.memory_mb > 0) {
    pool.worker_address_space_bytes_max =
        address_space_bytes() + kPayloadBytesMax + kPoolBytes + (options.memory_mb << 20);
  }
  return pool;
}

Result result_of(const futures::Settled<ParsedFile>& settled) {
  try {
    const ParsedFile& file = settled.value();
    if (file.error == 0) return {.kind = Kind::kOk, .counts = file.counts};
    return {.kind = Kind::kMalformed, .offset = file.error_offset, .message = parse_error_text(file.error)};
  } catch (const std::system_error& e) {
    return {.kind = Kind::kUnreadable, .message = e.code().message()};
  } catch (const std::bad_alloc&) {
    return {.kind = Kind::kOutOfMemory};
  } catch (const futures::CallTimeoutError&) {
    return {.kind = Kind::kTimedOut};
  } catch (const futures::WorkerDiedError& e) {
    return {.kind = Kind::kCrashed, .signal = e.signal(), .exit_code = e.exit_code()};
  } catch (const std::exception& e) {
    return {.kind = Kind::kNotParsed, .message = e.what()};
  }
}

void parse_all(const std::vector<Input>& inputs, const Options& options, Report& report) {
  std::vector<std::string> paths;
  for (const Input& input : inputs) {
    if (!input.listing_error) paths.push_back(input.path);
  }
  futures::ProcessPoolExecutor executor(pool_options(options));
  auto results = executor.map_settled(parse_file, paths, {.buffersize = kFilesAhead});
  auto next = results.begin();
  std::string broken;  // Why the pool takes no more files.
  for (const Input& input : inputs) {
    Result result = {.kind = Kind::kUnreadable, .message = input.listing_error.message()};
    if (!input.listing_error && broken.empty()) {
      try {
        result = result_of(*next);
        ++next;
      } catch (const futures::BrokenExecutor& e) {
        broken = e.what();
      }
    }
    if (!input.listing_error && !broken.empty()) result = {.kind = Kind::kNotParsed, .message = broken};
    report.add(input.path, result);
  }
}

}  // namespace

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  try {
    const Options options = options_in({argv + 1, argv + argc});
    if (options.help) {
      std::cout << kUsage;
      return 0;
    }
    Report report(options.format, std::cout);
    parse_all(list_inputs(options.starts), options, report);
    report.add_summary();
    if (!std::cout.flush()) throw std::runtime_error("cannot write the report");
    return report.is_all_ok() ? 0 : 1;
  } catch (const UsageError& e) {
    std::cerr << "isolated_parser: " << e.what() << "\n" << kUsage;
  } catch (const std::exception& e) {
    std::cerr << "isolated_parser: " << e.what() << "\n";
  }
  return 2;
}
