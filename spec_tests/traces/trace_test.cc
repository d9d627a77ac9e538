#include "spec_tests/traces/trace.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "rapidcheck.h"
#include "rapidcheck/gtest.h"

namespace futures::spec_tests {
namespace {

constexpr char kExample[] =
    "workers 2\n"
    "clients 2\n"
    "0 submit c0 { gate g0; return 7 }\n"
    "1 submit c1 { submit c2 { throw 3 }; cancel c2; poll c0; callback c0; shutdown nowait; return 1 }\n"
    "0 cancel c1\n"
    "1 callback c0\n"
    "0 poll c0\n"
    "1 result c0\n"
    "0 release g0\n"
    "1 wait first c0 c1\n"
    "1 as_completed poll c0\n"
    "1 map { submit c3 { return 1 }; submit c4 { throw 2 }; take 1 }\n"
    "0 shutdown wait cancel\n"
    "0 destroy\n";

Trace parsed(const std::string& text) {
  absl::StatusOr<Trace> trace = parse_trace(text);
  EXPECT_TRUE(trace.ok()) << trace.status() << "\n" << text;
  return trace.ok() ? *trace : Trace();
}

std::vector<std::string> lines_of(const Trace& trace) { return absl::StrSplit(to_text(trace), '\n'); }

// ---------------------------------------------------------------------------------------------- text form

TEST(TraceText, ReadsTheExampleOfTheHeader) {
  const Trace trace = parsed(kExample);
  EXPECT_EQ(trace.workers, 2);
  EXPECT_EQ(trace.clients, 2);
  ASSERT_EQ(trace.steps.size(), 12u);
  EXPECT_EQ(trace.steps[0].client, 0);
  EXPECT_EQ(trace.steps[0].statement.verb, Verb::kSubmit);
  EXPECT_EQ(trace.steps[0].statement.body[0].statements[0].verb, Verb::kGate);
  EXPECT_EQ(trace.steps[0].statement.body[0].value, 7);

  const Body& body = trace.steps[1].statement.body[0];
  ASSERT_EQ(body.statements.size(), 5u);
  EXPECT_EQ(body.statements[0].call, 2);
  EXPECT_TRUE(body.statements[0].body[0].throws);
  EXPECT_EQ(body.statements[0].body[0].value, 3);
  EXPECT_EQ(body.statements[3].registration, 0);
  EXPECT_EQ(body.statements[4].verb, Verb::kShutdown);
  EXPECT_FALSE(body.statements[4].wait);

  EXPECT_EQ(trace.steps[3].statement.registration, 1);
  EXPECT_EQ(trace.steps[7].statement.wait_for, WaitFor::kFirst);
  EXPECT_EQ(trace.steps[7].statement.calls, 0b11);
  EXPECT_FALSE(trace.steps[7].statement.poll);
  EXPECT_TRUE(trace.steps[8].statement.poll);
  EXPECT_EQ(trace.steps[8].statement.calls, 0b1);
  ASSERT_EQ(trace.steps[9].statement.body[0].statements.size(), 2u);
  EXPECT_EQ(trace.steps[9].statement.body[0].statements[1].call, 4);
  EXPECT_EQ(trace.steps[9].statement.body[0].value, 1);
  EXPECT_EQ(mapped_calls(trace), 0b11000);
  EXPECT_TRUE(trace.steps[10].statement.wait);
  EXPECT_TRUE(trace.steps[10].statement.cancel_futures);
  EXPECT_EQ(trace.steps[11].statement.verb, Verb::kDestroy);
  EXPECT_EQ(count_calls(trace), 5);
  EXPECT_EQ(count_registrations(trace), 2);
}

TEST(TraceText, WritesWhatItReads) {
  EXPECT_EQ(to_text(parsed(kExample)), kExample);
  std::ostringstream out;
  out << parsed(kExample);
  EXPECT_EQ(out.str(), kExample);
  EXPECT_EQ(to_text(Trace()), "workers 1\nclients 1\n");
}

TEST(TraceText, AScheduleStandsBeforeTheFirstOperation) {
  const std::string text = "workers 1\nclients 1\nschedule 3:1 40:2\n0 submit c0 { return 0 }\n";
  const Trace trace = parsed(text);
  EXPECT_EQ(trace.schedule, (simulator::Schedule{{.choice = 3, .option = 1}, {.choice = 40, .option = 2}}));
  EXPECT_EQ(to_text(trace), text);
  EXPECT_EQ(decode_trace(encode_trace(trace)), trace);
  for (const auto& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {"schedule 3:1 3:2", "line 3: the choices of a schedule must ascend; '3:2' does not"},
           {"schedule 3:0", "line 3: expected a choice (0 to 20000), ':' and an option (1 to 100), found '3:0'"},
           {"schedule 20001:1",
            "line 3: expected a choice (0 to 20000), ':' and an option (1 to 100), found '20001:1'"},
           {"schedule 3", "line 3: expected a choice (0 to 20000), ':' and an option (1 to 100), found '3'"},
           {"schedule 3:1\nschedule 4:1", "line 4: 'schedule' is given twice"},
           {"0 destroy\nschedule 3:1", "line 4: 'schedule' must stand before the first operation"}}) {
    EXPECT_EQ(parse_trace("workers 1\nclients 1\n" + line).status().message(), message);
  }
}

TEST(TraceText, CommentsBlankLinesAndSpacingMeanNothing) {
  const Trace trace = parsed(
      "# a comment\r\n\n  clients 1 # one\n\tworkers 2\r\n"
      "0   submit c0{gate g1;return 0}# no space is needed around the marks\n"
      "   \n0 release g1");
  EXPECT_EQ(to_text(trace), "workers 2\nclients 1\n0 submit c0 { gate g1; return 0 }\n0 release g1\n");
}

TEST(TraceText, ReferencesMayPointForward) {
  const Trace trace =
      parsed("workers 1\nclients 1\n0 submit c0 { gate g0; cancel c1; return 0 }\n0 submit c1 { return 1 }\n");
  EXPECT_EQ(trace.steps[0].statement.body[0].statements[1].call, 1);
}

TEST(TraceText, BodiesAreFoundByTheirCall) {
  const Trace trace = parsed(kExample);
  const std::vector<const Body*> bodies = bodies_of(trace);
  ASSERT_EQ(bodies.size(), 5u);
  EXPECT_EQ(bodies[0]->value, 7);
  EXPECT_EQ(bodies[1]->value, 1);
  EXPECT_EQ(bodies[2]->value, 3);
}

struct BadText {
  std::string text;  // After two lines that give two workers and two clients, if `headed`.
  std::string message;
  bool headed = true;
};

std::string repeated(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, text);
  return all;
}

std::string many_submits(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, "0 submit c", i, " { return 0 }\n");
  return all;
}

std::vector<BadText> bad_texts() {
  const std::string many_statements = repeated(kBodyStatementsMax + 1, "gate g0; ");
  return {
      {"0 sumbit c0 { return 0 }", "line 3: unknown verb 'sumbit'"},
      {"0", "line 3: expected a verb, found the end of the line"},
      {"\n\nfoo", "line 5: expected 'workers', 'clients', 'schedule' or the number of a client, found 'foo'"},
      {"-1 cancel c0", "line 3: expected 'workers', 'clients', 'schedule' or the number of a client, found '-1'"},
      {"2 shutdown wait", "line 3: client 2 does not exist: clients are numbered 0 to 1"},
      {"0 gate g0", "line 3: 'gate' can stand in a body only"},
      {"0 submit c0 { result c0; return 0 }", "line 3: 'result' cannot stand in a body"},
      {"0 submit c0 { release g0; return 0 }", "line 3: 'release' cannot stand in a body"},
      {"0 submit c0 { foo c0; return 0 }", "line 3: unknown verb 'foo'"},
      {"0 submit",
       "line 3: expected c0 after 'submit', found the end of the line: calls are numbered in the order of "
       "their submits"},
      {"0 submit c1 { return 0 }",
       "line 3: expected c0 after 'submit', found 'c1': calls are numbered in the order of "
       "their submits"},
      {"0 submit c0", "line 3: expected '{' after 'c0', found the end of the line"},
      {"0 submit c0 {", "line 3: a body without end: expected 'return N }' or 'throw N }'"},
      {"0 submit c0 { gate g0;", "line 3: a body without end: expected 'return N }' or 'throw N }'"},
      {"0 submit c0 { gate g0; }", "line 3: a body must end with 'return N' or 'throw N' before '}'"},
      {"0 submit c0 { gate g0 return 0 }", "line 3: expected ';' after a statement, found 'return'"},
      {"0 submit c0 { return 0", "line 3: expected '}' at the end of a body, found the end of the line"},
      {"0 submit c0 { return 0; gate g0 }", "line 3: expected '}' at the end of a body, found ';'"},
      {"0 submit c0 { return 100 }", "line 3: expected 0 to 99 after 'return', found '100'"},
      {"0 submit c0 { throw x }", "line 3: expected 0 to 99 after 'throw', found 'x'"},
      {"0 submit c0 { return 99999999999999 }", "line 3: expected 0 to 99 after 'return', found '99999999999999'"},
      {"0 cancel c0", "line 3: c0 is not submitted anywhere in the trace"},
      {"0 poll c3\n0 submit c0 { return 0 }\n", "line 3: c3 is not submitted anywhere in the trace"},
      {"0 cancel 0", "line 3: expected c0 to c15 after 'cancel', found '0'"},
      {"0 cancel c", "line 3: expected c0 to c15 after 'cancel', found 'c'"},
      {"0 callback c16", "line 3: expected c0 to c15 after 'callback', found 'c16'"},
      {"0 release g4", "line 3: expected g0 to g3 after 'release', found 'g4'"},
      {"0 release", "line 3: expected g0 to g3 after 'release', found the end of the line"},
      {"0 shutdown", "line 3: expected 'wait' or 'nowait' after 'shutdown', found the end of the line"},
      {"0 shutdown now", "line 3: expected 'wait' or 'nowait' after 'shutdown', found 'now'"},
      {"0 shutdown wait cancle", "line 3: unexpected 'cancle' after the end of the operation"},
      {"0 release g0 g1", "line 3: unexpected 'g1' after the end of the operation"},
      {"workers 2", "line 3: 'workers' is given twice"},
      {"clients 2", "line 3: 'clients' is given twice"},
      {many_submits(kCallsMax + 1), "line 19: more than 16 calls"},
      {repeated(kStepsMax + 1, "0 release g0\n"), "line 35: more than 32 operations"},
      {"0 submit c0 { " + many_statements + "return 0 }", "line 3: more than 6 statements in a body"},
      {"0 submit c0 { submit c1 { submit c2 { submit c3 { return 0 }; return 0 }; return 0 }; return 0 }",
       "line 3: bodies stand more than 3 deep in each other"},
      {"0 release \x01\xff", "line 3: expected g0 to g3 after 'release', found '\\x01\\xff'"},
      {"0 " + std::string(1000, 'x'), "line 3: unknown verb '" + std::string(40, 'x') + "'"},
      {"", "line 1: 'workers N' is missing; it must stand before the first operation", false},
      {"workers 1\n", "line 2: 'clients N' is missing; it must stand before the first operation", false},
      {"clients 1\n0 release g0", "line 2: 'workers N' is missing; it must stand before the first operation", false},
      {"workers 1\n0 release g0", "line 2: 'clients N' is missing; it must stand before the first operation", false},
      {"workers 0", "line 1: expected 1 to 4 after 'workers', found '0'", false},
      {"clients 5", "line 1: expected 1 to 4 after 'clients', found '5'", false},
      {"workers", "line 1: expected 1 to 4 after 'workers', found the end of the line", false},
  };
}

TEST(TraceText, EveryMistakeIsNamedWithItsLine) {
  for (const BadText& bad : bad_texts()) {
    const std::string text = (bad.headed ? "workers 2\nclients 2\n" : "") + bad.text;
    const absl::StatusOr<Trace> trace = parse_trace(text);
    EXPECT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(trace.status().message(), bad.message) << text;
  }
}

TEST(TraceText, SizesStandBeforeTheFirstOperation) {
  const absl::StatusOr<Trace> trace = parse_trace("workers 1\nclients 1\n0 release g0\nworkers 1\n");
  EXPECT_EQ(trace.status().message(), "line 4: 'workers' is given twice");
}

RC_GTEST_PROP(TraceText, AnyTextIsReadOrRefused, (const std::vector<std::uint8_t>& bytes)) {
  const std::string tail(bytes.begin(), bytes.end());
  const absl::StatusOr<Trace> trace = parse_trace("workers 2\nclients 2\n0 submit c0 { " + tail);
  if (trace.ok()) RC_ASSERT(parse_trace(to_text(*trace)).value() == *trace);
}

// ---------------------------------------------------------------------------------------------- byte form

// Bytes such as a fuzzer makes: runs of sense in noise.
rc::Gen<std::vector<std::uint8_t>> bytes_with_sense() {
  const auto instruction = rc::gen::map(rc::gen::arbitrary<std::uint8_t>(),
                                        [](std::uint8_t byte) { return static_cast<std::uint8_t>(byte | 0x80); });
  return rc::gen::container<std::vector<std::uint8_t>>(rc::gen::oneOf(instruction, rc::gen::arbitrary<std::uint8_t>()));
}

Trace some_trace() { return decode_trace(*rc::gen::resize(300, bytes_with_sense())); }

TEST(TraceBytes, TheEmptyStringIsTheSmallestTrace) { EXPECT_EQ(decode_trace({}), Trace()); }

TEST(TraceBytes, TheExampleTakesTwoBytesPerInstructionAndThreePerSet) {
  const Trace trace = parsed(kExample);
  const std::vector<std::uint8_t> bytes = encode_trace(trace);
  EXPECT_EQ(decode_trace(bytes), trace);
  // The first byte; 12 steps, 8 statements in bodies and maps, 6 ends of these; three bytes for each of two sets.
  EXPECT_EQ(bytes.size(), 1u + 2 * (12 + 8 + 6) + 3 * 2);
}

TEST(TraceBytes, BodiesThatTheBytesLeaveOpenEnd) {
  std::vector<std::uint8_t> bytes =
      encode_trace(parsed("workers 1\nclients 1\n0 submit c0 { submit c1 { gate g1; throw 5 }; return 6 }\n"));
  bytes.resize(bytes.size() - 4);
  EXPECT_EQ(to_text(decode_trace(bytes)),
            "workers 1\nclients 1\n0 submit c0 { submit c1 { gate g1; return 0 }; return 0 }\n");
}

// A deviation so far on takes several instructions; a stray operand behind any of them must not become its option.
TEST(TraceBytes, AStrayOperandBehindAnyPartOfADeviationChangesNothing) {
  const Trace trace = parsed("workers 1\nclients 1\nschedule 300:1\n");
  const std::vector<std::uint8_t> bytes = encode_trace(trace);
  for (std::size_t place = 1; place <= bytes.size(); ++place) {
    if (place < bytes.size() && bytes[place] < 0x80) continue;
    std::vector<std::uint8_t> damaged = bytes;
    damaged.insert(damaged.begin() + static_cast<std::ptrdiff_t>(place), 1);
    EXPECT_EQ(decode_trace(damaged), trace) << "stray operand at " << place;
  }
}

RC_GTEST_PROP(TraceBytes, AnyBytesAreANormalisedTrace, (const std::vector<std::uint8_t>& bytes)) {
  const Trace trace = decode_trace(bytes);
  RC_ASSERT(normalised(trace) == trace);
}

RC_GTEST_PROP(TraceBytes, RoundTripsAreExact, ()) {
  const Trace trace = some_trace();
  RC_CLASSIFY(count_calls(trace) == kCallsMax, "as many calls as there may be");
  RC_CLASSIFY(trace.steps.size() == kStepsMax, "as many steps as there may be");
  RC_ASSERT(normalised(trace) == trace);
  RC_ASSERT(decode_trace(encode_trace(trace)) == trace);
  const absl::StatusOr<Trace> read = parse_trace(to_text(trace));
  RC_ASSERT(read.ok());
  RC_ASSERT(*read == trace);
}

// Where in the bytes of a trace, after the first one, stands what `matches`.
template <typename Predicate>
std::vector<std::size_t> places(const std::vector<std::uint8_t>& bytes, Predicate matches) {
  std::vector<std::size_t> found;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if (matches(bytes[i])) found.push_back(i);
  }
  return found;
}

RC_GTEST_PROP(TraceBytes, AChangedOperandChangesOneOperation, ()) {
  const Trace trace = some_trace();
  std::vector<std::uint8_t> bytes = encode_trace(trace);
  const std::vector<std::size_t> operands = places(bytes, [](std::uint8_t byte) { return byte < 0x80; });
  RC_PRE(!operands.empty());
  const std::size_t place = *rc::gen::elementOf(operands);
  bytes[place] = *rc::gen::inRange<std::uint8_t>(0, 128);
  const std::vector<std::string> before = lines_of(trace);
  const std::vector<std::string> after = lines_of(decode_trace(bytes));
  RC_ASSERT(before.size() == after.size());
  int changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i) changed += before[i] != after[i] ? 1 : 0;
  RC_ASSERT(changed <= 1);
}

// Whatever one byte does at the start, calls and references further on keep their distance.
RC_GTEST_PROP(TraceBytes, AStrayOperandByteChangesNothing, ()) {
  const Trace trace = some_trace();
  std::vector<std::uint8_t> bytes = encode_trace(trace);
  std::vector<std::size_t> ends = places(bytes, [](std::uint8_t byte) { return byte >= 0x80; });
  ends.push_back(bytes.size());
  const std::size_t place = *rc::gen::elementOf(ends);
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(place), *rc::gen::inRange<std::uint8_t>(0, 128));
  RC_ASSERT(decode_trace(bytes) == trace);
}

// ---------------------------------------------------------------------------------------------- normalising

TEST(Normalise, RemovingASubmitMovesItsReferencesToTheCallBeforeIt) {
  Trace trace = parsed(
      "workers 1\nclients 1\n0 submit c0 { return 0 }\n0 submit c1 { return 1 }\n0 submit c2 { return 2 }\n"
      "0 cancel c1\n0 cancel c2\n0 callback c0\n");
  trace.steps.erase(trace.steps.begin() + 1);
  EXPECT_EQ(to_text(normalised(trace)),
            "workers 1\nclients 1\n0 submit c0 { return 0 }\n0 submit c1 { return 2 }\n"
            "0 cancel c0\n0 cancel c1\n0 callback c0\n");
}

TEST(Normalise, ReferencesGoWithTheLastCall) {
  Trace trace = parsed("workers 1\nclients 1\n0 submit c0 { return 0 }\n0 cancel c0\n0 shutdown wait\n");
  trace.steps.erase(trace.steps.begin());
  EXPECT_EQ(to_text(normalised(trace)), "workers 1\nclients 1\n0 shutdown wait\n");
}

TEST(Normalise, VerbsFitTheirPlace) {
  Trace trace = parsed("workers 1\nclients 1\n0 submit c0 { gate g0; poll c0; return 0 }\n0 release g0\n");
  trace.steps[0].statement.body[0].statements[0].verb = Verb::kRelease;
  trace.steps[0].statement.body[0].statements[1].verb = Verb::kResult;
  trace.steps[1].statement.verb = Verb::kGate;
  EXPECT_EQ(to_text(normalised(trace)),
            "workers 1\nclients 1\n0 submit c0 { gate g0; poll c0; return 0 }\n0 release g0\n");
}

// A statement with no regard for any rule.
Statement wild_statement(int depth) {
  Statement statement;
  statement.verb = static_cast<Verb>(*rc::gen::inRange(0, 14));  // Two past the last one.
  statement.call = *rc::gen::inRange(-2, 20);
  statement.registration = *rc::gen::inRange(-2, 200);
  statement.gate = *rc::gen::inRange(-2, 10);
  statement.wait = *rc::gen::arbitrary<bool>();
  statement.cancel_futures = *rc::gen::arbitrary<bool>();
  statement.calls = *rc::gen::arbitrary<std::uint16_t>();
  statement.wait_for = static_cast<WaitFor>(*rc::gen::inRange(0, 5));
  statement.poll = *rc::gen::arbitrary<bool>();
  const int bodies = depth < 5 ? *rc::gen::weightedElement<int>({{6, 0}, {3, 1}, {1, 2}}) : 0;
  for (int i = 0; i < bodies; ++i) {
    Body& body = statement.body.emplace_back();
    body.throws = *rc::gen::arbitrary<bool>();
    body.value = *rc::gen::arbitrary<int>();
    const int statements = *rc::gen::inRange(0, 8 - depth);
    for (int j = 0; j < statements; ++j) body.statements.push_back(wild_statement(depth + 1));
  }
  return statement;
}

RC_GTEST_PROP(Normalise, AnythingBecomesATraceThatEveryFormCarries, ()) {
  Trace wild;
  wild.workers = *rc::gen::inRange(-3, 10);
  wild.clients = *rc::gen::inRange(-3, 10);
  const int steps = *rc::gen::inRange(0, 50);
  for (int i = 0; i < steps; ++i) {
    wild.steps.push_back({.client = *rc::gen::inRange(-3, 10), .statement = wild_statement(0)});
  }
  const int deviations = *rc::gen::inRange(0, 20);
  for (int i = 0; i < deviations; ++i) {
    wild.schedule.push_back({.choice = *rc::gen::inRange(-3, 30'000), .option = *rc::gen::inRange(-3, 200)});
  }
  const Trace trace = normalised(wild);
  RC_ASSERT(normalised(trace) == trace);
  RC_ASSERT(decode_trace(encode_trace(trace)) == trace);
  RC_ASSERT(parse_trace(to_text(trace)).value() == trace);
}

}  // namespace
}  // namespace futures::spec_tests
