#include "spec_tests/cpython/protocol.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::Event;
using model::OpKind;
using model::Reply;
using model::ReplyKind;
using model::Visible;

constexpr std::pair<std::string_view, OpKind> kVerbs[] = {
    {"submit", OpKind::kSubmit},
    {"cancel", OpKind::kCancel},
    {"result", OpKind::kResult},
    {"poll", OpKind::kPoll},
    {"callback", OpKind::kAddCallback},
    {"shutdown", OpKind::kShutdown},
    {"wait", OpKind::kWait},
    {"next", OpKind::kNext},
    {"abandon", OpKind::kAbandon},
    {"destroy", OpKind::kDestroy},
};

constexpr std::pair<std::string_view, model::ReturnWhen> kWhens[] = {
    {"all", model::ReturnWhen::kAllCompleted},
    {"first", model::ReturnWhen::kFirstCompleted},
    {"exception", model::ReturnWhen::kFirstException},
};

constexpr std::pair<std::string_view, ReplyKind> kReplies[] = {
    {"none", ReplyKind::kNone},
    {"ok", ReplyKind::kOk},
    {"true", ReplyKind::kTrue},
    {"false", ReplyKind::kFalse},
    {"value", ReplyKind::kValue},
    {"error", ReplyKind::kError},
    {"done", ReplyKind::kDone},
    {"cancelled", ReplyKind::kCancelled},
    {"timeout", ReplyKind::kTimeout},
    {"deadlock_error", ReplyKind::kDeadlockError},
    {"shutdown_error", ReplyKind::kShutdownError},
};

constexpr std::pair<std::string_view, Visible> kVisibles[] = {
    {"a", Visible::kAbsent},   {"p", Visible::kPending},   {"r", Visible::kRunning},
    {"f", Visible::kFinished}, {"c", Visible::kCancelled},
};

// The fields of a line, read from left to right. After the first that is not as expected, ok() is false.
class Fields {
 public:
  explicit Fields(std::string_view line) : words_(absl::StrSplit(line, ' ')) {}

  bool ok() const { return ok_; }
  bool at_end() const { return next_ == words_.size(); }

  std::string_view word() {
    if (next_ < words_.size()) return words_[next_++];
    ok_ = false;
    return {};
  }

  std::int8_t number() { return read_number<std::int8_t>(word()); }
  model::CallSet calls() { return read_number<model::CallSet>(word()); }
  bool flag() { return number() == 1; }
  Reply reply() { return read_reply(word()); }

  template <typename T, std::size_t kCount>
  T one_of(const std::pair<std::string_view, T> (&table)[kCount]) {
    return find_in(table, word());
  }

  std::vector<bool> bits() {
    std::vector<bool> bits;
    for (const char bit : list()) bits.push_back(bit == '1');
    return bits;
  }

  std::vector<Visible> visibles() {
    std::vector<Visible> visibles;
    const std::string_view letters = list();
    for (std::size_t i = 0; i < letters.size(); ++i) visibles.push_back(find_in(kVisibles, letters.substr(i, 1)));
    return visibles;
  }

  std::vector<Reply> replies() {
    std::vector<Reply> replies;
    for (std::string_view text : absl::StrSplit(list(), ',', absl::SkipEmpty())) replies.push_back(read_reply(text));
    return replies;
  }

 private:
  std::string_view list() {
    const std::string_view text = word();
    return text == "-" ? std::string_view() : text;
  }

  template <typename T>
  T read_number(std::string_view digits) {
    int number = 0;
    if (!absl::SimpleAtoi(digits, &number) || number != static_cast<T>(number)) ok_ = false;
    return static_cast<T>(number);
  }

  Reply read_reply(std::string_view text) {
    const std::pair<std::string_view, std::string_view> halves = absl::StrSplit(text, absl::MaxSplits(':', 1));
    return {.kind = find_in(kReplies, halves.first), .value = read_number<std::int16_t>(halves.second)};
  }

  template <typename T, std::size_t kCount>
  T find_in(const std::pair<std::string_view, T> (&table)[kCount], std::string_view word) {
    for (const auto& [name, value] : table) {
      if (name == word) return value;
    }
    ok_ = false;
    return table[0].second;
  }

  const std::vector<std::string_view> words_;
  std::size_t next_ = 0;
  bool ok_ = true;
};

absl::Status not_understood(std::string_view text) {
  return absl::InternalError(absl::StrCat("driver.py says what is not understood: ", text));
}

// Nothing if `kind` is not the first word of an event.
std::optional<Event> read_event(std::string_view kind, Fields& fields) {
  Event event;
  if (kind == "invoke") {
    event.kind = ActionKind::kInvoke;
    event.client = fields.number();
    event.operation.kind = fields.one_of(kVerbs);
    event.operation.call = fields.number();
    event.operation.registration = fields.number();
    event.operation.wait = fields.flag();
    event.operation.cancel_futures = fields.flag();
    event.operation.calls = fields.calls();
    event.operation.when = fields.one_of(kWhens);
    event.operation.poll = fields.flag();
  } else if (kind == "return") {
    event.kind = ActionKind::kReturn;
    event.client = fields.number();
    event.reply = fields.reply();
  } else if (kind == "start") {
    event.kind = ActionKind::kBodyStart;
    event.call = fields.number();
  } else if (kind == "end") {
    event.kind = ActionKind::kBodyEnd;
    event.call = fields.number();
    event.reply = fields.reply();
  } else if (kind == "callback") {
    event.kind = ActionKind::kCallback;
    event.call = fields.number();
    event.operation.registration = fields.number();
    event.client = fields.number();
  } else {
    return std::nullopt;
  }
  return event;
}

}  // namespace

absl::StatusOr<Event> parse_event(std::string_view line) {
  Fields fields(line);
  const std::optional<Event> event = read_event(fields.word(), fields);
  if (!event.has_value() || !fields.ok() || !fields.at_end()) return not_understood(line);
  return *event;
}

absl::StatusOr<Observation> parse_observation(std::string_view text) {
  Fields fields(text);
  Observation observation;
  observation.calls = fields.visibles();
  observation.outcomes = fields.replies();
  observation.started = fields.bits();
  observation.busy = fields.bits();
  observation.replies = fields.replies();
  observation.callbacks_ran = fields.bits();
  if (!fields.ok() || !fields.at_end()) return not_understood(text);
  return observation;
}

}  // namespace futures::spec_tests
