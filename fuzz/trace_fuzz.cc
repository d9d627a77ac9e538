// Fuzz target: bytes are a trace; every executor runs it step by step beside the model, and all look the same.
//
// FUZZ_EXECUTORS names the executors, separated by commas; by default every C++ executor that is not broken on purpose.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "fuzz/trace_check.h"
#include "optimized/process_main.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/judges/stepwise.h"
#include "spec_tests/traces/trace.h"

namespace futures::fuzz {
namespace {

[[noreturn]] void fail(const std::string& report) {
  std::cerr << "\n" << report << std::endl;
  std::abort();
}

void run_everywhere(const spec_tests::Trace& trace) {
  static const auto* const players = [] {
    const char* const names = std::getenv("FUZZ_EXECUTORS");
    return new std::vector<std::unique_ptr<spec_tests::TracePlayer>>(players_of(names == nullptr ? "" : names));
  }();
  std::optional<spec_tests::EpisodeReport> first;
  for (const auto& player : *players) {
    spec_tests::EpisodeReport report = run_trace(*player, trace);
    const std::string failure = describe(report, player->name());
    if (!failure.empty()) fail(failure);
    if (!first.has_value()) {
      first = std::move(report);
      continue;
    }
    if (report.record.policy != first->record.policy) continue;
    const std::string difference = differences(report, *first);
    if (!difference.empty()) fail(player->name() + " " + difference + "\n" + to_text(trace));
  }
}

}  // namespace
}  // namespace futures::fuzz

// The first thing that libFuzzer's main does.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  futures::process_main(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  futures::fuzz::run_everywhere(futures::spec_tests::decode_trace(absl::MakeConstSpan(data, size)));
  return 0;
}
