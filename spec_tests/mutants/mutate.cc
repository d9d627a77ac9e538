// mutate PLAN REFUSED FOLDER: writes mutated copies of sources to FOLDER, under their own paths, and with them
// mutants.txt, the catalogue, and mutant_names.cc, the source that chooses from the environment.
//
// PLAN has one instruction a line, with tabs between its parts:
//   source PATH FILE          a source that rules and written mutants change, by its path in the project, and where it
//   is other PATH FILE           one that is copied as it is elsewhere PATH            one that written mutants may
//   change, but is not copied written FILE              written mutants replace_in_sources A B    B in the place of A
//   in the copies of sources; in this order replace_in_others A B     the same in the others
// REFUSED has the names of mutants that the compiler takes not, and behind a tab why. They are left out.
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "spec_tests/mutants/catalogue.h"
#include "spec_tests/mutants/mutant_list.h"
#include "spec_tests/mutants/mutated_copy.h"
#include "spec_tests/mutants/rules.h"
#include "spec_tests/mutants/written_mutants.h"

namespace futures::mutants {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error(absl::StrCat("cannot read ", path));
  return text.str();
}

void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error(absl::StrCat("cannot write ", path.string()));
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Plan {
  std::vector<std::unique_ptr<Source>> sources;
  Pairs others;  // Path and file.
  std::set<std::string, std::less<>> elsewhere;
  std::vector<std::string> written;
  Pairs replaced_in_sources;
  Pairs replaced_in_others;
};

Plan parse_plan(const std::string& text) {
  Plan plan;
  for (std::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    std::vector<std::string> parts = absl::StrSplit(line, '\t');
    parts.resize(3);
    const std::string& what = parts[0];
    if (what == "source")
      plan.sources.push_back(std::make_unique<Source>(parts[1], read(parts[2])));
    else if (what == "other")
      plan.others.emplace_back(parts[1], parts[2]);
    else if (what == "elsewhere")
      plan.elsewhere.insert(parts[1]);
    else if (what == "written")
      plan.written.push_back(parts[1]);
    else if (what == "replace_in_sources")
      plan.replaced_in_sources.emplace_back(parts[1], parts[2]);
    else if (what == "replace_in_others")
      plan.replaced_in_others.emplace_back(parts[1], parts[2]);
    else
      throw std::runtime_error(absl::StrCat("not an instruction: ", line));
  }
  return plan;
}

// Written ones first: they keep their numbers when sources change.
std::vector<Mutant> mutants_of(const Plan& plan) {
  const FindSource find = [&](std::string_view path) -> const Source* {
    for (const auto& source : plan.sources) {
      if (source->path == path) return source.get();
    }
    if (plan.elsewhere.contains(path)) return nullptr;
    throw std::runtime_error(absl::StrCat("there is no source ", path, " for written mutants"));
  };
  std::vector<Mutant> mutants;
  const auto append = [&](std::vector<Mutant> more) {
    for (Mutant& mutant : more) mutants.push_back(std::move(mutant));
  };
  for (const std::string& file : plan.written) append(parse_written(file, read(file), find));
  for (const auto& source : plan.sources) append(generate(*source));
  std::set<std::string_view> names;
  for (const Mutant& mutant : mutants) {
    if (!names.insert(mutant.name).second) throw std::runtime_error(absl::StrCat("two mutants are ", mutant.name));
  }
  return mutants;
}

std::map<std::string, std::string> parse_refused(const std::string& text) {
  std::map<std::string, std::string> refused;
  for (std::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    refused.insert(std::pair<std::string, std::string>(absl::StrSplit(line, absl::MaxSplits('\t', 1))));
  }
  return refused;
}

std::string replaced(std::string text, const Pairs& pairs) {
  for (const auto& [from, to] : pairs) text = absl::StrReplaceAll(text, {{from, to}});
  return text;
}

void mutate(const std::string& plan_file, const std::string& refused_file, const std::filesystem::path& folder) {
  const Plan plan = parse_plan(read(plan_file));
  std::vector<Mutant> mutants = mutants_of(plan);
  const std::map<std::string, std::string> refused = parse_refused(read(refused_file));
  std::vector<Entry> catalogue;
  for (Mutant& mutant : mutants) {
    const auto why = refused.find(mutant.name);
    catalogue.push_back({.name = mutant.name,
                         .rule = mutant.rule,
                         .file = mutant.changes.empty() ? "" : mutant.changes[0].file,
                         .law = mutant.law,
                         .refused = why == refused.end() ? "" : why->second,
                         .equivalent = mutant.equivalent});
    if (why != refused.end()) mutant.changes.clear();
  }
  for (const auto& source : plan.sources) {
    write(folder / source->path, replaced(mutated_copy(*source, mutants), plan.replaced_in_sources));
  }
  for (const auto& [path, file] : plan.others) write(folder / path, replaced(read(file), plan.replaced_in_others));
  write(folder / "mutants.txt", to_text(catalogue));
  write(folder / "mutant_names.cc", names_source(mutants));
}

}  // namespace
}  // namespace futures::mutants

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: mutate PLAN REFUSED FOLDER\n";
    return 2;
  }
  try {
    futures::mutants::mutate(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
