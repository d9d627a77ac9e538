#include "spec_tests/registry/subjects.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "spec_tests/broken/broken_kinds.h"
#include "spec_tests/cpython/cpython_subject.h"
#include "spec_tests/subjects/executor_kinds.h"
#include "spec_tests/subjects/executor_subject.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/judges/oracles.h"

namespace futures::spec_tests {
namespace {

bool traces_ask(std::string_view law) {
  const auto oracles = oracle_laws();
  return std::find(oracles.begin(), oracles.end(), law) != oracles.end();
}

// The laws that neither a check nor a trace can ask of the kind, each with the reason that its checks give.
std::map<std::string, std::string> skips_of(const ExecutorKind& kind) {
  std::map<std::string, std::string> skips;
  std::set<std::string_view> asked;
  for (const Law& law : all_laws()) {
    if (can_run(law, kind) || traces_ask(law.id)) asked.insert(law.id);
  }
  for (const Law& law : all_laws()) {
    if (!asked.contains(law.id)) skips.emplace(law.id, why_not(law, kind));
  }
  return skips;
}

SubjectEntry entry_of(const ExecutorKind& kind) {
  SubjectEntry entry{
      .name = kind.name,
      .make = [&kind](std::chrono::milliseconds patience) { return std::make_unique<ExecutorSubject>(kind, patience); },
      .kind = kind,
      .skips = kind.skips,
      .broken_law = kind.broken_law};
  entry.skips.merge(skips_of(kind));
  return entry;
}

// CPython is asked through traces alone: what only the checks ask does not reach it.
std::map<std::string, std::string> skips_of_cpython(CPythonSubject::Pool pool) {
  const bool threads = pool == CPythonSubject::Pool::kThreads;
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

SubjectEntry cpython_entry(std::string name, CPythonSubject::Pool pool) {
  return {.name = std::move(name),
          .make = [pool](std::chrono::milliseconds patience) {
            return std::make_unique<CPythonSubject>(CPythonSubject::Options{.patience = patience, .pool = pool});
          },
          .kind = std::nullopt,
          .skips = skips_of_cpython(pool),
          .broken_law = "",
          .is_asked = [pool](const Trace& trace) { return CPythonSubject::is_asked(trace, pool); },
          .is_stepwise = [pool](const Trace& trace) { return CPythonSubject::is_stepwise(trace, pool); }};
}

}  // namespace

const std::vector<SubjectEntry>& subjects() {
  static const auto* const all = [] {
    auto* entries = new std::vector<SubjectEntry>;
    for (const ExecutorKind& kind : executor_kinds()) entries->push_back(entry_of(kind));
    for (const ExecutorKind& kind : process_kinds()) entries->push_back(entry_of(kind));
    entries->push_back(cpython_entry("cpython_thread_pool", CPythonSubject::Pool::kThreads));
    entries->push_back(cpython_entry("cpython_process_pool", CPythonSubject::Pool::kProcesses));
    for (const ExecutorKind& kind : broken_kinds()) entries->push_back(entry_of(kind));
    return entries;
  }();
  return *all;
}

const SubjectEntry* find_subject(std::string_view name) {
  for (const SubjectEntry& entry : subjects()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::unique_ptr<Subject> make_subject(std::string_view name, std::chrono::milliseconds patience) {
  const SubjectEntry* const entry = find_subject(name);
  return entry == nullptr ? nullptr : entry->make(patience);
}

std::vector<std::string> real_subject_names() {
  std::vector<std::string> names;
  for (const SubjectEntry& entry : subjects()) {
    if (!entry.broken()) names.push_back(entry.name);
  }
  return names;
}

}  // namespace futures::spec_tests
