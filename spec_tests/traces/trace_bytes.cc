// The byte form of a trace.
//
// The first byte holds workers - 1 in bits 0-1 and clients - 1 in bits 2-3. Then come instructions: one byte with bit 7
// set, whose bits 0-3 choose the opcode, and one operand byte with bit 7 clear. A submit opens a body; it lasts until
// its return or throw. As in UTF-8, a reader finds its place again after any damage: an operand that is missing is 0,
// one too many is ignored. Calls are named by how many submits back they stand, so that an insertion or a removal
// changes nothing behind it. Together: a small mutation of the bytes is a small mutation of the trace.
//
// Deviations of the schedule may stand between steps, wherever: an instruction whose operand says how many choices
// after the last one, and whose second operand is the option; 0 is no deviation, and only goes on.
//
// The verbs of these tables keep their first index for ever, or the fuzzers' corpora would change their meaning. A new
// verb takes one of the repeated places, which until then only weigh the verbs.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "spec_tests/traces/trace.h"
#include "spec_tests/traces/trace_verbs.h"

namespace futures::spec_tests {
namespace {

constexpr std::uint8_t kInstructionBit = 0x80;
constexpr int kOpcodeMask = 0x0f;
constexpr int kCallMask = 0x0f;  // Operand: the call, as a distance back.
constexpr int kGateMask = 0x03;  // Operand: the gate.
constexpr int kWaitBit = 0x01;  // Operand of shutdown.
constexpr int kCancelBit = 0x02;  // Operand of shutdown.
constexpr int kWaitForMask = 0x03;  // Operand of wait.
constexpr int kWaitForCount = 3;
constexpr int kPollBit = 0x04;  // Operand of wait and as_completed. Three bytes follow: the calls.
constexpr int kSetBytes = 3;
constexpr int kClientShift = 4;  // Operand of a step: the client, in bits 4-5.
static_assert(kCallMask == kCallsMax - 1 && kGateMask == kGatesMax - 1);

struct Opcode {
  enum Kind : std::uint8_t { kStatement, kReturn, kThrow, kDeviation } kind;
  Verb verb = Verb::kSubmit;
};

constexpr Opcode kStepOpcodes[kOpcodeMask + 1] = {
    {Opcode::kStatement, Verb::kSubmit},   {Opcode::kStatement, Verb::kCancel},
    {Opcode::kStatement, Verb::kResult},   {Opcode::kStatement, Verb::kPoll},
    {Opcode::kStatement, Verb::kCallback}, {Opcode::kStatement, Verb::kShutdown},
    {Opcode::kStatement, Verb::kRelease},  {Opcode::kStatement, Verb::kSubmit},
    {Opcode::kStatement, Verb::kWait},     {Opcode::kStatement, Verb::kAsCompleted},
    {Opcode::kStatement, Verb::kMap},      {Opcode::kStatement, Verb::kCancel},
    {Opcode::kStatement, Verb::kCallback}, {Opcode::kDeviation},
    {Opcode::kStatement, Verb::kResult},   {Opcode::kStatement, Verb::kDestroy},
};
constexpr Opcode kBodyOpcodes[kOpcodeMask + 1] = {
    {Opcode::kReturn},
    {Opcode::kThrow},
    {Opcode::kStatement, Verb::kSubmit},
    {Opcode::kStatement, Verb::kCancel},
    {Opcode::kStatement, Verb::kPoll},
    {Opcode::kStatement, Verb::kCallback},
    {Opcode::kStatement, Verb::kShutdown},
    {Opcode::kStatement, Verb::kGate},
    {Opcode::kReturn},
    {Opcode::kReturn},
    {Opcode::kReturn},
    {Opcode::kThrow},
    {Opcode::kStatement, Verb::kGate},
    {Opcode::kStatement, Verb::kGate},
    {Opcode::kStatement, Verb::kSubmit},
    {Opcode::kStatement, Verb::kCancel},
};

std::uint8_t opcode_of(const Opcode (&table)[kOpcodeMask + 1], Opcode::Kind kind, Verb verb) {
  const auto same = [&](const Opcode& opcode) {
    return opcode.kind == kind && (kind != Opcode::kStatement || opcode.verb == verb);
  };
  const auto place = std::find_if(std::begin(table), std::end(table), same);
  return static_cast<std::uint8_t>(kInstructionBit | (place - std::begin(table)));
}

class Decoder {
 public:
  explicit Decoder(absl::Span<const std::uint8_t> bytes) : bytes_(bytes) {}

  Trace decode() {
    Trace trace;
    if (!bytes_.empty()) {
      trace.workers = 1 + (bytes_[0] & 0x03);
      trace.clients = 1 + ((bytes_[0] >> 2) & 0x03);
      next_ = 1;
    }
    while (trace.steps.size() < kStepsMax && next_instruction()) {
      if (kStepOpcodes[opcode_].kind == Opcode::kDeviation) {
        decode_deviation(trace.schedule);
        continue;
      }
      const int client = (operand_ >> kClientShift) % trace.clients;
      if (auto statement = decode_statement(kStepOpcodes[opcode_].verb, /*depth=*/0)) {
        trace.steps.push_back({.client = client, .statement = *std::move(statement)});
      }
    }
    visit_statements(trace, [&](Statement& statement) {
      if (calls_ == 0) return;
      if (names_call(row_of(statement.verb).operands)) statement.call %= calls_;
      std::uint16_t there = 0;
      for (int call = 0; call < kCallsMax; ++call) {
        if ((statement.calls >> call & 1) != 0) there |= static_cast<std::uint16_t>(1u << (call % calls_));
      }
      statement.calls = there;
    });
    return normalised(std::move(trace));
  }

 private:
  // Moves to the next instruction; false at the end of the bytes.
  bool next_instruction() {
    while (next_ < bytes_.size() && bytes_[next_] < kInstructionBit) ++next_;
    if (next_ >= bytes_.size()) return false;
    opcode_ = bytes_[next_++] & kOpcodeMask;
    operand_ = 0;
    if (next_ < bytes_.size() && bytes_[next_] < kInstructionBit) operand_ = bytes_[next_++];
    return true;
  }

  void decode_deviation(simulator::Schedule& schedule) {
    choice_ += operand_;
    const bool has_option = next_ < bytes_.size() && bytes_[next_] < kInstructionBit;
    const int option = has_option ? bytes_[next_++] : 0;
    if (option == 0) return;
    schedule.push_back({.choice = choice_++, .option = option});
  }

  // The statement of the current instruction and, of a submit, the instructions of its body.
  std::optional<Statement> decode_statement(Verb verb, int depth) {
    Statement statement;
    statement.verb = verb;
    switch (row_of(verb).operands) {
      case Operands::kCallAndBody:
        if (depth >= kNestingMax || calls_ >= kCallsMax) return std::nullopt;
        statement.call = calls_++;
        statement.body.push_back(decode_body(depth + 1));
        break;
      case Operands::kCall:
      case Operands::kCallAndRegistration:
        statement.call = (calls_ - 1 - operand_) & kCallMask;
        break;
      case Operands::kShutdown:
        statement.wait = (operand_ & kWaitBit) != 0;
        statement.cancel_futures = (operand_ & kCancelBit) != 0;
        break;
      case Operands::kGate:
        statement.gate = operand_ & kGateMask;
        break;
      case Operands::kWait:
        statement.wait_for = static_cast<WaitFor>((operand_ & kWaitForMask) % kWaitForCount);
        [[fallthrough]];
      case Operands::kCalls:
        statement.poll = (operand_ & kPollBit) != 0;
        statement.calls = decode_calls();
        break;
      case Operands::kInputs:
        statement.body.push_back(decode_body(depth + 1));
        break;
      case Operands::kNothing:
        break;
    }
    return statement;
  }

  // A set of calls: bit k is the call k + 1 submits back. Before a first submit there is none, and what stands here is
  // about calls to come.
  std::uint16_t decode_calls() {
    std::uint32_t distances = 0;
    for (int i = 0; i < kSetBytes && next_ < bytes_.size() && bytes_[next_] < kInstructionBit; ++i) {
      distances |= static_cast<std::uint32_t>(bytes_[next_++]) << (7 * i);
    }
    std::uint16_t calls = 0;
    for (int k = 0; k < kCallsMax; ++k) {
      if ((distances >> k & 1) != 0) calls |= static_cast<std::uint16_t>(1u << ((calls_ - 1 - k) & kCallMask));
    }
    return calls;
  }

  // A body that the bytes leave open, or whose statements find no room, ends all the same.
  Body decode_body(int depth) {
    Body body;
    while (next_instruction()) {
      const Opcode opcode = kBodyOpcodes[opcode_];
      if (opcode.kind != Opcode::kStatement) {
        body.throws = opcode.kind == Opcode::kThrow;
        body.value = operand_ % (kValueMax + 1);
        return body;
      }
      if (body.statements.size() >= kBodyStatementsMax) continue;
      if (auto statement = decode_statement(opcode.verb, depth)) body.statements.push_back(*std::move(statement));
    }
    return body;
  }

  const absl::Span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
  int opcode_ = 0;
  int operand_ = 0;
  int calls_ = 0;
  int choice_ = 0;  // The first one that the schedule has said nothing about.
};

class Encoder {
 public:
  std::vector<std::uint8_t> encode(const Trace& trace) {
    bytes_.push_back(static_cast<std::uint8_t>((trace.workers - 1) | (trace.clients - 1) << 2));
    put_schedule(trace.schedule);
    for (const Step& step : trace.steps) {
      put(opcode_of(kStepOpcodes, Opcode::kStatement, step.statement.verb),
          operand_of(step.statement) | step.client << kClientShift);
      put_calls_of(step.statement);
      put_body_of(step.statement);
    }
    return std::move(bytes_);
  }

 private:
  void put(std::uint8_t opcode, int operand) {
    bytes_.push_back(opcode);
    bytes_.push_back(static_cast<std::uint8_t>(operand & ~kInstructionBit));
  }

  void put_schedule(const simulator::Schedule& schedule) {
    constexpr int kOperandMax = kInstructionBit - 1;
    int choice = 0;
    for (const simulator::Deviation& deviation : schedule) {
      for (; deviation.choice - choice > kOperandMax; choice += kOperandMax) put_deviation(kOperandMax, 0);
      put_deviation(deviation.choice - choice, deviation.option);
      choice = deviation.choice + 1;
    }
  }

  // Writes the option even if it is 0, so that no stray operand behind it is taken for one.
  void put_deviation(int choices_on, int option) {
    put(opcode_of(kStepOpcodes, Opcode::kDeviation, Verb::kSubmit), choices_on);
    bytes_.push_back(static_cast<std::uint8_t>(option));
  }

  int operand_of(const Statement& statement) const {
    switch (row_of(statement.verb).operands) {
      case Operands::kCallAndBody:
        return 0;
      case Operands::kCall:
      case Operands::kCallAndRegistration:
        return (calls_ - 1 - statement.call) & kCallMask;
      case Operands::kShutdown:
        return (statement.wait ? kWaitBit : 0) | (statement.cancel_futures ? kCancelBit : 0);
      case Operands::kGate:
        return statement.gate & kGateMask;
      case Operands::kWait:
        return static_cast<int>(statement.wait_for) | (statement.poll ? kPollBit : 0);
      case Operands::kCalls:
        return statement.poll ? kPollBit : 0;
      case Operands::kInputs:
      case Operands::kNothing:
        return 0;
    }
    return 0;
  }

  void put_calls_of(const Statement& statement) {
    const Operands operands = row_of(statement.verb).operands;
    if (operands != Operands::kWait && operands != Operands::kCalls) return;
    std::uint32_t distances = 0;
    for (int call = 0; call < kCallsMax; ++call) {
      if ((statement.calls >> call & 1) != 0) distances |= 1u << ((calls_ - 1 - call) & kCallMask);
    }
    for (int i = 0; i < kSetBytes; ++i) bytes_.push_back(static_cast<std::uint8_t>(distances >> (7 * i) & 0x7f));
  }

  void put_body_of(const Statement& statement) {
    if (statement.body.empty()) return;
    if (statement.verb == Verb::kSubmit) ++calls_;
    const Body& body = statement.body[0];
    for (const Statement& nested : body.statements) {
      put(opcode_of(kBodyOpcodes, Opcode::kStatement, nested.verb), operand_of(nested));
      put_body_of(nested);
    }
    put(opcode_of(kBodyOpcodes, body.throws ? Opcode::kThrow : Opcode::kReturn, Verb::kSubmit), body.value);
  }

  std::vector<std::uint8_t> bytes_;
  int calls_ = 0;
};

}  // namespace

Trace decode_trace(absl::Span<const std::uint8_t> bytes) { return Decoder(bytes).decode(); }

std::vector<std::uint8_t> encode_trace(const Trace& trace) { return Encoder().encode(trace); }

}  // namespace futures::spec_tests
