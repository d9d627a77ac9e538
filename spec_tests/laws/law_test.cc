// Every check of every law on every candidate, as one test each.
#include "spec_tests/laws/law.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "optimized/process_main.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/candidates.h"

namespace futures::spec_tests {
namespace {

// By their numbers.
std::set<std::string> threads_of_this_process() {
  std::set<std::string> threads;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    threads.insert(thread.path().filename().string());
  }
  return threads;
}

// The threads that were not there before: a line of /proc for each. One that has been joined may still be listed for a
// while, so how many there are says little.
std::string threads_since(const std::set<std::string>& before) {
  std::string lines;
  for (const std::string& thread : threads_of_this_process()) {
    if (before.contains(thread)) continue;
    std::ifstream stat(absl::StrCat("/proc/self/task/", thread, "/stat"));
    std::string line;
    std::getline(stat, line);
    absl::StrAppend(&lines, thread, ": ", line, "\n");
  }
  return lines;
}

class LawTest : public testing::Test {
 public:
  LawTest(const Law& law, const Candidate& candidate) : law_(law), candidate_(candidate) {}

  void TestBody() override {
    if (const auto skip = candidate_.skips.find(std::string(law_.id)); skip != candidate_.skips.end()) {
      GTEST_SKIP() << skip->second;
    }
    const std::set<std::string> threads_before = threads_of_this_process();
    LawRun run(candidate_);
    law_.check(run);
    EXPECT_EQ(absl::StrJoin(run.violations(), "\n"), "");
    EXPECT_GT(run.checked(), 0) << "the law's premise never held";
    EXPECT_TRUE(soon([&] { return threads_since(threads_before).empty(); })) << "the check left threads behind:\n"
                                                                             << threads_since(threads_before);
  }

 private:
  const Law law_;
  const Candidate& candidate_;
};

void register_law_tests() {
  std::vector<const Candidate*> candidates;
  for (const auto* const some : {&thread_candidates(), &process_candidates()}) {
    for (const Candidate& candidate : *some) candidates.push_back(&candidate);
  }
  for (const Candidate* const kind_of_test : candidates) {
    const Candidate& candidate = *kind_of_test;
    for (const Law& law : all_laws()) {
      if (!can_run(law, candidate)) continue;
      const std::string group(law.id.substr(0, 1));
      testing::RegisterTest(group.c_str(), absl::StrCat(law.id, "_", law.name, "/", candidate.name).c_str(), nullptr,
                            nullptr, __FILE__, __LINE__,
                            [law, &candidate]() -> testing::Test* { return new LawTest(law, candidate); });
    }
  }
}

TEST(AllLaws, HaveATitleAndANameOfTheirOwn) {
  std::set<std::string_view> titles;
  for (const LawTitle& title : law_titles()) EXPECT_TRUE(titles.insert(title.id).second) << title.id;
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const Law& law : all_laws()) {
    EXPECT_TRUE(titles.contains(law.id)) << law.id;
    EXPECT_TRUE(names.insert({law.id, law.name}).second) << law.name;
  }
}

TEST(AllLaws, AreCompleteForTheGroupsThatAreOffered) {
  const std::map<std::string_view, std::set<int>> not_yet = {{"E", {}}, {"F", {}},     {"W", {}}, {"M", {}},
                                                             {"S", {}}, {"T", {6, 7}}, {"P", {}}};
  std::set<std::string_view> checked;
  for (const Law& law : all_laws()) checked.insert(law.id);
  for (const LawTitle& title : law_titles()) {
    const auto group = not_yet.find(title.id.substr(0, 1));
    if (group == not_yet.end() || group->second.contains(std::stoi(std::string(title.id.substr(1))))) continue;
    EXPECT_TRUE(checked.contains(title.id)) << title.id;
  }
}

}  // namespace
}  // namespace futures::spec_tests

int main(int argc, char** argv) {
  futures::process_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  absl::InitializeLog();
  std::thread([] {}).join();  // With the first thread, a sanitizer starts one of its own, which stays.
  futures::spec_tests::register_law_tests();
  return RUN_ALL_TESTS();
}
