#include "spec_tests/mutants/score.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace futures::mutants {
namespace {

namespace fs = std::filesystem;

// The folder that has the project's files: of a test's or of a program's runfiles.
fs::path runfiles(const fs::path& with) {
  std::vector<fs::path> candidates = {fs::current_path()};
  const char* const of_test = std::getenv("TEST_SRCDIR");
  for (const char* project : {"_main", "concurrent_futures"}) {
    if (of_test != nullptr) candidates.push_back(fs::path(of_test) / project);
    candidates.push_back(fs::read_symlink("/proc/self/exe").concat(".runfiles") / project);
  }
  for (const fs::path& candidate : candidates) {
    if (fs::exists(candidate / with)) return candidate;
  }
  throw std::runtime_error("the mutated copies are not among the files of this program: run it with Bazel");
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error(absl::StrCat("cannot read ", path.string()));
  return text.str();
}

// Calls work(0), ..., work(count - 1), `jobs` at a time. Throws what one of them threw.
void in_parallel(std::size_t count, int jobs, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  std::vector<std::thread> threads;
  for (int i = 0; i < jobs; ++i) {
    threads.emplace_back([&] {
      try {
        for (std::size_t k = next++; k < count; k = next++) work(k);
      } catch (...) {
        next = count;
        const std::lock_guard lock(mutex);
        error = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (error != nullptr) std::rethrow_exception(error);
}

Verdict ask_about(const Copies& copies, const Entry& mutant, bool for_test) {
  Verdict verdict{.mutant = mutant};
  if (!mutant.refused.empty()) verdict.killed_by = "the compiler";
  if (!mutant.refused.empty() || mutant.file.empty()) return verdict;
  for (const Killer& killer : copies.killers) {
    if (for_test && !killer.in_test) continue;
    for (int shard = 0; shard < killer.shards; ++shard) {
      const Run run = run_killer(killer, shard, mutant.name);
      if (!run.has_mutant) throw std::runtime_error(absl::StrCat(killer.name, " does not know ", mutant.name));
      verdict.schedules += run.schedules;
      if (run.killed_by.empty()) continue;
      verdict.killed_by = absl::StrCat(killer.name, ": ", run.killed_by);
      return verdict;
    }
  }
  return verdict;
}

// FNV-1a. The same on every machine.
std::uint64_t hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash ^ (hash >> 32);  // The last characters alone leave the first bits as they are.
}

// Keeps `sample` of the generated mutants, in their order: those whose names have the least hashes. So another mutant
// that comes or goes changes the sample by one at most.
void keep_sample(std::vector<std::pair<const Copies*, const Entry*>>& chosen, const Selection& selection) {
  std::vector<std::uint64_t> hashes;
  const auto hash_of = [&](const Entry& mutant) { return hash(absl::StrCat(selection.seed, " ", mutant.name)); };
  for (const auto& [copies, mutant] : chosen) {
    if (mutant->rule != "written") hashes.push_back(hash_of(*mutant));
  }
  if (selection.sample == 0 || hashes.size() <= selection.sample) return;
  std::nth_element(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(selection.sample), hashes.end());
  const std::uint64_t bound = hashes[selection.sample];
  std::erase_if(chosen,
                [&](const auto& one) { return one.second->rule != "written" && hash_of(*one.second) >= bound; });
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<int>(c));
    } else {
      json += c;
    }
  }
  return json + "\"";
}

}  // namespace

std::vector<Copies> load_copies(const std::vector<std::string>& names) {
  if (names.empty()) throw std::runtime_error("no mutated copies are named");
  const fs::path here = "spec_tests/mutants";
  const fs::path root = runfiles(here / names[0] / "mutants.txt");
  std::vector<Copies> all;
  for (const std::string& name : names) {
    const fs::path folder = root / here / name;
    all.push_back({name, parse_catalogue(read(folder / "mutants.txt")),
                   parse_killers(read(folder / "killers.txt"), root.string())});
  }
  return all;
}

std::string check_source(const std::vector<Copies>& copies, bool for_test) {
  std::string wrong;
  for (const Copies& one : copies) {
    for (const Killer& killer : one.killers) {
      if (for_test && !killer.in_test) continue;
      for (int shard = 0; shard < killer.shards; ++shard) {
        const Run run = run_killer(killer, shard, "");
        if (!run.killed_by.empty()) {
          absl::StrAppend(&wrong, killer.name, " of ", one.name, " fails without a mutant: ", run.killed_by, "\n");
        } else if (run.cpu_seconds > 0.5 * killer.cpu_seconds) {
          absl::StrAppendFormat(&wrong,
                                "%s of %s, shard %d, takes %.1f s of %d s without a mutant: divide it further\n",
                                killer.name, one.name, shard, run.cpu_seconds, killer.cpu_seconds);
        }
      }
    }
  }
  return wrong;
}

std::vector<Verdict> ask(const std::vector<Copies>& copies, const Selection& selection, int jobs,
                         const std::function<void(const Verdict&)>& done) {
  std::vector<std::pair<const Copies*, const Entry*>> chosen;
  for (const Copies& one : copies) {
    for (const Entry& entry : one.entries) {
      const std::string_view before =
          entry.rule == "written" ? "written/" : "";  // As a rule's name is of generated ones.
      if (absl::StrContains(absl::StrCat(before, entry.name), selection.only)) chosen.emplace_back(&one, &entry);
    }
  }
  keep_sample(chosen, selection);
  std::vector<Verdict> verdicts(chosen.size());
  std::mutex mutex;
  in_parallel(chosen.size(), jobs, [&](std::size_t i) {
    Verdict verdict = ask_about(*chosen[i].first, *chosen[i].second, selection.for_test);
    const std::lock_guard lock(mutex);
    done(verdict);
    verdicts[i] = std::move(verdict);
  });
  return verdicts;
}

std::map<std::string, Count> count_by(const std::vector<Verdict>& verdicts,
                                      const std::function<std::string(const Verdict&)>& key) {
  std::map<std::string, Count> counts;
  for (const Verdict& verdict : verdicts) {
    Count& count = counts[key(verdict)];
    if (!verdict.is_killed() && !verdict.mutant.equivalent.empty()) {
      ++count.equivalent;
      continue;
    }
    ++count.all;
    if (verdict.is_killed()) ++count.killed;
    if (!verdict.mutant.refused.empty()) ++count.by_compiler;
  }
  return counts;
}

std::string to_json(const std::vector<Verdict>& verdicts) {
  std::string json = "{\"mutants\":[";
  const char* separator = "\n";
  for (const Verdict& v : verdicts) {
    absl::StrAppend(&json, separator, "{\"name\":", json_string(v.mutant.name), ",\"law\":", json_string(v.mutant.law),
                    ",\"killed_by\":", v.is_killed() ? json_string(v.killed_by) : "null",
                    ",\"schedules\":", v.schedules,
                    ",\"equivalent\":", v.mutant.equivalent.empty() ? "null" : json_string(v.mutant.equivalent), "}");
    separator = ",\n";
  }
  return json + "\n]}\n";
}

}  // namespace futures::mutants
