// Asks killers about mutants, and counts.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SCORE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SCORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spec_tests/mutants/catalogue.h"
#include "spec_tests/mutants/killer.h"

namespace futures::mutants {

// Mutated copies: their mutants, and the programs that are built against them.
struct Copies {
  std::string name;
  std::vector<Entry> entries;
  std::vector<Killer> killers;
};

// Finds the files of `names` in the runfiles of this program. Throws std::runtime_error.
std::vector<Copies> load_copies(const std::vector<std::string>& names);

struct Selection {
  std::string only;        // Part of the names; empty for all. Written ones have written/ before their names here.
  std::size_t sample = 0;   // How many of the generated ones, at most; 0 for all. Written ones are always all.
  std::uint32_t seed = 1;   // Of the sample.
  bool for_test = false;    // Leaves out the killers that are only for the report.
};

struct Verdict {
  Entry mutant;
  std::string killed_by;  // "the compiler", "KILLER: TEST", or empty if it survived.
  long schedules = 0;     // Until it was killed, if the killer counts them; of all killers if it survived.

  bool is_killed() const { return !killed_by.empty(); }
};

// Runs every killer against the source itself. Returns what is wrong: a test that fails, or a run that takes more than
// half of what it may.
std::string check_source(const std::vector<Copies>& copies, bool for_test);

// Asks about each mutant of the selection, `jobs` at a time; calls `done` for each as it is known, from any thread but
// one at a time. In the order of the catalogues. Throws std::runtime_error if a program does not know its mutant.
std::vector<Verdict> ask(const std::vector<Copies>& copies, const Selection& selection, int jobs,
                         const std::function<void(const Verdict&)>& done);

// Killed and all of those that are not argued equivalent, by what `key` gives.
struct Count {
  int killed = 0;
  int by_compiler = 0;  // Among the killed.
  int equivalent = 0;   // Not among `all`.
  int all = 0;
};
std::map<std::string, Count> count_by(const std::vector<Verdict>& verdicts,
                                      const std::function<std::string(const Verdict&)>& key);

// {"mutants":[{"name":..., "law":..., "killed_by":...|null, "schedules":n, "equivalent":reason|null}, ...]}
std::string to_json(const std::vector<Verdict>& verdicts);

}  // namespace futures::mutants

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_MUTANTS_SCORE_H_
