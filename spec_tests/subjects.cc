#include "spec_tests/subjects.h"

#include "spec_tests/broken/broken_kinds.h"
#include "spec_tests/executor_kinds.h"
#include "spec_tests/executor_subject.h"

namespace futures::spec_tests {
namespace {

SubjectEntry entry_of(const ExecutorKind& kind) {
  return {.name = kind.name,
          .make = [&kind](std::chrono::milliseconds patience) { return std::make_unique<ExecutorSubject>(kind, patience); },
          .kind = kind,
          .skips = kind.skips,
          .broken_law = kind.broken_law};
}

}  // namespace

const std::vector<SubjectEntry>& subjects() {
  static const auto* const all = [] {
    auto* entries = new std::vector<SubjectEntry>;
    for (const ExecutorKind& kind : executor_kinds()) entries->push_back(entry_of(kind));
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
