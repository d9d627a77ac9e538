// Compares word_count with find, sort and wc, byte for byte, over a tree of more than a thousand files, odd ones
// included.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

namespace fs = std::filesystem;

constexpr int kPlainFiles = 1100;

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

std::string every_byte() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

// `size` characters drawn from `alphabet`, the same in every run.
std::string random_text(std::mt19937& random, std::size_t size, const std::string& alphabet) {
  std::string text(size, ' ');
  for (char& c : text) c = alphabet[random() % alphabet.size()];
  return text;
}

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

class WordCount : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Not under the test's own folders: another user must be able to get there.
    std::string name = "/tmp/word_count_test.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    root_ = new fs::path(name);
    fs::permissions(*root_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec |
                                fs::perms::group_read | fs::perms::others_read);
    fs::copy_file("examples/word_count/word_count", *root_ / "word_count");
    // Another user runs it, too. What comes out of Bazel's cache may be executable for its owner alone.
    fs::permissions(*root_ / "word_count", fs::perms(0755));
    make_tree(*root_ / "tree");
    write_file(*root_ / "words", "\x01");
    // wc before 9.5 takes this for no word, and quotes some names that hold newlines in another way.
    old_wc_ = run("LC_ALL=C wc -w < words").out == "0\n";
    if (!old_wc_) make_names_of_all_bytes(*root_ / "tree/names");
  }

  static void TearDownTestSuite() {
    run("chmod -R u+rwx .");
    fs::remove_all(*root_);
    delete root_;
  }

  static void make_tree(const fs::path& tree) {
    std::mt19937 random(20240722);
    for (int i = 0; i < kPlainFiles; ++i) {
      const std::string name = "d" + std::to_string(i % 7) + "/e" + std::to_string(i % 31) + "/f" + std::to_string(i);
      write_file(tree / name, random_text(random, random() % 3000, "abcdefgh    \n\t.,"));
    }
    write_file(tree / "empty", "");
    write_file(tree / "one_newline", "\n");
    write_file(tree / "no_newline_at_end", "one two\nthree");
    write_file(tree / "all_spaces", " \t\n\v\f\r ");
    write_file(tree / "every_byte", every_byte());
    write_file(tree / "random_bytes", random_text(random, 300'000, every_byte()));
    write_file(tree / "not_utf8", "caf\xe9 \xa0 \xc3\xa9t\xc3 \xff\xfe \xf0\x9f\x98\x80 \xc2\xa0 x\xa0y\n");
    write_file(tree / "long_line", std::string(5'000'000, 'x'));
    // Around the size of a chunk: a word lies across the border, or begins or ends there.
    for (int size = 65530; size <= 65540; ++size) {
      write_file(tree / ("across_" + std::to_string(size)), std::string(size, 'x') + " y\nz");
      write_file(tree / ("spaces_" + std::to_string(size)), std::string(size, ' ') + "y\nz");
    }
    for (const std::string name : {"a space", " ",       "it's", "\"quoted\"", "$HOME", "back\\slash", "tab\there",
                                   "-rf",     "caf\xe9", "*",    "new\nline",  "\n",    "\n\n",        "it's\nnew",
                                   ".hidden", "a:b",     "?",    "Upper",      "lower", "total"}) {
      write_file(tree / "names" / name, name + " is my name\n");
      write_file(tree / ("folder " + name) / "file", "in " + name);
    }
    fs::create_directories(tree / "folder_of_nothing/more_nothing");
    fs::create_symlink("no_newline_at_end", tree / "link_to_file");
    fs::create_directory_symlink("d1", tree / "link_to_folder");
    fs::create_symlink("nowhere", tree / "link_to_nothing");
    if (mkfifo((tree / "pipe").c_str(), 0600) != 0) throw std::runtime_error("cannot make a pipe");
  }

  static void make_names_of_all_bytes(const fs::path& folder) {
    for (int byte = 1; byte < 256; ++byte) {
      if (byte == '/') continue;
      const std::string c(1, static_cast<char>(byte));
      for (const std::string& name : {c + "\n", "\n" + c, "a" + c + c + "\nb" + c, "'\"$" + c + "'\n'"}) {
        write_file(folder / name, c);
      }
    }
  }

  // In the tree's folder, as another user where that user is given.
  static Outcome run(const std::string& command, const std::string& user_prefix = "") {
    write_file(*root_ / "command", command);
    const std::string whole = "cd " + root_->native() + " && " + user_prefix + " bash ./command >out 2>err";
    const int status = std::system(whole.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(*root_ / "out"), read_file(*root_ / "err")};
  }

  static Outcome run_word_count(const std::string& arguments, const std::string& user_prefix = "") {
    return run("./word_count " + std::string(old_wc_ ? "" : "--words=any ") + arguments, user_prefix);
  }

  static Outcome run_pipeline(const std::string& folders, const std::string& user_prefix = "") {
    return run("set -o pipefail; find " + folders + " -type f -print0 | LC_ALL=C sort -z | LC_ALL=C wc --files0-from=-",
               user_prefix);
  }

  static void expect_equal(const std::string& folders, int status) {
    SCOPED_TRACE(folders);
    const Outcome expected = run_pipeline(folders);
    const Outcome seen = run_word_count(folders);
    EXPECT_EQ(expected.status, status) << expected.err;
    EXPECT_EQ(seen.status, status) << seen.err;
    EXPECT_EQ(seen.err.empty(), status == 0) << seen.err;
    EXPECT_TRUE(seen.out == expected.out) << first_difference(seen.out, expected.out);
  }

  static std::string first_difference(const std::string& seen, const std::string& expected) {
    std::istringstream seen_lines(seen), expected_lines(expected);
    for (std::string a, b;;) {
      const bool more_a = !std::getline(seen_lines, a).fail();
      const bool more_b = !std::getline(expected_lines, b).fail();
      if (!more_a && !more_b) return "";
      if (a != b || more_a != more_b) return "word_count: " + a + "\nwc:         " + b;
    }
  }

  static inline fs::path* root_ = nullptr;
  static inline bool old_wc_ = false;
};

TEST_F(WordCount, EqualsWcOverAWholeTree) {
  expect_equal("tree", 0);
  const std::string out = run_word_count("tree").out;
  EXPECT_GT(std::count(out.begin(), out.end(), '\n'), 1000);
}

TEST_F(WordCount, EqualsWcHoweverTheTreeIsNamed) {
  for (const char* folders :
       {"tree/", "./tree//", "tree/d1 tree/d2", "tree/d3 tree tree/d3/e3", "tree tree", ".//tree/d1/../d2"}) {
    expect_equal(folders, 0);
  }
}

TEST_F(WordCount, EqualsWcForNoFileAndForOne) {
  expect_equal("tree/folder_of_nothing", 0);
  expect_equal("'tree/folder new\nline'", 0);
  expect_equal("tree/every_byte", 0);
  expect_equal("tree/long_line tree/long_line", 0);
  expect_equal("tree/pipe", 0);
}

TEST_F(WordCount, FollowsNoLinkButOneThatIsNamedAsAFolder) {
  expect_equal("tree/link_to_folder tree/link_to_file tree/link_to_nothing", 0);
  expect_equal("tree/link_to_folder/", 0);
}

TEST_F(WordCount, NamesWhatIsNotThereAndCountsTheRest) {
  expect_equal("tree/d1 tree/absent tree/d2", 1);
  expect_equal("tree/empty/", 1);
  expect_equal("''", 1);
  EXPECT_EQ(run_word_count("tree/absent").err, "word_count: tree/absent: No such file or directory\n");
}

TEST_F(WordCount, NamesWhatCannotBeReadAndCountsTheRest) {
  // Nothing is unreadable to the super-user.
  const std::string user_prefix = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : "";
  ASSERT_EQ(run("true", user_prefix).status, 0) << "needs setpriv";
  write_file(*root_ / "locked/file", "not for you");
  write_file(*root_ / "locked/folder/file", "nor this");
  write_file(*root_ / "locked/last", "a b\n");
  fs::permissions(*root_ / "locked/file", fs::perms::none);
  fs::permissions(*root_ / "locked/folder", fs::perms::none);

  for (const char* folders : {"locked", "locked/file", "locked/file locked/last", "tree/d1 locked tree/d2"}) {
    SCOPED_TRACE(folders);
    const Outcome expected = run_pipeline(folders, user_prefix);
    const Outcome seen = run_word_count(folders, user_prefix);
    EXPECT_EQ(expected.status, 1);
    EXPECT_EQ(seen.status, 1);
    EXPECT_EQ(seen.out, expected.out);
    EXPECT_NE(seen.err.find("word_count: locked/file: Permission denied\n"), std::string::npos) << seen.err;
  }
  const std::string err = run_word_count("locked", user_prefix).err;
  EXPECT_NE(err.find("word_count: locked/folder: Permission denied\n"), std::string::npos) << err;
}

TEST_F(WordCount, BothRulesOfWhatAWordIs) {
  const std::string one_file = "tree/every_byte";
  EXPECT_EQ(run("./word_count --words=any words").out, "0 1 1 words\n");
  EXPECT_EQ(run("./word_count --words=printable words").out, "0 0 1 words\n");
  EXPECT_EQ(run("./word_count --words=any " + one_file).out, "1 4 256 tree/every_byte\n");
  EXPECT_EQ(run("./word_count --words=printable " + one_file).out, "1 1 256 tree/every_byte\n");
}

TEST_F(WordCount, RefusesABadCommandLine) {
  for (const char* arguments : {"", "--", "-x tree", "--words=long tree", "--words tree"}) {
    SCOPED_TRACE(arguments);
    const Outcome seen = run(std::string("./word_count ") + arguments);
    EXPECT_EQ(seen.status, 2);
    EXPECT_EQ(seen.out, "");
    EXPECT_NE(seen.err.find("usage: word_count"), std::string::npos);
  }
  write_file(*root_ / "-x/file", "a");
  EXPECT_EQ(run("./word_count -- -x").out, "0 1 1 -x/file\n");
}

TEST_F(WordCount, SaysWhenItCannotWrite) {
  EXPECT_EQ(run("./word_count tree >/dev/full").status, 1);
  EXPECT_EQ(run("./word_count words >/dev/full").err, "word_count: cannot write the counts\n");
}

}  // namespace
