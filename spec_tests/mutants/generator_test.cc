// The generator: where functions are, what the rules change, and which written mutants it refuses.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "spec_tests/mutants/catalogue.h"
#include "spec_tests/mutants/mutant_list.h"
#include "spec_tests/mutants/mutated_copy.h"
#include "spec_tests/mutants/rules.h"
#include "spec_tests/mutants/written_mutants.h"

namespace futures::mutants {
namespace {

std::vector<std::string> functions(std::string text) {
  const Source source("f.cc", std::move(text));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < source.functions.size(); ++i) {
    const std::size_t begin = source.body_begin(i);
    names.push_back(absl::StrCat(source.functions[i].is_constant ? "constant " : "", source.functions[i].name, ":",
                                 source.text.substr(begin, source.body_end(i) - begin)));
  }
  return names;
}

using Texts = std::vector<std::string>;

TEST(Functions, BodiesEndWhereTheirBracesDo) {
  EXPECT_EQ(functions("int f() { if (a) { b(); } }\nvoid g(){}"), (Texts{"f: if (a) { b(); } ", "g:"}));
  EXPECT_EQ(functions("void f() { s = \"}\"; c = '}'; /* } */ n = 1'000; } // }\nvoid g() {}"),
            (Texts{"f: s = \"}\"; c = '}'; /* } */ n = 1'000; ", "g:"}));
  EXPECT_EQ(functions("void f() { s = R\"x(})\" })x\"; }"), (Texts{"f: s = R\"x(})\" })x\"; "}));
  EXPECT_EQ(functions("#define OPEN {\nvoid f() {\n#if A  // {\n  a();\n#endif\n}"),
            (Texts{"f:\n#if A  // {\n  a();\n#endif\n"}));
}

TEST(Functions, LambdasAndLocalClassesBelongToTheFunctionAroundThem) {
  EXPECT_EQ(functions("void f() { g([] { return 1; }); struct S { ~S() { h(); } } s; }").size(), 1U);
}

TEST(Functions, AConstructorsInitializersAreNotItsBody) {
  EXPECT_EQ(functions("C::C(int a) : a_{a}, b_(b{1}), c_{2} { x(); }"), (Texts{"C.C: x(); "}));
  EXPECT_EQ(functions("struct C { C() : a_(1) {} int a_{0}; std::function<void()> f_{}; };"), (Texts{"C.C:"}));
}

TEST(Functions, AreNamedWithTheirClasses) {
  EXPECT_EQ(functions("namespace a::b { class X final : Y<int> { struct Z { bool f() const { } }; }; }"),
            (Texts{"X.Z.f: "}));
  EXPECT_EQ(functions("template <typename R> template <class F> void Future<R>::add(F&& f) const {}"),
            (Texts{"Future.add:"}));
  EXPECT_EQ(functions("class ABSL_LOCKABLE M { ~M() {} M& operator=(M o) {} bool operator==(const M&) const {} };"),
            (Texts{"M.~M:", "M.operator=:", "M.operator==:"}));
  EXPECT_EQ(functions("decltype(auto) get() const& ABSL_LOCKS(m) {} auto h() -> int {}"), (Texts{"get:", "h:"}));
}

TEST(Functions, WhatIsNoFunctionHasNone) {
  EXPECT_EQ(functions("enum class E { a = f(), b }; const X x = {f()}; auto l = [](int) { return 1; };"), Texts{});
  EXPECT_EQ(functions("template <class F> requires requires { f(); } struct S : T {};"), Texts{});
}

TEST(Functions, ConstantOnesAreMarked) {
  EXPECT_EQ(functions("constexpr int f() { return 1; }"), (Texts{"constant f: return 1; "}));
  EXPECT_TRUE(generate(Source("f.cc", "constexpr int f() { return 1; }")).empty());
}

// --- Rules.

std::string body_with(const Source& source, const Mutant& mutant) {
  std::string text = source.text;
  const std::vector<Edit>& edits = mutant.changes.at(0).edits;
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
    text.replace(edit->begin, edit->end - edit->begin, edit->text);
  }
  const std::size_t begin = source.body_begin(0);
  return text.substr(begin, text.rfind('}') - begin);
}

// The bodies that a rule makes of a function's body.
Texts made_by(std::string_view rule, std::string_view body) {
  const Source source("f.cc", absl::StrCat("void f() {", body, "}"));
  Texts bodies;
  for (const Mutant& mutant : generate(source)) {
    if (mutant.rule == rule) bodies.push_back(body_with(source, mutant));
  }
  return bodies;
}

TEST(Rules, AWeakerOrder) {
  EXPECT_EQ(made_by("order", "w.load(std::memory_order_acquire);"), (Texts{"w.load(std::memory_order_relaxed);"}));
  EXPECT_EQ(made_by("order", "w.f(memory_order_acq_rel);"),
            (Texts{"w.f(memory_order_acquire);", "w.f(memory_order_release);"}));
  EXPECT_EQ(made_by("order", "w.f(memory_order_seq_cst);"), (Texts{"w.f(memory_order_acq_rel);"}));
  EXPECT_EQ(made_by("order", "w.f(memory_order_relaxed);"), Texts{});
}

TEST(Rules, AReadModifyWriteInTwoSteps) {
  EXPECT_EQ(made_by("two_steps", "while (!s.w->compare_exchange_weak(e, g(a, b), x, y)) {}"),
            (Texts{"while (!::futures::mutants::compare_then_store(*s.w, e, g(a, b))) {}"}));
  EXPECT_EQ(made_by("two_steps", "n = w.fetch_sub(1, o);"),
            (Texts{"n = ::futures::mutants::load_then_subtract(w, 1);"}));
  EXPECT_EQ(made_by("two_steps", "f(a->b[c(1)].exchange(true));"),
            (Texts{"f(::futures::mutants::load_then_store(a->b[c(1)], true));"}));
  EXPECT_EQ(made_by("two_steps", "n = std::exchange(a, b);"), Texts{});
}

TEST(Rules, Notifications) {
  EXPECT_EQ(made_by("notify_one", "c.notify_all();"), (Texts{"c.notify_one();"}));
  EXPECT_EQ(made_by("no_wake", "if (a) sync::futex_wake_all(w);"), (Texts{"if (a) {}"}));
}

TEST(Rules, ALoopThatRunsOnce) {
  EXPECT_EQ(made_by("once", "while (a) c.wait(m);"),
            (Texts{"for (bool once = true; once && (a); once = false) c.wait(m);"}));
  EXPECT_EQ(made_by("once", "do { b(); } while (!w.f(a));"), (Texts{"do { b(); } while ((!w.f(a)) && false);"}));
}

TEST(Rules, AStatementThatMovesOutOfItsLock) {
  EXPECT_EQ(
      made_by("unlocked", "a(); sync::mutex_lock lock(m); b(); c(); d();"),
      (Texts{"a(); b(); sync::mutex_lock lock(m); c(); d();", "a(); { sync::mutex_lock lock(m); b(); c(); } d();"}));
  EXPECT_EQ(made_by("unlocked", "{ mutex_lock lock(m); b(); } c();").size(), 1U);
  EXPECT_EQ(made_by("unlocked", "g([] { mutex_lock lock(m); b(); });").size(), 1U);
}

TEST(Rules, ANegatedCondition) {
  EXPECT_EQ(made_by("negated", "if (a && b) c();"), (Texts{"if (!(a && b)) c();"}));
  EXPECT_EQ(made_by("negated", "for (i = 0; i; ++i) {} for (x : y) {}"),
            (Texts{"for (i = 0; !(i); ++i) {} for (x : y) {}"}));
  EXPECT_EQ(made_by("negated", "return a(b, c) ? d : e;"), (Texts{"return !(a(b, c)) ? d : e;"}));
  EXPECT_EQ(made_by("negated", "for (x : y) n += a == b ? 1 : 0;"), (Texts{"for (x : y) n += !(a == b) ? 1 : 0;"}));
  EXPECT_EQ(made_by("negated", "if constexpr (a) b(); while (T t = n()) {}"), Texts{});
}

TEST(Rules, OffByOne) {
  EXPECT_EQ(made_by("off_by_one", "if (a < b) c<d>(e);"), (Texts{"if (a <= b) c<d>(e);"}));
  EXPECT_EQ(made_by("off_by_one", "f(n + 1);"), (Texts{"f(n );"}));
  EXPECT_EQ(made_by("off_by_one", "f(0); static_assert(n == 1);"), (Texts{"f(1); static_assert(n == 1);"}));
}

TEST(Rules, SwappedStatements) {
  EXPECT_EQ(made_by("swapped", "a(); b = 1; c = 2;"), (Texts{"b = 1; a(); c = 2;"}));
  EXPECT_EQ(made_by("swapped", "a(); T b = c(); return d();"), Texts{});
}

TEST(Rules, ErrorPaths) {
  EXPECT_EQ(made_by("error_path", "try { a(); } catch (E&) { b(); throw; }"),
            (Texts{"try { a(); } catch (E&) { {} throw; }", "try { a(); } catch (E&) { b(); {} }"}));
  EXPECT_EQ(made_by("error_path", "if (a) throw B(); if (c) d();"), (Texts{"if (a) {} if (c) d();"}));
}

TEST(Rules, NamesStayWhenAnotherFunctionChanges) {
  const std::vector<Mutant> mutants =
      generate(Source("a/b.cc", "void f() { if (a) b(); } void C::g() { if (a) b(); }"));
  ASSERT_EQ(mutants.size(), 2U);
  EXPECT_EQ(mutants[1].name, "negated/b.cc/C.g/1");
}

// --- Written mutants.

constexpr std::string_view kSource = R"(#include "x.h"
int f(int a) {
  if (a > 1) {
    return 2;
  }
  return 3;
}
int g() { return 4; }
int h() {
  return 5;
}
int i() {
  return 5;
}
constexpr int k() {
  return 6;
}
int m = 7;
)";

// The text of a mutant that replaces `original`.
std::string written(std::string_view original, std::string_view replacement, std::string_view file = "a/b.cc") {
  return absl::StrCat("# A comment.\nmutant one\nlaw E2\nbreaks: it\nhurts: all\nlike: x #1\nfile ", file, "\n<<<<\n",
                      original, "====\n", replacement, ">>>>\n\n");
}

std::vector<Mutant> parse(const std::string& text, const Source& source) {
  return parse_written("w.mutants", text, [&](std::string_view path) -> const Source* {
    if (path == source.path) return &source;
    if (path == "elsewhere.cc") return nullptr;
    throw std::runtime_error(absl::StrCat("there is no source ", path));
  });
}

std::string refusal(const std::string& text) {
  const Source source("a/b.cc", std::string(kSource));
  try {
    parse(text, source);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Written, SaysAllOfItsEntries) {
  const Source source("a/b.cc", std::string(kSource));
  const std::vector<Mutant> mutants = parse(written("    return 2;\n", "    return a;\n"), source);
  ASSERT_EQ(mutants.size(), 1U);
  EXPECT_EQ(mutants[0].name, "one");
  EXPECT_EQ(mutants[0].law, "E2");
  EXPECT_EQ(mutants[0].like, "x #1");
  EXPECT_TRUE(absl::StartsWith(body_with(source, mutants[0]), "\n  if (a > 1) {\n    return a;\n"));
}

TEST(Written, MayNameALineWithAWholeFunction) {
  const Source source("a/b.cc", std::string(kSource));
  const std::vector<Mutant> mutants = parse(written("int g() { return 4; }\n", "int g() { return 40; }\n"), source);
  ASSERT_EQ(mutants.at(0).changes.size(), 1U);
  EXPECT_EQ(source.functions[mutants[0].changes[0].function].name, "g");
}

TEST(Written, MayDropLines) {
  const Source source("a/b.cc", std::string(kSource));
  const std::vector<Mutant> mutants = parse(written("  return 3;\n", ""), source);
  EXPECT_TRUE(absl::StartsWith(body_with(source, mutants.at(0)), "\n  if (a > 1) {\n    return 2;\n  }\n}"));
}

TEST(Written, AnOriginalThatIsGoneIsRefusedWithMutantAndFile) {
  const std::string why = refusal(written("  return 30;\n", "  return 0;\n"));
  EXPECT_TRUE(absl::StrContains(why, "mutant one: a/b.cc: the original is gone")) << why;
  EXPECT_FALSE(refusal(written("return 3;\n", "return 0;\n")).empty()) << "half a line was taken";
}

TEST(Written, AnOriginalThatIsThereTwiceIsRefused) {
  const std::string why = refusal(written("  return 5;\n", "  return 0;\n"));
  EXPECT_TRUE(absl::StrContains(why, "mutant one: a/b.cc: the original is there more than once")) << why;
}

TEST(Written, OutsideABodyIsRefused) {
  const std::string expected = "mutant one: a/b.cc: the original is not inside the body of a function";
  EXPECT_TRUE(absl::StrContains(refusal(written("int m = 7;\n", "int m = 8;\n")), expected));
  EXPECT_TRUE(absl::StrContains(refusal(written("int f(int a) {\n", "int f(long a) {\n")), expected));
  EXPECT_TRUE(
      absl::StrContains(refusal(written("  return 3;\n}\nint g() { return 4; }\n", "}\nint g() { }\n")), expected));
}

TEST(Written, InAConstantFunctionIsRefused) {
  EXPECT_TRUE(absl::StrContains(refusal(written("  return 6;\n", "  return 0;\n")), "mutant one: a/b.cc: a constexpr"));
}

TEST(Written, TextWithoutTheFormIsRefused) {
  const std::string good = written("  return 3;\n", "  return 0;\n");
  EXPECT_EQ(refusal(good), "");
  EXPECT_FALSE(refusal(good + good).empty()) << "two of one name";
  EXPECT_FALSE(refusal(written("  return 3;\n", "  return 0;\n", "c.cc")).empty()) << "no such source";
  EXPECT_FALSE(refusal(good.substr(0, good.find(">>>>"))).empty()) << "no end";
  EXPECT_FALSE(refusal(good.substr(0, good.find("file"))).empty()) << "no change";
  EXPECT_FALSE(refusal("breaks: nothing\n").empty()) << "no mutant";
}

TEST(Written, WhatNoCopyHasChangesNothing) {
  const Source source("a/b.cc", std::string(kSource));
  EXPECT_TRUE(parse(written("x\n", "y\n", "elsewhere.cc"), source).at(0).changes.empty());
}

// --- Copies.

TEST(Copy, HasTheSourceAndEachMutantUnderItsNumber) {
  const Source source("a/b.cc", "int g() { return 4; }\nint h();\n");
  const std::vector<Mutant> mutants = {
      {.name = "a", .changes = {{"a/b.cc", 0, {{10, 18, "return 5"}}}}},
      {.name = "elsewhere"},
      {.name = "c", .changes = {{"a/b.cc", 0, {{10, 18, "return 6"}}}, {"d.cc", 0, {{0, 1, ""}}}}}};
  EXPECT_EQ(mutated_copy(source, mutants),
            "#include \"spec_tests/mutants/mutant.h\"\n#line 1 \"a/b.cc\"\n"
            "int g() { switch (::futures::mutants::active()) { default: { return 4; } break;\n"
            "#line 1 \"mutants/a\"\ncase 1: { return 5; \n} break;\n"
            "#line 1 \"mutants/c\"\ncase 3: { return 6; \n} break;}\n"
            "#line 1 \"a/b.cc\"\n}\nint h();\n");
  EXPECT_FALSE(absl::StrContains(names_source(mutants), "elsewhere"));
}

TEST(Catalogue, ComesBackFromItsText) {
  const std::vector<Entry> entries = {{"a", "written", "f.cc", "E2", "", "why\tnot"}, {"b", "order", "", "", "no", ""}};
  const std::vector<Entry> back = parse_catalogue(to_text(entries));
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].equivalent, "why not");
  EXPECT_EQ(back[1], entries[1]);
  EXPECT_THROW(parse_catalogue("a\tb\n"), std::runtime_error);
}

}  // namespace
}  // namespace futures::mutants
