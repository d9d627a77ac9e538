#include "spec_tests/simulator/seam.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace futures::simulator {
namespace {

// --- Symbols, as the Itanium C++ ABI mangles them.

// <length><name>, taken off the front.
std::optional<std::string_view> take_identifier(std::string_view& text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::size_t length = 0;
  if (digits == 0 || !absl::SimpleAtoi(text.substr(0, digits), &length)) return std::nullopt;
  text.remove_prefix(digits);
  if (length > text.size()) return std::nullopt;
  const std::string_view name = text.substr(0, length);
  text.remove_prefix(length);
  return name;
}

bool is_inline_namespace(std::string_view name) {
  return name == "__cxx11" || name == "_V2" || absl::StartsWith(name, "lts_");
}

// The names up to the first template argument or function parameter.
std::string path_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kStandard = {{{"Sa", "std::allocator"},
                                                                                       {"Sb", "std::basic_string"},
                                                                                       {"Ss", "std::basic_string"},
                                                                                       {"Si", "std::basic_istream"},
                                                                                       {"So", "std::basic_ostream"},
                                                                                       {"Sd", "std::basic_iostream"}}};
  if (absl::ConsumePrefix(&text, "N")) text.remove_prefix(std::min(text.find_first_not_of("rVKRO"), text.size()));
  for (const auto& [code, name] : kStandard) {
    if (absl::StartsWith(text, code)) return std::string(name);
  }
  std::string path;
  if (absl::ConsumePrefix(&text, "St")) path = "std";
  absl::ConsumePrefix(&text, "L");
  while (const std::optional<std::string_view> name = take_identifier(text)) {
    if (!is_inline_namespace(*name)) absl::StrAppend(&path, path.empty() ? "" : "::", *name);
  }
  if (!path.empty() && !text.empty() && std::islower(static_cast<unsigned char>(text[0])) != 0) path += "::operator";
  return path;
}

}  // namespace

std::string entity_of_symbol(std::string_view symbol) {
  std::string_view text = symbol;
  if (!absl::ConsumePrefix(&text, "_Z")) return std::string(symbol);
  if (absl::StartsWith(text, "GV")) return "(static)";
  if (absl::StartsWith(text, "TW") || absl::StartsWith(text, "TH")) return "(thread_local)";
  if (absl::StartsWith(text, "nw") || absl::StartsWith(text, "na")) return "operator new";
  if (absl::StartsWith(text, "dl") || absl::StartsWith(text, "da")) return "operator delete";
  if (absl::ConsumePrefix(&text, "Th") || absl::ConsumePrefix(&text, "Tv") || absl::ConsumePrefix(&text, "Tc")) {
    text.remove_prefix(std::min(text.find("_N") + 1, text.size()));  // The function behind a thunk.
  } else if (absl::StartsWith(text, "T")) {
    text.remove_prefix(std::min<std::size_t>(2, text.size()));  // Of a type: its type_info, vtable, ...
    const std::string path = path_of(text);
    return path.empty() ? "typeinfo" : path;
  }
  absl::ConsumePrefix(&text, "GR");
  while (absl::ConsumePrefix(&text, "Z")) {
  }
  const std::string path = path_of(text);
  return path.empty() ? std::string(symbol) : path;
}

namespace {

// --- The code, line by line.

// `@name` or `@"name"`, for each in the line.
std::vector<std::string_view> symbols_in(std::string_view line) {
  std::vector<std::string_view> symbols;
  for (std::size_t at = line.find('@'); at != line.npos; at = line.find('@')) {
    line.remove_prefix(at + 1);
    const bool quoted = absl::ConsumePrefix(&line, "\"");
    const std::size_t end = quoted ? line.find('"')
                                   : std::min(static_cast<std::size_t>(std::find_if(line.begin(), line.end(),
                                                                                    [](unsigned char c) {
                                                                                      return std::isalnum(c) == 0 &&
                                                                                             c != '_' && c != '.' &&
                                                                                             c != '$' && c != '-';
                                                                                    }) -
                                                                       line.begin()),
                                              line.size());
    symbols.push_back(line.substr(0, end));
  }
  return symbols;
}

// The text behind `key` up to the first of `ends`.
std::string_view value_of(std::string_view line, std::string_view key, std::string_view ends) {
  const std::size_t at = line.find(key);
  if (at == line.npos) return "";
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find_first_of(ends));
}

// What an instruction is by itself, whatever it names.
std::string_view unnamed_use(std::string_view instruction) {
  const std::string_view line = absl::StripLeadingAsciiWhitespace(instruction);
  const std::size_t assigned = absl::StartsWith(line, "%") ? line.find(" = ") : line.npos;
  const std::string_view operation = assigned == line.npos ? line : line.substr(assigned + 3);
  for (const std::string_view atomic : {"atomicrmw ", "cmpxchg ", "fence ", "load atomic ", "store atomic "}) {
    if (absl::StartsWith(operation, atomic)) return "(atomic instruction)";
  }
  if (absl::StrContains(operation, " asm ") && absl::StrContains(operation, "call")) return "(assembly)";
  return "";
}

struct Function {
  std::string_view symbol;
  std::string_view subprogram;
  std::vector<std::string_view> lines;
};

class Reader {
 public:
  Reader(std::string_view code, const std::function<bool(std::string_view)>& is_own) {
    for (std::string_view line : absl::StrSplit(code, '\n')) take(line);
    for (const Function& function : functions_) {
      if (is_own(file_of(function))) own_.insert(function.symbol);
    }
  }

  SeamReading read() {
    for (const Function& function : functions_) {
      if (!own_.contains(function.symbol)) continue;
      reading_.files.insert(std::string(file_of(function)));
      for (const std::string_view line : function.lines) {
        if (const std::string_view use = unnamed_use(line); !use.empty()) add(function.symbol, file_of(function), use);
        for (const std::string_view symbol : symbols_in(line)) use_symbol(function.symbol, file_of(function), symbol);
      }
    }
    for (const auto& [variable, line] : variables_) {
      if (!is_of_project(variable)) continue;
      for (const std::string_view symbol : symbols_in(line)) use_symbol(variable, "", symbol);
    }
    return std::move(reading_);
  }

 private:
  void take(std::string_view line) {
    if (absl::StartsWith(line, "define ")) {
      functions_.push_back({symbols_in(line).at(0), value_of(line, "!dbg ", " {"), {}});
      in_function_ = true;
    } else if (absl::StartsWith(line, "}")) {
      in_function_ = false;
    } else if (in_function_) {
      functions_.back().lines.push_back(line);
    } else if (absl::StartsWith(line, "@")) {
      take_variable(line);
    } else if (absl::StrContains(line, "!DIFile(")) {
      files_[line.substr(0, line.find(' '))] = value_of(line, "filename: \"", "\"");
    } else if (absl::StrContains(line, "!DISubprogram(")) {
      subprograms_[line.substr(0, line.find(' '))] = value_of(line, " file: ", ",)");
    }
  }

  void take_variable(std::string_view line) {
    const std::string_view symbol = symbols_in(line).at(0);
    const std::string_view kind = line.substr(0, line.find_first_of("{[(\"", line.find(" = ")));
    if (absl::StrContains(kind, " thread_local")) thread_locals_.insert(symbol);
    if (absl::StrContains(kind, " private ")) unnamed_.insert(symbol);
    variables_[symbol] = line;
  }

  std::string_view file_of(const Function& function) const {
    const auto subprogram = subprograms_.find(function.subprogram);
    if (subprogram == subprograms_.end()) return "";
    const auto file = files_.find(subprogram->second);
    return file == files_.end() ? "" : file->second;
  }

  // Symbols of the simulated build, of the simulator, and of code under test that has none of its own.
  bool is_of_project(std::string_view symbol) const {
    if (own_.contains(symbol)) return true;
    const std::string entity = entity_of_symbol(symbol);
    return absl::StartsWith(entity, "futures::simulat") || absl::StartsWith(entity, "futures::seam_");
  }

  void use_symbol(std::string_view user, std::string_view file, std::string_view symbol) {
    if (thread_locals_.contains(symbol)) return add(user, file, "(thread_local)");
    if (absl::StartsWith(symbol, "_ZGV")) return add(user, file, "(static)");
    if (!unnamed_.contains(symbol) && !is_of_project(symbol)) add(user, file, entity_of_symbol(symbol));
  }

  void add(std::string_view user, std::string_view file, std::string_view name) {
    reading_.uses.push_back({std::string(user), std::string(file), std::string(name)});
  }

  std::vector<Function> functions_;
  std::map<std::string_view, std::string_view> files_;
  std::map<std::string_view, std::string_view> subprograms_;
  std::map<std::string_view, std::string_view> variables_;  // By symbol: the line that defines or declares it.
  std::set<std::string_view> thread_locals_;
  std::set<std::string_view> unnamed_;  // Constants of the compiler's own.
  std::set<std::string_view> own_;
  bool in_function_ = false;
  SeamReading reading_;
};

}  // namespace

SeamReading read_seam(std::string_view code, const std::function<bool(std::string_view file)>& is_own) {
  return Reader(code, is_own).read();
}

}  // namespace futures::simulator
