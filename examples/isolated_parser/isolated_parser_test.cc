// Runs isolated_parser over hundreds of files, among them some that really crash, hang and starve a worker, and
// compares its whole report with what is known of each file.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace {

namespace fs = std::filesystem;

constexpr int kGoodFiles = 400;
constexpr const char* kGoodSummary = "files 410, ok 410\n";

// Deep enough for the stack of any usual limit.
constexpr int kOverflowingDepth = 1'000'000;

// More than kLimits lets a worker have, less than takes long to parse.
constexpr std::size_t kLongStringBytes = 12 << 20;

// The time is long for a small file on a busy machine: only what waits for ever may come to it.
constexpr std::string_view kLimits = " --memory-mb=4 --timeout=15 ";

void write_file(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.native());
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  all.reserve(text.size() * static_cast<std::size_t>(times));
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// Writes random JSON and counts what it writes.
class Writer {
 public:
  explicit Writer(std::mt19937& random) : random_(random) {}

  void write_value(std::uint64_t depth) {
    ++values_;
    add_space();
    const bool is_plain_file = depth == 0 && pick(8) > 0;
    switch (is_plain_file ? 5 + pick(2) : pick(depth < 12 ? 7 : 5)) {
      case 0:
        text_ += "null";
        break;
      case 1:
        text_ += "true";
        break;
      case 2:
        text_ += "false";
        break;
      case 3:
        ++strings_;
        write_string();
        break;
      case 4:
        ++numbers_;
        write_number();
        break;
      case 5:
        ++arrays_;
        write_all('[', ']', depth + 1);
        break;
      case 6:
        ++objects_;
        write_all('{', '}', depth + 1);
        break;
    }
    add_space();
  }

  const std::string& text() const { return text_; }
  std::string line(const std::string& path) const {
    std::ostringstream line;
    line << path << ": ok: values " << values_ << ", objects " << objects_ << ", arrays " << arrays_ << ", strings "
         << strings_ << ", numbers " << numbers_ << ", depth " << depth_ << ", bytes " << text_.size() << "\n";
    return line.str();
  }

 private:
  std::uint32_t pick(std::uint32_t choices) { return static_cast<std::uint32_t>(random_() % choices); }
  template <std::size_t kSize>
  const char* pick_of(const char* const (&choices)[kSize]) {
    return choices[pick(kSize)];
  }

  void add_space() { text_ += pick_of({"", "", "", " ", "\n", "\t \r\n"}); }

  void write_string() {
    text_ += '"';
    for (std::uint32_t parts = pick(6); parts > 0; --parts) {
      text_ += pick_of({"a", "word", " ", "\\n", "\\\"", "\\\\", "\\/", "\\u00e9", "\\ud83d\\ude00", "\\u0000",
                        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "[", "}", ":", ","});
    }
    text_ += '"';
  }
  void write_number() {
    text_ +=
        pick_of({"0", "-0", "7", "-1", "4294967296", "-2147483649", "18446744073709551616", "0.5", "-0.001", "1e3",
                 "1.7976931348623157e308", "2E-400", "3.14159265358979323846264338327950288", "123456789012345678"});
  }
  void write_all(char open, char close, std::uint64_t depth) {
    depth_ = std::max(depth_, depth);
    text_ += open;
    add_space();
    for (std::uint32_t left = pick(8); left > 0; --left) {
      if (open == '{') {
        write_string();  // The same name twice is well-formed.
        add_space();
        text_ += ':';
      }
      write_value(depth);
      if (left > 1) {
        text_ += ',';
        add_space();
      }
    }
    text_ += close;
  }

  std::mt19937& random_;
  std::string text_;
  std::uint64_t values_ = 0, objects_ = 0, arrays_ = 0, strings_ = 0, numbers_ = 0, depth_ = 0;
};

struct Malformed {
  std::string name;
  std::string content;
  std::string complaint;
};

// The offsets and words are RapidJSON's own, but for NUL bytes.
std::vector<Malformed> malformed_files() {
  using namespace std::string_literals;
  return {
      {"byte_order_mark", "\xef\xbb\xbf{}", "0: Invalid value."},
      {"cut_utf8", "[\"\xe2\x82", "2: Invalid encoding in string."},
      {"empty", "", "0: The document is empty."},
      {"escape", "\"a\\x\"", "2: Invalid escape character in string."},
      {"far_inside", "[" + repeated("1,", 50'000) + "x]", "100001: Invalid value."},
      {"huge_number", "[1e999]", "1: Number too big to be stored in double."},
      {"latin1", "[\"caf\xe9\"]", "5: Invalid encoding in string."},
      {"lone_surrogate", "\"\\ud800\"", "1: The surrogate pair in string is invalid."},
      {"no_colon", "{\"a\" 1}", "5: Missing a colon after a name of object member."},
      {"no_comma", "{\"a\": 17 \"b\": 1}", "9: Missing a comma or '}' after an object member."},
      {"no_name", "{1: 2}", "1: Missing a name for object member."},
      {"not_json", "hello", "0: Invalid value."},
      {"nul_after", "{}\0{}"s, "2: A NUL byte."},
      {"nul_inside", "[1,\0 2]"s, "3: A NUL byte."},
      {"nul_only", "\0"s, "0: A NUL byte."},
      {"spaces", " \n ", "3: The document is empty."},
      {"two_values", "{} {}", "3: The document root must not be followed by other values."},
      {"unclosed_array", "[1, 2", "5: Missing a comma or ']' after an array element."},
      {"unclosed_string", "[\"abc", "5: Missing a closing quotation mark in string."},
  };
}

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

// The lines of a report by path: in the order of the paths' bytes, as those of a folder are.
using Lines = std::map<std::string, std::string>;

std::string joined(const Lines& lines) {
  std::string text;
  for (const auto& [path, line] : lines) text += line;
  return text;
}

// As an assertion, for reports of many lines.
testing::AssertionResult equal(const std::string& seen, const std::string& expected) {
  std::istringstream seen_lines(seen), expected_lines(expected);
  for (std::string a, b;;) {
    const bool more_a = !std::getline(seen_lines, a).fail();
    const bool more_b = !std::getline(expected_lines, b).fail();
    if (!more_a && !more_b) return testing::AssertionSuccess();
    if (a != b || more_a != more_b) return testing::AssertionFailure() << "seen:     " << a << "\nexpected: " << b;
  }
}

class IsolatedParser : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Not under the test's own folders: another user must be able to get there.
    std::string name = "/tmp/isolated_parser_test.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    root_ = new fs::path(name);
    fs::permissions(*root_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec |
                                fs::perms::group_read | fs::perms::others_read);
    for (const char* file : {"isolated_parser", "judge.py"}) {
      fs::copy_file(fs::path("examples/isolated_parser") / file, *root_ / file);
      // Another user runs them, too. What comes out of Bazel's cache may be executable for its owner alone.
      fs::permissions(*root_ / file, fs::perms(0755));
    }
    good_ = new Lines;
    std::mt19937 random(20160825);
    for (int i = 0; i < kGoodFiles; ++i) {
      const std::string folder = "good/" + std::to_string(i % 7) + "/" + std::to_string(i % 23);
      const std::string path = folder + "/" + std::to_string(i) + ".json";
      Writer writer(random);
      writer.write_value(0);
      write_file(*root_ / path, writer.text());
      good_->emplace(path, writer.line(path));
    }
    // Around the size of a chunk: a character lies across the border.
    for (int letters = 65530; good_->size() < kGoodFiles + 10; ++letters) {
      const std::string path = "good/across/" + std::to_string(letters);
      const std::string content = '"' + std::string(static_cast<std::size_t>(letters), 'x') + "\xe2\x82\xac\"";
      write_file(*root_ / path, content);
      good_->emplace(path, path + ": ok: values 1, objects 0, arrays 0, strings 1, numbers 0, depth 0, bytes " +
                               std::to_string(content.size()) + "\n");
    }
  }

  static void TearDownTestSuite() {
    run("chmod -R u+rwx .");
    fs::remove_all(*root_);
    delete good_;
    delete root_;
  }

  // In the root's folder, with the usual stack, as another user where that user is given.
  static Outcome run(const std::string& command, const std::string& user_prefix = "") {
    // A sanitizer's allocator would end the worker, where the system's says that there is no memory.
    const std::string as_usual =
        "export ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1\n"
        "export TSAN_OPTIONS=$TSAN_OPTIONS:allocator_may_return_null=1\n"
        "ulimit -S -s 8192\n";
    write_file(*root_ / "command", as_usual + command);
    const std::string whole = "cd " + root_->native() + " && " + user_prefix + " bash ./command >out 2>err";
    const int status = std::system(whole.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(*root_ / "out"), read_file(*root_ / "err")};
  }
  static Outcome run_parser(const std::string& arguments, const std::string& user_prefix = "") {
    return run("./isolated_parser" + std::string(kLimits) + arguments, user_prefix);
  }

  static void make_pipe(const std::string& name) {
    if (mkfifo((*root_ / name).c_str(), 0644) != 0) throw std::runtime_error("cannot make a pipe");
  }

  static inline fs::path* root_ = nullptr;
  static inline Lines* good_ = nullptr;  // What is under good/.
};

TEST_F(IsolatedParser, ReportsEveryGoodFile) {
  const Outcome seen = run_parser("good");
  EXPECT_EQ(seen.status, 0);
  EXPECT_EQ(seen.err, "");
  EXPECT_TRUE(equal(seen.out, joined(*good_) + kGoodSummary));
}

TEST_F(IsolatedParser, CountsAsPythonDoes) {
  if (run("python3 -c 'import json'").status != 0) GTEST_SKIP() << "no python3 to compare with";
  const Outcome expected = run("find good -type f -print0 | LC_ALL=C sort -z | xargs -0 python3 judge.py");
  ASSERT_EQ(expected.status, 0) << expected.err;
  EXPECT_TRUE(equal(run_parser("good").out, expected.out + kGoodSummary));
}

TEST_F(IsolatedParser, LosesNothingToWhatIsBad) {
  // Nothing is unreadable to the super-user.
  const std::string user_prefix = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "";
  ASSERT_EQ(run("true", user_prefix).status, 0) << "needs setpriv";
  std::string malformed;
  for (const Malformed& file : malformed_files()) {
    write_file(*root_ / "malformed" / file.name, file.content);
    malformed += "malformed/" + file.name + ": malformed at byte " + file.complaint + "\n";
  }
  write_file(*root_ / "deep/arrays", repeated("[", kOverflowingDepth));
  write_file(*root_ / "deep/mixed", repeated("[{\"a\":", kOverflowingDepth));
  write_file(*root_ / "deep/objects", repeated("{\"a\":", kOverflowingDepth));
  write_file(*root_ / "deep/well_formed", repeated("[", kOverflowingDepth) + repeated("]", kOverflowingDepth));
  write_file(*root_ / "large/one_string", '"' + std::string(kLongStringBytes, 'x') + '"');
  write_file(*root_ / "large/small_values", "[" + repeated("12345678,", 50'000) + "0]");
  write_file(*root_ / "locked/file", "1");
  write_file(*root_ / "locked/folder/file", "2");
  write_file(*root_ / "locked/readable", "3");
  fs::permissions(*root_ / "locked/file", fs::perms::none);
  fs::permissions(*root_ / "locked/folder", fs::perms::none);
  fs::create_directories(*root_ / "nothing/at/all");
  make_pipe("pipe");

  const Outcome seen = run_parser("malformed good deep/arrays pipe deep absent large nothing locked", user_prefix);
  EXPECT_EQ(seen.status, 1);
  EXPECT_TRUE(
      equal(seen.out, malformed + joined(*good_) +
                          "deep/arrays: crashed by SIGSEGV\n"
                          "pipe: timed out\n"
                          "deep/arrays: crashed by SIGSEGV\n"
                          "deep/mixed: crashed by SIGSEGV\n"
                          "deep/objects: crashed by SIGSEGV\n"
                          "deep/well_formed: crashed by SIGSEGV\n"
                          "absent: unreadable: No such file or directory\n"
                          "large/one_string: out of memory\n"
                          "large/small_values: ok: values 50002, objects 0, arrays 1, strings 0, numbers 50001, "
                          "depth 1, bytes 450003\n"
                          "locked/file: unreadable: Permission denied\n"
                          "locked/folder: unreadable: Permission denied\n"
                          "locked/readable: ok: values 1, objects 0, arrays 0, strings 0, numbers 1, depth 0, bytes 1\n"
                          "files 441, ok 412, malformed 19, unreadable 3, crashed 5, timed out 1, out of memory 1\n"));
  fs::permissions(*root_ / "locked/file", fs::perms::owner_all);
  fs::permissions(*root_ / "locked/folder", fs::perms::owner_all);
}

// The pipe holds the only worker until the other file is gone: it was there when the files were listed.
TEST_F(IsolatedParser, ReportsAFileThatVanishes) {
  make_pipe("gate");
  write_file(*root_ / "vanishing/file", "1");
  const Outcome seen =
      run("./isolated_parser --workers=1 --timeout=0 gate vanishing >report & "
          "exec 3>gate; rm vanishing/file; echo '[]' >&3; exec 3>&-; wait $!");
  EXPECT_EQ(seen.status, 1) << seen.err;
  EXPECT_EQ(read_file(*root_ / "report"),
            "gate: ok: values 1, objects 0, arrays 1, strings 0, numbers 0, depth 1, bytes 3\n"
            "vanishing/file: unreadable: No such file or directory\n"
            "files 2, ok 1, unreadable 1\n");
}

TEST_F(IsolatedParser, WalksFoldersOnceAndFollowsOnlyLinksThatAreNamed) {
  const std::string one = ": ok: values 1, objects 0, arrays 0, strings 0, numbers 1, depth 0, bytes 1\n";
  write_file(*root_ / "tree/b/file", "1");
  write_file(*root_ / "tree/b.json", "1");
  write_file(*root_ / "tree/a", "1");
  fs::create_directory_symlink(".", *root_ / "tree/loop");
  fs::create_symlink("a", *root_ / "tree/link");
  fs::create_symlink("itself", *root_ / "tree/itself");
  make_pipe("tree/pipe");
  EXPECT_EQ(run_parser("tree").out, "tree/a" + one + "tree/b.json" + one + "tree/b/file" + one + "files 3, ok 3\n");
  EXPECT_EQ(run_parser("tree/link tree/loop/b tree/a tree/a").out,
            "tree/link" + one + "tree/loop/b/file" + one + "tree/a" + one + "tree/a" + one + "files 4, ok 4\n");
  EXPECT_EQ(run_parser("tree/itself tree/a/").out,
            "tree/itself: unreadable: Too many levels of symbolic links\n"
            "tree/a/: unreadable: Not a directory\n"
            "files 2, unreadable 2\n");
}

TEST_F(IsolatedParser, NamesWhateverAFileIsCalled) {
  const std::string counts = ": ok: values 1, objects 0, arrays 0, strings 0, numbers 1, depth 0, bytes 1\n";
  const std::string json_counts =
      "\"result\":\"ok\",\"values\":1,\"objects\":0,\"arrays\":0,\"strings\":0,\"numbers\":1,\"depth\":0,\"bytes\":1}"
      "\n";
  struct Name {
    std::string name, text, json;
  };
  const std::vector<Name> names = {
      {"\n", "$'odd/\\x0a'", "\\u000a"},
      {"\x1b[31m'\\", "$'odd/\\x1b[31m\\'\\\\'", "\\u001b[31m'\\\\"},
      {" ", "odd/ ", " "},
      {"\"", "odd/\"", "\\\""},
      {"-rf", "odd/-rf", "-rf"},
      {"caf\xc3\xa9", "odd/caf\xc3\xa9", "caf\xc3\xa9"},
      {"caf\xe9", "odd/caf\xe9", "caf\\udce9"},
      {"\xed\xa0\x80", "odd/\xed\xa0\x80", "\\udced\\udca0\\udc80"},
      {"\xf0\x9f\x98\x80", "odd/\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
      {"\xf0\x9f\x98", "odd/\xf0\x9f\x98", "\\udcf0\\udc9f\\udc98"},
  };
  Lines text, json;
  for (const Name& name : names) {
    write_file(*root_ / "odd" / name.name, "1");
    text.emplace(name.name, name.text + counts);
    json.emplace(name.name, "{\"path\":\"odd/" + name.json + "\"," + json_counts);
  }
  EXPECT_EQ(run_parser("odd").out, joined(text) + "files 10, ok 10\n");
  EXPECT_EQ(run_parser("--format=json odd").out,
            joined(json) +
                "{\"files\":10,\"ok\":10,\"malformed\":0,\"unreadable\":0,\"crashed\":0,\"timed_out\":0,"
                "\"out_of_memory\":0,\"not_parsed\":0}\n");
  EXPECT_EQ(run("cd odd; ../isolated_parser -- -rf ''").out,
            "-rf" + counts + "$'': unreadable: No such file or directory\nfiles 2, ok 1, unreadable 1\n");
}

TEST_F(IsolatedParser, SaysTheSameToPrograms) {
  write_file(*root_ / "each/array", "[[], \"\", true]");
  write_file(*root_ / "each/deep", repeated("[", kOverflowingDepth));
  write_file(*root_ / "each/malformed", "[1 2]");
  write_file(*root_ / "each/string", '"' + std::string(kLongStringBytes, 'x') + '"');
  const Outcome seen = run_parser("--format=json --workers=3 each absent");
  EXPECT_EQ(seen.status, 1);
  EXPECT_EQ(
      seen.out,
      "{\"path\":\"each/array\",\"result\":\"ok\",\"values\":4,\"objects\":0,\"arrays\":2,\"strings\":1,\"numbers\":0,"
      "\"depth\":2,\"bytes\":14}\n"
      "{\"path\":\"each/deep\",\"result\":\"crashed\",\"signal\":\"SIGSEGV\"}\n"
      "{\"path\":\"each/malformed\",\"result\":\"malformed\",\"offset\":3,"
      "\"message\":\"Missing a comma or ']' after an array element.\"}\n"
      "{\"path\":\"each/string\",\"result\":\"out_of_memory\"}\n"
      "{\"path\":\"absent\",\"result\":\"unreadable\",\"message\":\"No such file or directory\"}\n"
      "{\"files\":5,\"ok\":1,\"malformed\":1,\"unreadable\":1,\"crashed\":1,\"timed_out\":0,\"out_of_memory\":1,"
      "\"not_parsed\":0}\n");
  make_pipe("silent");
  EXPECT_EQ(run("./isolated_parser --format=json --timeout=0.2 silent").out,
            "{\"path\":\"silent\",\"result\":\"timed_out\"}\n"
            "{\"files\":1,\"ok\":0,\"malformed\":0,\"unreadable\":0,\"crashed\":0,\"timed_out\":1,\"out_of_memory\":0,"
            "\"not_parsed\":0}\n");
}

TEST_F(IsolatedParser, WithoutALimitTheMemoryIsThere) {
  write_file(*root_ / "long", '"' + std::string(kLongStringBytes, 'x') + '"');
  const std::string expected =
      "long: ok: values 1, objects 0, arrays 0, strings 1, numbers 0, depth 0, bytes 12582914\n"
      "files 1, ok 1\n";
  EXPECT_EQ(run("./isolated_parser --memory-mb=0 --timeout=0 long").out, expected);
  EXPECT_EQ(run("./isolated_parser --timeout=1e5 --memory-mb=512 long").out, expected);
}

TEST_F(IsolatedParser, RefusesABadCommandLine) {
  for (const char* arguments : {"", "--", "-x good", "--workers=0 good", "--workers=1001 good", "--workers= good",
                                "--workers good", "--timeout=-1 good", "--timeout=nan good", "--timeout=1s good",
                                "--memory-mb=1.5 good", "--memory-mb=99999999999999999999 good", "--format=xml good"}) {
    SCOPED_TRACE(arguments);
    const Outcome seen = run(std::string("./isolated_parser ") + arguments);
    EXPECT_EQ(seen.status, 2);
    EXPECT_EQ(seen.out, "");
    EXPECT_NE(seen.err.find("\nusage: isolated_parser"), std::string::npos) << seen.err;
  }
  const std::string err = run("./isolated_parser --workers=many good").err;
  EXPECT_EQ(err.substr(0, err.find('\n')),
            "isolated_parser: --workers takes a whole number from 1 to 1000, not 'many'");
  EXPECT_EQ(run("./isolated_parser --help").status, 0);
}

// Every number of descriptors, from too few to begin with to enough for all: nothing is lost without a word.
TEST_F(IsolatedParser, SaysWhatItCannotParseForWantOfWorkers) {
  write_file(*root_ / "only", "1");
  bool some_not_parsed = false;
  bool all_parsed = false;
  for (int descriptors = 5; !all_parsed && descriptors < 64; ++descriptors) {
    SCOPED_TRACE(descriptors);
    const std::string limited =
        "(ulimit -S -n " + std::to_string(descriptors) + "; exec ./isolated_parser --workers=1 only)";
    const Outcome seen = run(limited);
    if (seen.status == 2) {
      EXPECT_EQ(seen.out, "");
      EXPECT_TRUE(seen.err.starts_with("isolated_parser: cannot ")) << seen.err;
      continue;
    }
    all_parsed = seen.status == 0;
    const bool not_parsed = seen.out.starts_with("only: not parsed: ") && seen.out.ends_with("files 1, not parsed 1\n");
    some_not_parsed = some_not_parsed || not_parsed;
    // A worker that has begun may find no descriptor for its file.
    EXPECT_TRUE(all_parsed || not_parsed || seen.out.starts_with("only: unreadable: Too many open files\n"))
        << seen.out;
  }
  EXPECT_TRUE(some_not_parsed);
  EXPECT_TRUE(all_parsed);
}

TEST_F(IsolatedParser, SaysWhenItCannotWrite) {
  const Outcome seen = run("./isolated_parser good >/dev/full");
  EXPECT_EQ(seen.status, 2);
  EXPECT_EQ(seen.err, "isolated_parser: cannot write the report\n");
}

}  // namespace
