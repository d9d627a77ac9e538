// Fuzz target for traces and schedules. The input is a trace with its schedule. Each executor whose code is simulated
// plays it, once, along that schedule; the laws and the model judge the history. No thread is waited for.
//
// The states of the model count as coverage beside the code: an input that leads the model where none has been is kept.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "reference/acceptor.h"
#include "reference/model.h"
#include "spec_tests/judges/oracles.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/trace_program.h"
#include "spec_tests/traces/trace.h"

namespace futures::fuzz {
namespace {

// libFuzzer takes each byte that changes from zero as an edge of the program.
constexpr std::size_t kStateCounters = std::size_t{1} << 16;
__attribute__((section("__libfuzzer_extra_counters"))) std::uint8_t states_seen[kStateCounters];

void count_states(const spec_tests::Record& record) {
  model::Acceptor acceptor(record.policy, record.trace.clients + 1);
  for (const model::Event& event : record.history) {
    if (!acceptor.feed(event)) return;  // The judge will say so.
    for (const model::State& state : acceptor.states()) states_seen[fingerprint(state) % kStateCounters] = 1;
  }
}

void run(const std::string& executor, const spec_tests::Trace& trace) {
  simulator::TraceProgram program(executor, trace);
  simulator::Program judged = program.program();
  judged.judge = [&, judge = std::move(judged.judge)] {
    count_states(program.record());
    return judge();
  };
  const simulator::Exploration explored =
      simulator::explore(executor, judged, simulator::Replay(trace.schedule), {.races_one_in = 0});
  if (explored.ok()) return;
  std::cerr << "\n" << executor << "_simulated\n" << to_text(trace) << explored.report() << std::endl;
  std::abort();
}

}  // namespace
}  // namespace futures::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const futures::spec_tests::Trace trace = futures::spec_tests::decode_trace(absl::MakeConstSpan(data, size));
  for (const std::string& executor : futures::simulator::simulated_executors()) futures::fuzz::run(executor, trace);
  return 0;
}
