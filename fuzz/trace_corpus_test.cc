// The corpus of trace_fuzz is what make_trace_corpus makes of fuzz/seeds, and each executor that is broken on purpose
// is caught at its law, if it is one that traces ask for, by the corpus and a few thousand random inputs.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/process_main.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/oracles.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/registry/registry.h"
#include "spec_tests/traces/trace.h"

namespace futures::fuzz {
namespace {

using spec_tests::Trace;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Trace decode(const std::string& bytes) {
  return spec_tests::decode_trace(
      absl::MakeConstSpan(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::vector<Trace> corpus() {
  std::vector<Trace> traces;
  for (const auto& entry : std::filesystem::directory_iterator("fuzz/corpus/trace")) {
    traces.push_back(decode(read(entry.path())));
  }
  return traces;
}

TEST(TraceCorpus, IsTheSeedsEncoded) {
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator("fuzz/seeds")) {
    const auto trace = spec_tests::parse_trace(read(entry.path()));
    ASSERT_TRUE(trace.ok()) << entry.path() << ": " << trace.status();
    EXPECT_EQ(decode(read("fuzz/corpus/trace" / entry.path().stem())), *trace) << entry.path();
    ++seeds;
  }
  EXPECT_GE(seeds, 10);
}

class BrokenExecutor : public testing::TestWithParam<std::string> {};

TEST_P(BrokenExecutor, IsCaughtAtItsLaw) {
  constexpr int kRandomInputsMax = 3000;
  const spec_tests::CandidateEntry& entry = *spec_tests::find_candidate(GetParam());
  // A broken executor may hang. A short patience is enough to notice it.
  constexpr std::chrono::milliseconds kPatience{500};
  const std::unique_ptr<spec_tests::TracePlayer> player = entry.make(kPatience);
  const auto caught = [&](const Trace& trace) {
    const spec_tests::EpisodeReport report = run_stepwise(*player, trace, {.patience = kPatience});
    return report.findings.violates(entry.broken_law);
  };
  for (const Trace& trace : corpus()) {
    if (caught(trace)) return;
  }
  std::mt19937_64 random(1);
  for (int input = 0; input < kRandomInputsMax; ++input) {
    std::string bytes(random() % 128, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (caught(decode(bytes))) return;
  }
  ADD_FAILURE() << "not caught at " << entry.broken_law;
}

std::vector<std::string> broken_names() {
  const auto asked = spec_tests::oracle_laws();
  std::vector<std::string> names;
  for (const spec_tests::CandidateEntry& entry : spec_tests::candidates()) {
    const bool traces_ask = std::find(asked.begin(), asked.end(), entry.broken_law) != asked.end();
    if (entry.broken() && traces_ask) names.push_back(entry.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(, BrokenExecutor, testing::ValuesIn(broken_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace futures::fuzz

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
