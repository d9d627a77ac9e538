#include "spec_tests/mutants/written_mutants.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace futures::mutants {
namespace {

class Parser {
 public:
  Parser(std::string_view name, std::string_view text, const FindSource& find)
      : name_(name), lines_(absl::StrSplit(text, '\n')), find_(find) {}

  std::vector<Mutant> parse() {
    while (at_ < lines_.size()) line();
    finish();
    return std::move(mutants_);
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    throw std::runtime_error(absl::StrCat(name_, ":", at_, ": ", why));
  }
  [[noreturn]] void refuse_hunk(std::string_view why, std::string_view original) const {
    throw std::runtime_error(
        absl::StrCat(name_, ": mutant ", mutants_.back().name, ": ", source_path_, ": ", why, ":\n", original));
  }

  void line() {
    std::string_view line = lines_[at_++];
    const std::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text[0] == '#') return;
    if (absl::ConsumePrefix(&line, "mutant ")) return begin(absl::StripAsciiWhitespace(line));
    if (mutants_.empty()) refuse("a mutant begins with: mutant NAME");
    Mutant& mutant = mutants_.back();
    if (absl::ConsumePrefix(&line, "file ")) {
      source_path_ = absl::StripAsciiWhitespace(line);
      source_ = find_(source_path_);
      is_elsewhere_ = is_elsewhere_ || source_ == nullptr;
      return;
    }
    if (text == "<<<<") return hunk();
    const std::pair<std::string_view, std::string*> entries[] = {
        {"law ", &mutant.law},   {"breaks:", &mutant.breaks},   {"hurts:", &mutant.hurts},
        {"like:", &mutant.like}, {"refused:", &mutant.refused}, {"equivalent:", &mutant.equivalent}};
    for (const auto& [key, value] : entries) {
      if (!absl::ConsumePrefix(&line, key)) continue;
      *value = absl::StripAsciiWhitespace(line);
      return;
    }
    refuse(absl::StrCat("neither an entry of a mutant nor <<<<: ", text));
  }

  void begin(std::string_view name) {
    finish();
    const auto has_name = [&](const Mutant& mutant) { return mutant.name == name; };
    if (std::any_of(mutants_.begin(), mutants_.end(), has_name)) refuse(absl::StrCat("a second mutant ", name));
    mutants_.push_back({.name = std::string(name), .rule = "written"});
    hunks_ = 0;
    source_ = nullptr;
    source_path_ = "";
    is_elsewhere_ = false;
  }

  void finish() {
    if (mutants_.empty()) return;
    Mutant& mutant = mutants_.back();
    if (hunks_ == 0) refuse(absl::StrCat("mutant ", mutant.name, " changes nothing"));
    if (mutant.law.empty() || mutant.breaks.empty() || mutant.hurts.empty()) {
      refuse(absl::StrCat("mutant ", mutant.name, " does not say all of: law, breaks, hurts"));
    }
    if (is_elsewhere_) mutant.changes.clear();
  }

  // The lines up to `end`, each with its newline.
  std::string lines_until(std::string_view end) {
    std::string text;
    for (; at_ < lines_.size(); ++at_) {
      if (lines_[at_] == end) {
        ++at_;
        return text;
      }
      absl::StrAppend(&text, lines_[at_], "\n");
    }
    refuse(absl::StrCat("no ", end, " ends what begins in mutant ", mutants_.back().name));
  }

  void hunk() {
    if (source_path_.empty()) refuse("a line with file comes before <<<<");
    const std::string original = lines_until("====");
    std::string replacement = lines_until(">>>>");
    ++hunks_;
    if (source_ == nullptr) return;
    const std::size_t place = only_place(original);
    // What differs alone: the lines of a short function have its head, too.
    const auto [old_first, new_first] =
        std::mismatch(original.begin(), original.end(), replacement.begin(), replacement.end());
    const std::size_t begin = place + static_cast<std::size_t>(old_first - original.begin());
    replacement.erase(replacement.begin(), new_first);
    std::size_t end = place + original.size();
    while (end > begin && !replacement.empty() && source_->text[end - 1] == replacement.back()) {
      replacement.pop_back();
      --end;
    }
    add_edit(function_around(begin, end, original), {begin, end, std::move(replacement)});
  }

  std::size_t only_place(std::string_view original) const {
    std::size_t found = std::string::npos;
    std::size_t from = 0;
    while (true) {
      const std::size_t place = source_->text.find(original, from);
      if (place == std::string::npos || original.empty()) break;
      from = place + 1;
      if (place > 0 && source_->text[place - 1] != '\n') continue;
      if (found != std::string::npos) refuse_hunk("the original is there more than once", original);
      found = place;
    }
    if (found == std::string::npos) refuse_hunk("the original is gone", original);
    return found;
  }

  std::size_t function_around(std::size_t begin, std::size_t end, std::string_view original) const {
    for (std::size_t i = 0; i < source_->functions.size(); ++i) {
      if (begin < source_->body_begin(i) || end > source_->body_end(i)) continue;
      if (source_->functions[i].is_constant) refuse_hunk("a constexpr function is fixed when it is compiled", original);
      return i;
    }
    refuse_hunk("the original is not inside the body of a function", original);
  }

  void add_edit(std::size_t function, Edit edit) {
    std::vector<Change>& changes = mutants_.back().changes;
    auto change = std::find_if(changes.begin(), changes.end(),
                               [&](const Change& c) { return c.file == source_path_ && c.function == function; });
    if (change == changes.end()) change = changes.insert(change, Change{std::string(source_path_), function, {}});
    auto place = std::find_if(change->edits.begin(), change->edits.end(),
                              [&](const Edit& other) { return other.begin >= edit.begin; });
    change->edits.insert(place, std::move(edit));
  }

  const std::string_view name_;
  const std::vector<std::string_view> lines_;
  const FindSource& find_;
  std::size_t at_ = 0;  // The next line.
  std::vector<Mutant> mutants_;
  // Of the last mutant.
  int hunks_ = 0;
  const Source* source_ = nullptr;
  std::string_view source_path_;
  bool is_elsewhere_ = false;
};

}  // namespace

std::vector<Mutant> parse_written(std::string_view name, std::string_view text, const FindSource& find) {
  return Parser(name, text, find).parse();
}

}  // namespace futures::mutants
