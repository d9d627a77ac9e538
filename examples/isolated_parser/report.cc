#include "examples/isolated_parser/report.h"

#include <string.h>

#include <algorithm>
#include <string_view>

namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {"ok",        "malformed",     "unreadable", "crashed",
                                                             "timed out", "out of memory", "not parsed"};

std::string_view name_of(Kind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

// In JSON the same with underscores.
std::string identifier_of(Kind kind) {
  std::string name(name_of(kind));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

std::string hex(unsigned char byte) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  return {kDigits[byte / 16], kDigits[byte % 16]};
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

// Returns the path unchanged, unless it is empty or has control characters. Such a path is written as bash's $'...'.
// So it is visible, stays on its line, and does not control the terminal.
std::string shown(const std::string& path) {
  if (!path.empty() && std::none_of(path.begin(), path.end(), is_control)) return path;
  std::string text = "$'";
  for (const char c : path) {
    if (is_control(c)) {
      text += "\\x" + hex(static_cast<unsigned char>(c));
    } else {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text + "'";
}

// The length of the UTF-8 character at the front, which is not empty; 0 if there is none.
std::size_t utf8_bytes(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Longer than need be, a surrogate, or above U+10FFFF.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return bytes;
}

// A byte that belongs to no UTF-8 character becomes \udc80 to \udcff, which Python's os.fsencode makes that byte again.
std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t bytes = utf8_bytes(text);
    if (bytes == 0) {
      quoted += "\\udc" + hex(static_cast<unsigned char>(text[0]));
    } else if (is_control(text[0])) {
      quoted += "\\u00" + hex(static_cast<unsigned char>(text[0]));
    } else {
      if (text[0] == '"' || text[0] == '\\') quoted += '\\';
      quoted += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return quoted + "\"";
}

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace

void Report::add(const std::string& path, const Result& result) {
  ++files_;
  ++of_kind_[static_cast<std::size_t>(result.kind)];
  if (format_ == Format::kText) {
    add_text(path, result);
  } else {
    add_json(path, result);
  }
}

void Report::add_text(const std::string& path, const Result& result) {
  out_ << shown(path) << ": " << name_of(result.kind);
  const Counts& counts = result.counts;
  if (result.kind == Kind::kOk) {
    out_ << ": values " << counts.values << ", objects " << counts.objects << ", arrays " << counts.arrays
         << ", strings " << counts.strings << ", numbers " << counts.numbers << ", depth " << counts.depth << ", bytes "
         << counts.bytes;
  } else if (result.kind == Kind::kMalformed) {
    out_ << " at byte " << result.offset << ": " << result.message;
  } else if (result.signal > 0) {
    out_ << " by " << signal_name(result.signal);
  } else if (result.exit_code >= 0) {
    out_ << " with exit code " << result.exit_code;
  } else if (!result.message.empty()) {
    out_ << ": " << result.message;
  }
  out_ << "\n";
}

void Report::add_json(const std::string& path, const Result& result) {
  out_ << "{\"path\":" << json_string(path) << ",\"result\":\"" << identifier_of(result.kind) << "\"";
  const Counts& counts = result.counts;
  if (result.kind == Kind::kOk) {
    out_ << ",\"values\":" << counts.values << ",\"objects\":" << counts.objects << ",\"arrays\":" << counts.arrays
         << ",\"strings\":" << counts.strings << ",\"numbers\":" << counts.numbers << ",\"depth\":" << counts.depth
         << ",\"bytes\":" << counts.bytes;
  }
  if (result.kind == Kind::kMalformed) out_ << ",\"offset\":" << result.offset;
  if (!result.message.empty()) out_ << ",\"message\":" << json_string(result.message);
  if (result.signal > 0) out_ << ",\"signal\":" << json_string(signal_name(result.signal));
  if (result.exit_code >= 0) out_ << ",\"exit_code\":" << result.exit_code;
  out_ << "}\n";
}

void Report::add_summary() {
  if (format_ == Format::kJson) {
    out_ << "{\"files\":" << files_;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      out_ << ",\"" << identifier_of(static_cast<Kind>(kind)) << "\":" << of_kind_[kind];
    }
    out_ << "}\n";
    return;
  }
  out_ << "files " << files_;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (of_kind_[kind] > 0) out_ << ", " << kKindNames[kind] << " " << of_kind_[kind];
  }
  out_ << "\n";
}
