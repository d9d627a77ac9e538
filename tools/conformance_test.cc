// Runs the conformance program as its users do.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace futures::conformance {
namespace {

using testing::TempDir;

struct Ended {
  int status = -1;
  std::string output;  // Of both kinds.
};

Ended run_command(const std::string& command) {
  Ended ended;
  FILE* const pipe = ::popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    ended.output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  return ended;
}

Ended run_program(const std::string& arguments) { return run_command(absl::StrCat("tools/conformance ", arguments)); }

std::string write_file(std::string_view name, std::string_view text) {
  const std::string path = absl::StrCat(TempDir(), "/", name);
  std::ofstream(path) << text;
  return path;
}

std::vector<std::string> broken_executors() {
  std::vector<std::string> names;
  for (const std::string_view line : absl::StrSplit(run_program("--list").output, '\n')) {
    if (absl::StartsWith(line, "broken_")) names.emplace_back(line.substr(0, line.find(' ')));
  }
  return names;
}

TEST(Conformance, ListsTheExecutors) {
  const Ended ended = run_program("--list");
  EXPECT_EQ(ended.status, 0);
  for (const std::string_view name :
       {"reference", "thread_pool", "broken_loses_call_on_shutdown", "broken_runs_cancelled",
        "broken_ignores_max_workers", "broken_starts_out_of_order", "broken_accepts_after_shutdown",
        "broken_swallows_exception"}) {
    EXPECT_TRUE(absl::StrContains(ended.output, name)) << name;
  }
}

TEST(Conformance, TracesFindNothingWrongWithTheRealOnes) {
  const Ended ended =
      run_program("--executors=reference,thread_pool --laws=E2,E4,E5,E6,E7,F2,F3,MODEL,STEP --traces=100");
  EXPECT_EQ(ended.status, 0) << ended.output;
}

// "cancel returns true      12": the last column is the only executor's count.
TEST(Conformance, PrintsWhatHistoriesHaveShown) {
  const Ended ended = run_program("--executors=reference --laws=MODEL --traces=30");
  EXPECT_EQ(ended.status, 0) << ended.output;
  const auto count_of = [&](std::string_view kind) {
    for (const std::string_view line : absl::StrSplit(ended.output, '\n')) {
      if (absl::StartsWith(line, kind)) return std::string(line.substr(line.rfind(' ') + 1));
    }
    return std::string("no row");
  };
  EXPECT_GT(std::atoi(count_of("body starts").c_str()), 0) << ended.output;
  EXPECT_GT(std::atoi(count_of("submit returns ok").c_str()), 0) << ended.output;
  EXPECT_EQ(count_of("worker dies"), "-");  // No trace kills a worker.
}

class Broken : public testing::TestWithParam<std::string> {};

// "broken_x  (broken on purpose, caught at E7; ...": the traces alone catch it at that law and print all that is
// promised; at a law of group P, which is for no trace, its check does.
TEST_P(Broken, IsCaughtAtItsLaw) {
  const std::string list = run_program("--list").output;
  const std::string_view rest = std::string_view(list).substr(list.find(GetParam() + " "));
  const std::size_t law_begin = rest.find("caught at ") + 10;
  const std::string law(rest.substr(law_begin, rest.find(';') - law_begin));
  const std::string json = absl::StrCat(TempDir(), "/", GetParam(), ".json");
  const Ended ended = run_program(absl::StrCat("--executors=", GetParam(), " --laws=", law, " --json=", json));
  EXPECT_EQ(ended.status, 1) << ended.output;
  std::vector<std::string> texts = {absl::StrCat("VIOLATED  ", law, " by ", GetParam(), "  (check")};
  if (law[0] != 'P') {
    texts = {absl::StrCat("VIOLATED  ", law, " by ", GetParam(), "  (trace"), "seed:   1", "workers ",
             "step by step:", "--trace="};
  }
  for (const std::string& text : texts) {
    EXPECT_TRUE(absl::StrContains(ended.output, text)) << text << "\n" << ended.output;
  }
}

INSTANTIATE_TEST_SUITE_P(, Broken, testing::ValuesIn(broken_executors()), [](const auto& info) { return info.param; });

TEST(Conformance, ReplaysATrace) {
  const std::string trace = write_file("order.trace",
                                       "workers 1\nclients 1\n"
                                       "0 submit c0 { gate g0; return 0 }\n"
                                       "0 submit c1 { return 1 }\n"
                                       "0 submit c2 { return 2 }\n"
                                       "0 release g0\n");
  EXPECT_EQ(run_program(absl::StrCat("--executors=reference,thread_pool --trace=", trace)).status, 0);
  const Ended caught = run_program(absl::StrCat("--executors=broken_starts_out_of_order --trace=", trace));
  EXPECT_EQ(caught.status, 1);
  EXPECT_TRUE(absl::StrContains(caught.output, "VIOLATED  E5 by broken_starts_out_of_order")) << caught.output;
}

TEST(Conformance, ReadsATraceBesideItsCaller) {
  write_file("beside.trace", "workers 1\nclients 1\n0 submit c0 { return 0 }\n");
  const Ended ended = run_command(absl::StrCat("BUILD_WORKING_DIRECTORY=", TempDir(),
                                               " tools/conformance --executors=reference --trace=beside.trace"));
  EXPECT_EQ(ended.status, 0) << ended.output;
}

TEST(Conformance, BadUseIsOneLineAndStatusTwo) {
  const std::string malformed = write_file("malformed.trace", "workers 1\nclients 1\n0 frobnicate c0\n");
  for (const std::string& arguments :
       {std::string("--executors=nobody"), std::string("--traces=many"), std::string("--traces=-1"),
        std::string("--nonsense=1"), std::string("--laws=Z9"), std::string("stray"),
        std::string("--trace=/nonexistent.trace"), std::string("--trace=/"), absl::StrCat("--trace=", malformed),
        std::string("--executors=reference --json=/nonexistent/x.json")}) {
    const Ended ended = run_program(arguments);
    EXPECT_EQ(ended.status, 2) << arguments << "\n" << ended.output;
    EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1) << arguments << "\n" << ended.output;
  }
  EXPECT_TRUE(absl::StrContains(run_program(absl::StrCat("--trace=", malformed)).output, "line 3"));
}

TEST(Conformance, WritesJson) {
  if (run_command("python3 -V").status != 0) GTEST_SKIP() << "no python3";
  const std::string json = absl::StrCat(TempDir(), "/out.json");
  run_program(absl::StrCat("--executors=reference --laws=S3,E2 --traces=20 --seed=5 --json=", json));
  const Ended ended = run_command(absl::StrCat(
      "python3 -c 'import json; d = json.load(open(\"", json,
      "\")); "
      "assert d[\"seed\"] == 5 and d[\"traces\"] == 20; e = d[\"executors\"][0]; assert e[\"name\"] == \"reference\"; "
      "assert [l[\"id\"] for l in e[\"laws\"]] == [\"E2\", \"S3\"], e; "
      "assert all(l[\"checked\"] > 0 and l[\"violations\"] == 0 and l[\"skipped\"] is None for l in e[\"laws\"])'"));
  EXPECT_EQ(ended.status, 0) << ended.output;
}

}  // namespace
}  // namespace futures::conformance
