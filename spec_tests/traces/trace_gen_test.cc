#include "spec_tests/traces/trace_gen.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "rapidcheck.h"
#include "rapidcheck/gtest.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

const char* word_of(Verb verb) {
  switch (verb) {
    case Verb::kSubmit:
      return "submit";
    case Verb::kCancel:
      return "cancel";
    case Verb::kResult:
      return "result";
    case Verb::kPoll:
      return "poll";
    case Verb::kCallback:
      return "callback";
    case Verb::kShutdown:
      return "shutdown";
    case Verb::kRelease:
      return "release";
    case Verb::kGate:
      return "gate";
    case Verb::kWait:
      return "wait";
    case Verb::kAsCompleted:
      return "as_completed";
    case Verb::kMap:
      return "map";
    case Verb::kDestroy:
      return "destroy";
  }
  return "?";
}

bool is_gated(const Statement& submit) {
  return !submit.body[0].statements.empty() && submit.body[0].statements[0].verb == Verb::kGate;
}

// Names what stands in a body and in the bodies inside it.
void collect_body(const Body& body, int depth, int call, std::set<std::string>& found) {
  if (body.throws) found.insert("a body throws");
  found.insert(absl::StrCat("depth ", depth));
  for (const Statement& statement : body.statements) {
    found.insert(absl::StrCat(word_of(statement.verb), " in a body"));
    if (statement.verb == Verb::kSubmit) collect_body(statement.body[0], depth + 1, statement.call, found);
    if (statement.verb == Verb::kCancel && statement.call == call) found.insert("a call cancels itself");
    if (statement.verb != Verb::kSubmit && statement.call > call) found.insert("a body names a later call");
    if (statement.verb == Verb::kShutdown) {
      found.insert(statement.wait ? "a body shuts down and waits" : "a body shuts down without waiting");
    }
  }
}

// Names the situations that the text of the trace sets up. Which of them come about depends on the executor.
std::set<std::string> situations(const Trace& trace) {
  std::set<std::string> found{absl::StrCat("workers ", trace.workers), absl::StrCat("clients ", trace.clients)};
  int gated = 0;
  int released = 0;
  bool shut_down = false;
  std::set<int> gated_calls;
  std::set<int> behind;             // Submitted when every worker was held.
  std::set<int> with_callback;
  std::set<int> gated_submitters;   // Bodies that submit once their gate is open.
  for (const Step& step : trace.steps) {
    const Statement& statement = step.statement;
    found.insert(word_of(statement.verb));
    if (shut_down) found.insert(absl::StrCat(word_of(statement.verb), " after shutdown"));
    if (behind.contains(statement.call)) {
      found.insert(absl::StrCat(word_of(statement.verb), " of a call behind held workers"));
    }
    if (statement.verb == Verb::kSubmit) {
      collect_body(statement.body[0], 1, statement.call, found);
      if (gated >= trace.workers && released == 0) behind.insert(statement.call);
      if (is_gated(statement)) {
        ++gated;
        gated_calls.insert(statement.call);
        for (const Statement& nested : statement.body[0].statements) {
          if (nested.verb == Verb::kSubmit) gated_submitters.insert(statement.call);
        }
      }
    } else if (statement.verb == Verb::kCallback) {
      if (gated_calls.contains(statement.call) && released == 0) found.insert("callback before completion");
      if (!gated_calls.contains(statement.call)) found.insert("callback likely after completion");
      if (!with_callback.insert(statement.call).second) found.insert("two callbacks on one call");
    } else if (statement.verb == Verb::kWait) {
      static constexpr const char* kWords[] = {"wait all", "wait first", "wait exception"};
      found.insert(kWords[static_cast<int>(statement.wait_for)]);
      found.insert(statement.poll ? "wait poll" : statement.calls == 0 ? "wait for nothing" : "wait for some");
      for (const int call : behind) {
        if ((statement.calls >> call & 1) != 0) found.insert("a wait for a call behind held workers");
      }
    } else if (statement.verb == Verb::kAsCompleted) {
      found.insert(statement.poll ? "as_completed poll" : "as_completed to the end");
    } else if (statement.verb == Verb::kMap) {
      const Body& inputs = statement.body[0];
      const bool all = inputs.value == static_cast<int>(inputs.statements.size());
      found.insert(all ? "a map to the end" : inputs.value == 0 ? "a map that is never advanced" : "a map let go");
      if (gated >= trace.workers && released == 0) found.insert("a map behind held workers");
      for (const Statement& input : inputs.statements) {
        if (input.body[0].throws) found.insert("a map with an error");
      }
    } else if (statement.verb == Verb::kDestroy) {
      found.insert(shut_down ? "destroyed after shutdown" : "destroyed");
      if (gated > released) found.insert("destroyed with calls held");
    } else if (statement.verb == Verb::kRelease) {
      ++released;
      if (shut_down && !gated_submitters.empty()) found.insert("a gated body may submit after shutdown");
    } else if (statement.verb == Verb::kShutdown) {
      if (shut_down) found.insert("a second shutdown");
      shut_down = true;
      found.insert(
          absl::StrCat("shutdown ", statement.wait ? "wait" : "nowait", statement.cancel_futures ? " cancel" : ""));
      if (!behind.empty() && released == 0) {
        found.insert(absl::StrCat("shutdown ", statement.cancel_futures ? "cancel " : "", "with pending calls"));
      }
    }
  }
  return found;
}

std::map<std::string, int> counted(int traces) {
  std::map<std::string, int> counts;
  for (int i = 0; i < traces; ++i) {
    for (const std::string& situation : situations(trace_from_seed(1, i))) ++counts[situation];
  }
  return counts;
}

TEST(TraceGen, EverySituationComesUpOften) {
  struct Least {
    const char* situation;
    int times;
  };
  constexpr Least kLeast[] = {
      {"submit", 1900},
      {"cancel", 600},
      {"result", 400},
      {"poll", 300},
      {"callback", 500},
      {"shutdown", 400},
      {"release", 500},
      {"submit in a body", 300},
      {"cancel in a body", 150},
      {"poll in a body", 150},
      {"callback in a body", 150},
      {"shutdown in a body", 100},
      {"gate in a body", 1000},
      {"a body throws", 1000},
      {"a body shuts down and waits", 40},
      {"a body shuts down without waiting", 50},
      {"a call cancels itself", 30},
      {"a body names a later call", 50},
      {"depth 2", 300},
      {"depth 3", 50},
      {"workers 1", 700},
      {"workers 2", 500},
      {"workers 3", 150},
      {"workers 4", 100},
      {"clients 1", 200},
      {"clients 2", 700},
      {"clients 3", 400},
      {"clients 4", 150},
      {"cancel of a call behind held workers", 200},
      {"callback of a call behind held workers", 150},
      {"result of a call behind held workers", 100},
      {"callback before completion", 150},
      {"callback likely after completion", 150},
      {"two callbacks on one call", 150},
      {"shutdown wait", 200},
      {"shutdown wait cancel", 200},
      {"shutdown nowait", 200},
      {"shutdown nowait cancel", 200},
      {"shutdown with pending calls", 100},
      {"shutdown cancel with pending calls", 100},
      {"a second shutdown", 100},
      {"submit after shutdown", 250},
      {"cancel after shutdown", 100},
      {"callback after shutdown", 100},
      {"release after shutdown", 100},
      {"a gated body may submit after shutdown", 20},
      {"wait", 300},
      {"wait all", 100},
      {"wait first", 100},
      {"wait exception", 100},
      {"wait poll", 60},
      {"wait for nothing", 10},
      {"a wait for a call behind held workers", 50},
      {"as_completed", 200},
      {"as_completed poll", 50},
      {"map", 300},
      {"a map to the end", 150},
      {"a map let go", 50},
      {"a map that is never advanced", 50},
      {"a map behind held workers", 50},
      {"a map with an error", 100},
      {"map after shutdown", 50},
      {"destroyed", 30},
      {"destroyed after shutdown", 30},
      {"destroyed with calls held", 20},
  };
  std::map<std::string, int> counts = counted(2600);
  for (const Least& least : kLeast) {
    EXPECT_GE(counts[least.situation], least.times) << least.situation;
    RecordProperty(least.situation, counts[least.situation]);
  }
}

TEST(TraceGen, ASeedMeansTheSameTraceForEver) {
  // Reports name traces by seed and index: when this fails, old reports lose their meaning. Say so in the changelog.
  EXPECT_EQ(to_text(trace_from_seed(1, 0)),
            "workers 2\n"
            "clients 3\n"
            "1 submit c0 { gate g1; cancel c0; return 6 }\n"
            "2 submit c1 { gate g1; return 8 }\n"
            "0 submit c2 { poll c4; return 8 }\n"
            "1 submit c3 { return 4 }\n"
            "0 cancel c3\n"
            "2 map { submit c4 { return 2 }; submit c5 { submit c6 { return 4 }; throw 0 }; take 2 }\n"
            "1 callback c2\n"
            "1 shutdown nowait cancel\n");
  // Of all of the first thousand.
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (int i = 0; i < 1000; ++i) {
    for (const char c : to_text(trace_from_seed(42, i))) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  EXPECT_EQ(hash, 144093605929175457u);
}

TEST(TraceGen, IndicesAndSeedsGiveDifferentTraces) {
  std::set<std::string> texts;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (int i = 0; i < 500; ++i) texts.insert(to_text(trace_from_seed(seed, i)));
  }
  EXPECT_GE(texts.size(), 1900u);
}

TEST(TraceGen, TracesFromSeedsAreNormalised) {
  for (int i = 0; i < 2000; ++i) {
    const Trace trace = trace_from_seed(3, i);
    ASSERT_EQ(normalised(trace), trace);
    ASSERT_EQ(decode_trace(encode_trace(trace)), trace);
    ASSERT_EQ(parse_trace(to_text(trace)).value(), trace);
  }
}

RC_GTEST_PROP(TraceGen, TracesAndTheirShrinksAreNormalisedAndShrinksSmaller, ()) {
  const Trace trace = *arbitrary_trace();
  RC_ASSERT(normalised(trace) == trace);
  std::set<std::string> texts;
  for (const Trace& shrink : shrinks_of(trace)) {
    RC_ASSERT(normalised(shrink) == shrink);
    RC_ASSERT(is_smaller(shrink, trace));
    RC_ASSERT(!is_smaller(trace, shrink));
    RC_ASSERT(texts.insert(to_text(shrink)).second);
  }
}

// Whether a call of before a shutdown is cancelled after it: the shape of a failure that shrinking must keep.
bool cancels_after_shutdown(const Trace& trace) {
  std::set<int> submitted;
  bool shut_down = false;
  for (const Step& step : trace.steps) {
    shut_down = shut_down || step.statement.verb == Verb::kShutdown;
    if (!shut_down && step.statement.verb == Verb::kSubmit) submitted.insert(step.statement.call);
    if (shut_down && step.statement.verb == Verb::kCancel && submitted.contains(step.statement.call)) return true;
  }
  return false;
}

bool nests_throw(const Body& body) {
  return std::any_of(body.statements.begin(), body.statements.end(), [](const Statement& statement) {
    return statement.verb == Verb::kSubmit && (statement.body[0].throws || nests_throw(statement.body[0]));
  });
}

bool nests_throw_behind_gate(const Trace& trace) {
  return std::any_of(trace.steps.begin(), trace.steps.end(), [](const Step& step) {
    return step.statement.verb == Verb::kSubmit && is_gated(step.statement) && nests_throw(step.statement.body[0]);
  });
}

TEST(ShrinkTrace, ReachesTheSmallestTraceWhateverTheStart) {
  int starts = 0;
  for (int i = 0; i < 500; ++i) {
    const Trace trace = trace_from_seed(7, i);
    if (cancels_after_shutdown(trace)) {
      ++starts;
      EXPECT_EQ(to_text(shrink_trace(trace, cancels_after_shutdown, 10000)),
                "workers 1\nclients 1\n0 submit c0 { return 0 }\n0 shutdown nowait\n0 cancel c0\n")
          << trace;
    }
    if (nests_throw_behind_gate(trace)) {
      ++starts;
      EXPECT_EQ(to_text(shrink_trace(trace, nests_throw_behind_gate, 10000)),
                "workers 1\nclients 1\n0 submit c0 { gate g0; submit c1 { throw 0 }; return 0 }\n")
          << trace;
    }
  }
  EXPECT_GE(starts, 50);
}

TEST(ShrinkTrace, KeepsToItsTriesAndAsksOnceAboutEachTrace) {
  const Trace trace = trace_from_seed(1, 5);
  std::set<std::string> asked;
  const auto ask = [&](const Trace& candidate) {
    EXPECT_TRUE(asked.insert(to_text(candidate)).second) << candidate;
    return asked.size() % 3 == 0;
  };
  shrink_trace(trace, ask, 40);
  EXPECT_LE(asked.size(), 40u);
  EXPECT_EQ(shrink_trace(trace, [](const Trace&) { return true; }, 0), trace);
}

TEST(ShrinkTrace, EverythingShrinksToNothing) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(shrink_trace(trace_from_seed(9, i), [](const Trace&) { return true; }, 10000), Trace());
  }
}

TEST(ShrinkSchedule, KeepsTheDeviationsThatAreNeeded) {
  Trace trace;
  for (int choice = 0; choice < 40; ++choice) trace.schedule.push_back({.choice = choice, .option = 1});
  const auto has = [](const Trace& candidate, int choice) {
    return std::ranges::any_of(candidate.schedule, [&](const auto& deviation) { return deviation.choice == choice; });
  };
  const Trace small =
      shrink_schedule(trace, [&](const Trace& candidate) { return has(candidate, 7) && has(candidate, 31); }, 1000);
  EXPECT_EQ(small.schedule, (simulator::Schedule{{.choice = 7, .option = 1}, {.choice = 31, .option = 1}}));
}

}  // namespace
}  // namespace futures::spec_tests
