#include "spec_tests/registry/registry.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "spec_tests/broken/broken_candidates.h"
#include "spec_tests/candidates/candidates.h"
#include "spec_tests/candidates/executor_player.h"
#include "spec_tests/cpython/cpython_player.h"
#include "spec_tests/judges/oracles.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/simulator/trace_program.h"

namespace futures::spec_tests {
namespace {

bool traces_ask(std::string_view law) {
  const auto oracles = oracle_laws();
  return std::find(oracles.begin(), oracles.end(), law) != oracles.end();
}

// The laws that neither a check nor a trace can ask of the candidate, each with the reason that its checks give.
std::map<std::string, std::string> skips_of(const Candidate& candidate) {
  std::map<std::string, std::string> skips;
  std::set<std::string_view> asked;
  for (const Law& law : all_laws()) {
    if (can_run(law, candidate) || traces_ask(law.id)) asked.insert(law.id);
  }
  for (const Law& law : all_laws()) {
    if (!asked.contains(law.id)) skips.emplace(law.id, why_not(law, candidate));
  }
  return skips;
}

CandidateEntry entry_of(const Candidate& candidate) {
  CandidateEntry entry{
      .name = candidate.name,
      .make = [&candidate](
                  std::chrono::milliseconds patience) { return std::make_unique<ExecutorPlayer>(candidate, patience); },
      .candidate = candidate,
      .skips = candidate.skips,
      .broken_law = candidate.broken_law};
  entry.skips.merge(skips_of(candidate));
  return entry;
}

// CPython is asked through traces alone: what only the checks ask does not reach it.
std::map<std::string, std::string> skips_of_cpython(CPythonPlayer::Pool pool) {
  const bool threads = pool == CPythonPlayer::Pool::kThreads;
  std::map<std::string, std::string> skips;
  for (const Law& law : all_laws()) {
    if (traces_ask(law.id)) continue;
    skips.emplace(law.id, law.id.starts_with('P') && threads ? "a law of process pools" : "traces cannot ask for it");
  }
  skips["W4"] = "differs: a cancelled call may never count as done, so traces with both are left out";
  if (threads) {
    skips["S3"] = "differs: a call that a worker has taken may still start";
    return skips;
  }
  skips["S3"] = "differs: the pool cancels after the shutdown has returned";
  skips["M4"] = "differs: what waits for a worker is marked as running, and then not cancelled";
  for (const char* const law : {"E10", "S7"}) skips[law] = "does not apply: a worker has no executor";
  return skips;
}

CandidateEntry cpython_entry(std::string name, CPythonPlayer::Pool pool) {
  return {.name = std::move(name),
          .make =
              [pool](std::chrono::milliseconds patience) {
                return std::make_unique<CPythonPlayer>(CPythonPlayer::Options{.patience = patience, .pool = pool});
              },
          .candidate = std::nullopt,
          .skips = skips_of_cpython(pool),
          .broken_law = "",
          .is_asked = [pool](const Trace& trace) { return CPythonPlayer::is_asked(trace, pool); },
          .is_stepwise = [pool](const Trace& trace) { return CPythonPlayer::is_stepwise(trace, pool); }};
}

CandidateEntry simulated_entry(const std::string& executor) {
  CandidateEntry entry{
      .name = executor + "_simulated",
      .make = nullptr,
      .simulated = SimulatedTraces{
          .run = [executor](const Trace& trace,
                            long schedules) { return simulator::explore_trace(executor, trace, schedules); },
          .shrink = [executor](const EpisodeReport& report,
                               std::string_view law) { return simulator::shrink_finding(executor, report, law); }},
      .candidate = std::nullopt,
      .skips = {},
      .broken_law = ""};
  for (const Law& law : all_laws()) {
    if (!traces_ask(law.id)) entry.skips.emplace(law.id, "traces cannot ask for it");
  }
  return entry;
}

}  // namespace

const std::vector<CandidateEntry>& candidates() {
  static const auto* const all = [] {
    auto* entries = new std::vector<CandidateEntry>;
    for (const Candidate& candidate : thread_candidates()) entries->push_back(entry_of(candidate));
    for (const Candidate& candidate : process_candidates()) entries->push_back(entry_of(candidate));
    entries->push_back(cpython_entry("cpython_thread_pool", CPythonPlayer::Pool::kThreads));
    entries->push_back(cpython_entry("cpython_process_pool", CPythonPlayer::Pool::kProcesses));
    for (const std::string& executor : simulator::simulated_executors()) entries->push_back(simulated_entry(executor));
    for (const Candidate& candidate : broken_candidates()) entries->push_back(entry_of(candidate));
    return entries;
  }();
  return *all;
}

const CandidateEntry* find_candidate(std::string_view name) {
  for (const CandidateEntry& entry : candidates()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::unique_ptr<TracePlayer> make_player(std::string_view name, std::chrono::milliseconds patience) {
  const CandidateEntry* const entry = find_candidate(name);
  return entry == nullptr || entry->make == nullptr ? nullptr : entry->make(patience);
}

std::vector<std::string> real_candidate_names() {
  std::vector<std::string> names;
  for (const CandidateEntry& entry : candidates()) {
    if (!entry.broken()) names.push_back(entry.name);
  }
  return names;
}

}  // namespace futures::spec_tests
