// conformance: runs the checks of the laws, and traces, on executors, and prints laws × executors.
//
// Exit status: 0 if no law is violated, none that applies went unexercised, no executor is missing, and what is skipped
// is what docs/SPEC.md says; 1 otherwise; 2, with one line, for bad arguments or a trace file that cannot be read or is
// malformed.
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/log_severity.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "optimized/process_main.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/registry/registry.h"
#include "spec_tests/traces/trace.h"
#include "tools/conformance_report.h"
#include "tools/conformance_run.h"
#include "tools/spec_skips.h"

ABSL_FLAG(std::string, executors, "", "Names, separated by commas; default: all that are not broken on purpose.");
ABSL_FLAG(std::int32_t, traces, 200, "How many random traces to run on each executor.");
ABSL_FLAG(std::uint64_t, seed, 1, "Which random traces.");
ABSL_FLAG(std::string, laws, "", "Ids, separated by commas: only these.");
ABSL_FLAG(std::string, json, "", "Write the counts to this file as well.");
ABSL_FLAG(std::string, trace, "", "Replay the trace in this file, and nothing else.");
ABSL_FLAG(bool, list, false, "List the executors and exit.");

namespace futures::conformance {
namespace {

constexpr int kExitViolated = 1;
constexpr int kExitBadUse = 2;

[[noreturn]] void refuse(const std::string& reason) {
  std::cerr << "conformance: " << reason << std::endl;
  std::_Exit(kExitBadUse);
}

// The flags library ends the program with status 1 on a bad flag, which here means a violation.
bool exit_means_bad_use = false;

void parse_flags(int argc, char** argv) {
  absl::SetProgramUsageMessage("runs the laws and random traces on executors");
  exit_means_bad_use = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (absl::StartsWith(argument, "--help") || absl::StartsWith(argument, "-help")) exit_means_bad_use = false;
  }
  std::atexit([] {
    if (exit_means_bad_use) std::_Exit(kExitBadUse);
  });
  const std::vector<char*> positional = absl::ParseCommandLine(argc, argv);
  exit_means_bad_use = false;
  if (positional.size() > 1) refuse(absl::StrCat("unexpected argument '", positional[1], "'"));
}

// Paths are the caller's: Bazel runs the program in another folder and says where the caller is.
std::filesystem::path resolve(const std::string& path) {
  const char* const caller = std::getenv("BUILD_WORKING_DIRECTORY");
  return caller == nullptr ? std::filesystem::path(path) : std::filesystem::path(caller) / path;
}

std::vector<std::string> split(const std::string& list) { return absl::StrSplit(list, ',', absl::SkipWhitespace()); }

std::vector<std::string> executors_asked_for() {
  std::vector<std::string> names = split(absl::GetFlag(FLAGS_executors));
  if (names.empty()) return spec_tests::real_candidate_names();
  for (const std::string& name : names) {
    if (spec_tests::find_candidate(name) == nullptr)
      refuse(absl::StrCat("no executor '", name, "'; --list names them"));
  }
  return names;
}

std::vector<std::string> laws_asked_for() {
  std::vector<std::string> laws = split(absl::GetFlag(FLAGS_laws));
  for (const std::string& law : laws) {
    bool known = law == spec_tests::kModelLaw || law == spec_tests::kStepLaw;
    for (const spec_tests::LawTitle& title : spec_tests::law_titles()) known = known || title.id == law;
    if (!known) refuse(absl::StrCat("no law '", law, "'"));
  }
  return laws;
}

std::optional<spec_tests::Trace> trace_asked_for() {
  const std::string path = absl::GetFlag(FLAGS_trace);
  if (path.empty()) return std::nullopt;
  const std::filesystem::path resolved = resolve(path);
  std::ifstream file(resolved);
  if (!file || std::filesystem::is_directory(resolved)) refuse(absl::StrCat(path, ": cannot be read"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) refuse(absl::StrCat(path, ": cannot be read"));
  absl::StatusOr<spec_tests::Trace> trace = spec_tests::parse_trace(text);
  if (!trace.ok()) refuse(absl::StrCat(path, ": ", trace.status().message()));
  return *std::move(trace);
}

void list_executors() {
  for (const spec_tests::CandidateEntry& entry : spec_tests::candidates()) {
    std::cout << entry.name;
    if (entry.broken())
      std::cout << "  (broken on purpose, caught at " << entry.broken_law << "; runs only when named)";
    std::cout << "\n";
  }
}

// One line on the terminal that is written over.
void show_progress(const std::string& text) { std::cerr << "\r\033[K" << text << std::flush; }

void write_json(const std::string& path, const std::string& json) {
  std::ofstream file(resolve(path));
  if (!(file << json) || !file.flush()) refuse(absl::StrCat(path, ": cannot be written: ", std::strerror(errno)));
}

int run_program(int argc, char** argv) {
  parse_flags(argc, argv);
  absl::InitializeLog();
  // The laws make executors log what callbacks and initializers throw.
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kFatal);
  if (absl::GetFlag(FLAGS_list)) {
    list_executors();
    return 0;
  }
  Options options{.executors = executors_asked_for(),
                  .traces = absl::GetFlag(FLAGS_traces),
                  .seed = absl::GetFlag(FLAGS_seed),
                  .laws = laws_asked_for(),
                  .replay = trace_asked_for()};
  if (options.traces < 0) refuse("--traces is below 0");
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (terminal) options.progress = show_progress;
  const std::string json = absl::GetFlag(FLAGS_json);
  if (!json.empty()) write_json(json, "");  // Now rather than after the run.
  const std::string disagreements = disagreements_with(spec_text());
  const std::vector<ExecutorResult> results = run(options);
  if (terminal) show_progress("");
  for (const ExecutorResult& result : results) {
    for (const Failure& failure : result.failures) {
      std::cout << to_text(failure, result.name, options.seed, std::filesystem::temp_directory_path());
    }
  }
  std::cout << to_table(results);
  if (options.traces > 0 || options.replay.has_value()) std::cout << "\n" << to_coverage_table(results);
  std::cout << std::flush;
  if (!json.empty()) write_json(json, to_json(results, options.seed, options.traces));
  if (!disagreements.empty())
    std::cout << "\nwhat is skipped is not what the table in docs/SPEC.md says:\n" << disagreements;
  return passed(results) && disagreements.empty() ? 0 : kExitViolated;
}

}  // namespace
}  // namespace futures::conformance

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  const int status = futures::conformance::run_program(argc, argv);
  // The end of a program waits for the calls of its executors, and one that has failed may never end them.
  std::cout.flush();
  if (status != 0) std::_Exit(status);
  return status;
}
