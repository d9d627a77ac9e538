// report [--only=SUBSTRING] [--sample=N] [--seed=S] [--json=PATH]: which mutants are killed, by what, after how many
// schedules, and which survive. The exit status is 0 unless the killers fail without a mutant.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "spec_tests/mutants/score.h"

ABSL_FLAG(std::string, only, "", "Only mutants whose names hold this: such as a rule, a file or a function.");
ABSL_FLAG(int, sample, 0, "At most this many of the generated mutants; 0 for all.");
ABSL_FLAG(std::uint32_t, seed, 1, "Of the sample.");
ABSL_FLAG(std::string, json, "", "A file that gets the verdicts as JSON.");
ABSL_FLAG(int, jobs, 0, "How many killers run at a time; 0 for as many as there are processors.");
ABSL_FLAG(std::vector<std::string>, copies, {}, "The mutated copies. Set by the target.");

namespace futures::mutants {
namespace {

std::string line(const Verdict& v) {
  std::string text = absl::StrCat(v.is_killed() ? "killed   " : "SURVIVED ", v.mutant.name);
  if (v.is_killed()) absl::StrAppend(&text, "  by ", v.killed_by);
  if (!v.mutant.refused.empty()) absl::StrAppend(&text, ": ", v.mutant.refused);
  if (v.schedules > 0) absl::StrAppend(&text, ", ", v.schedules, " schedules");
  if (!v.mutant.equivalent.empty()) absl::StrAppend(&text, "  equivalent: ", v.mutant.equivalent);
  if (v.mutant.file.empty()) absl::StrAppend(&text, "  no copy has its source");
  return text;
}

void print_counts(std::string_view title, const std::map<std::string, Count>& counts) {
  absl::PrintF("\n%-50s %7s %7s %7s %12s %11s\n", title, "killed", "of", "%", "by compiler", "equivalent");
  for (const auto& [key, count] : counts) {
    const double percent = count.all == 0 ? 100.0 : 100.0 * count.killed / count.all;
    absl::PrintF("%-50s %7d %7d %7.1f %12d %11d\n", key, count.killed, count.all, percent, count.by_compiler,
                 count.equivalent);
  }
}

// Relative to the folder in which the user has called Bazel.
std::filesystem::path of_caller(const std::string& path) {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr ? std::filesystem::path(path) : std::filesystem::path(folder) / path;
}

int report() {
  const std::vector<Copies> copies = load_copies(absl::GetFlag(FLAGS_copies));
  const std::string wrong = check_source(copies, /*for_test=*/false);
  if (!wrong.empty()) {
    std::cerr << wrong << "No report: killers that fail without a mutant prove nothing.\n";
    return 1;
  }
  const Selection selection{.only = absl::GetFlag(FLAGS_only),
                            .sample = static_cast<std::size_t>(std::max(0, absl::GetFlag(FLAGS_sample))),
                            .seed = absl::GetFlag(FLAGS_seed)};
  int jobs = absl::GetFlag(FLAGS_jobs);
  if (jobs <= 0) jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const std::vector<Verdict> verdicts =
      ask(copies, selection, jobs, [](const Verdict& verdict) { std::cout << line(verdict) << std::endl; });
  print_counts("rule", count_by(verdicts, [](const Verdict& v) { return v.mutant.rule; }));
  print_counts("file", count_by(verdicts, [](const Verdict& v) {
                 return v.mutant.file.empty() ? "no copy has it" : v.mutant.file;
               }));
  print_counts("all", count_by(verdicts, [](const Verdict&) { return "all"; }));
  std::fflush(stdout);
  if (const std::string json = absl::GetFlag(FLAGS_json); !json.empty()) {
    std::ofstream file(of_caller(json));
    file << to_json(verdicts);
    if (!file.flush()) {
      std::cerr << "cannot write " << json << "\n";
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace futures::mutants

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Which mutants are killed, and which survive. CONTRIBUTING.md has examples.");
  absl::ParseCommandLine(argc, argv);
  try {
    return futures::mutants::report();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
