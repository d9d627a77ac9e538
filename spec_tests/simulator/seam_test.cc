// The simulated code reaches threads, time, atomics, statics and the end of the program through sync.h alone: of the
// world outside the project it uses only what is listed here. And a use of anything else is found, however it is
// written.
#include "spec_tests/simulator/seam.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace futures::simulator {
namespace {

namespace fs = std::filesystem;

const fs::path kHere = "spec_tests/simulator";

// What the simulated code may use: each name, and what is inside it.
constexpr std::string_view kAllowed[] = {
    // Values, containers and algorithms: they touch no other thread.
    "operator new",
    "operator delete",
    "free",
    "absl::AlphaNum",
    "absl::MaxSplits",
    "absl::StartsWith",
    "absl::StrCat",
    "absl::StrSplit",
    "absl::container_internal",
    "absl::flat_hash_set",
    "absl::strings_internal",
    "std::_Bit_iterator",
    "std::_Bit_reference",
    "std::_Deque_iterator",
    "std::_List_iterator",
    "std::apply",
    "std::basic_string",
    "std::basic_string_view",
    "std::chrono::duration",
    "std::chrono::duration_cast",
    "std::chrono::operator",
    "std::deque",
    "std::erase",
    "std::exchange",
    "std::find",
    "std::find_if",
    "std::function",
    "std::get",
    "std::get_if",
    "std::invoke",
    "std::list",
    "std::make_unique",
    "std::max",
    "std::min",
    "std::numeric_limits",
    "std::operator",
    "std::optional",
    "std::ranges",
    "std::reverse_iterator",
    "std::swap",
    "std::to_string",
    "std::tuple",
    "std::type_info",
    "std::unique_ptr",
    "std::variant",
    "std::vector",
    "std::visit",
    // The compiler's own: moves of memory, and what it puts where the code cannot go on.
    "llvm.ceil",
    "llvm.memcpy",
    "llvm.memset",
    "llvm.trap",
    "__cxa_pure_virtual",
    "__cxxabiv1",
    // Exceptions. What C++ keeps of them for each thread is exchanged at each switch of fibers. std::exception_ptr
    // counts its owners inside libstdc++, where the simulator sees no operation: who frees an exception is not
    // explored.
    "__clang_call_terminate",
    "__cxa_allocate_exception",
    "__cxa_begin_catch",
    "__cxa_current_exception_type",
    "__cxa_demangle",
    "__cxa_end_catch",
    "__cxa_free_exception",
    "__cxa_rethrow",
    "__cxa_throw",
    "llvm.eh",
    "std::__exception_ptr",
    "std::bad_alloc",
    "std::current_exception",
    "std::exception",
    "std::invalid_argument",
    "std::logic_error",
    "std::make_exception_ptr",
    "std::rethrow_exception",
    "std::runtime_error",
    "std::system_error",
    "std::terminate",
    "std::uncaught_exceptions",
    // The log takes a lock of its own. It uses nothing of sync.h, so no fiber is switched while it has that.
    "absl::log_internal",
    // The processors of this machine, and names of signals: read from the system, the same in each run.
    "__sched_cpualloc",
    "__sched_cpucount",
    "__sched_cpufree",
    "sched_getaffinity",
    "sigabbrev_np",
    "std::basic_ifstream",
    "std::basic_ios",
    "std::basic_istream",
    "std::getline",
};

bool is_allowed(std::string_view name) {
  return std::any_of(std::begin(kAllowed), std::end(kAllowed), [name](std::string_view allowed) {
    std::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, allowed)) return false;
    return rest.empty() || absl::StartsWith(rest, "::") || absl::StartsWith(rest, ".");
  });
}

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The intermediate code of a source beside this one, without the line that says whether the compiler liked it.
std::string code_of(const std::string& name) {
  std::string code = contents(kHere / (name + ".ll"));
  std::string_view left = code;
  EXPECT_TRUE(absl::ConsumeSuffix(&left, "exit status 0\n")) << code.substr(0, 2000);
  code.resize(left.size());
  return code;
}

bool is_copy(std::string_view file) { return absl::StrContains(file, "spec_tests/simulator/simulated/"); }

TEST(Seam, TheSimulatedCodeUsesNothingElse) {
  const SeamReading reading = read_seam(code_of("seam_code"), is_copy);
  EXPECT_GT(reading.uses.size(), 1000u);
  std::map<std::string, std::set<std::string>> found;
  for (const OutsideUse& use : reading.uses) {
    if (!is_allowed(use.name)) found[use.name].insert(use.file + ": " + use.user);
  }
  for (const auto& [name, users] : found) {
    ADD_FAILURE() << name << " is neither of sync.h nor listed above. It is used by\n  " << *users.begin();
  }
}

// --- Which code is simulated.

// Sources that are not copied, and why.
const std::map<std::string, std::string_view> kNotCopied = {
    {"futures/internal/exit_and_fork.cc", "exit_and_fork.cc takes its place: a simulated run neither forks nor exits"},
    {"futures/internal/sync.cc", "sync.cc takes its place"},
    {"futures/internal/sync.h", "sync.h takes its place"},
    {"futures/internal/thread_sanitizer.cc", "of no executor"},
};

// Copies that have no code of their own: declarations and constants.
const std::set<std::string> kWithoutCode = {
    "futures/internal/callable.h",
    "futures/internal/cpus.h",
    "futures/internal/time.h",
    "optimized/thread_pool_executor.h",
};

std::set<std::string> sources_below(const fs::path& folder) {
  std::set<std::string> sources;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    const std::string name = entry.path().filename();
    if (extension != ".h" && extension != ".cc") continue;
    if (!absl::EndsWith(name, "_test.cc")) sources.insert(entry.path());
  }
  return sources;
}

TEST(Seam, AllSourcesAreCopied) {
  std::set<std::string> copies;
  const fs::path folder = kHere / "simulated";
  for (const std::string& copy : sources_below(folder)) copies.insert(fs::path(copy).lexically_relative(folder));
  for (const char* const part : {"futures", "optimized", "reference"}) {
    const std::set<std::string> sources = sources_below(part);
    EXPECT_FALSE(sources.empty()) << part;
    for (const std::string& source : sources) EXPECT_NE(copies.contains(source), kNotCopied.contains(source)) << source;
  }
}

TEST(Seam, AllCopiesAreRead) {
  const SeamReading reading = read_seam(code_of("seam_code"), is_copy);
  std::set<std::string> read;
  for (const std::string& file : reading.files) {
    constexpr std::string_view kFolder = "/simulated/";
    read.insert(file.substr(file.rfind(kFolder) + kFolder.size()));
  }
  const fs::path folder = kHere / "simulated";
  for (const std::string& copy : sources_below(folder)) {
    const std::string source = fs::path(copy).lexically_relative(folder);
    EXPECT_NE(read.contains(source), kWithoutCode.contains(source)) << source;
  }
}

// --- What must be found.

// The functions of seam_broken.cc, and what each of them does.
const std::vector<std::pair<std::string_view, std::string_view>> kBroken = {
    {"atomic_through_an_alias", "std::atomic"},
    {"atomic_in_a_struct", "std::__atomic_base"},
    {"atomic_builtin", "(atomic instruction)"},
    {"atomic_ref_through_auto", "std::atomic_ref"},
    {"fence", "(atomic instruction)"},
    {"mutex_that_is_inherited", "std::mutex::lock"},
    {"mutex_through_a_generic_lambda", "std::mutex::lock"},
    {"condition_through_auto", "std::condition_variable::wait"},
    {"thread_through_auto", "std::thread"},
    {"future_through_auto", "std::async"},
    {"promise_through_an_alias", "std::promise"},
    {"yield_through_a_namespace", "std::this_thread::yield"},
    {"sleep", "std::this_thread::sleep_for"},
    {"clock_through_an_alias", "std::chrono::steady_clock::now"},
    {"clock_of_c", "time"},
    {"call_once", "std::call_once"},
    {"static_with_a_guard", "(static)"},
    {"__cxx_global_var_init", "__cxa_atexit"},
    {"thread_local_variable", "(thread_local)"},
    {"thread_local_in_a_function", "(thread_local)"},
    {"self_through_a_pointer", "pthread_self"},
    {"kEnds", "pthread_exit"},
    {"system_call", "syscall"},
    {"exit_hook", "atexit"},
    {"stop_source", "std::stop_source"},
    {"semaphore", "std::counting_semaphore"},
    {"barrier", "std::barrier"},
    {"mutex_of_abseil", "absl::MutexLock"},
    {"clock_of_abseil", "absl::Now"},
    {"shared_ptr_through_auto", "std::make_shared"},
    {"weak_ptr_through_an_alias", "std::weak_ptr"},
    {"assembly", "(assembly)"},
};

TEST(Seam, EachWayPastItIsFound) {
  const SeamReading reading =
      read_seam(code_of("seam_broken"), [](std::string_view file) { return absl::EndsWith(file, "seam_broken.cc"); });
  for (const auto& [function, name] : kBroken) {
    EXPECT_TRUE(std::any_of(reading.uses.begin(), reading.uses.end(),
                            [&](const OutsideUse& use) {
                              return absl::StrContains(use.user, function) && use.name == name && !is_allowed(name);
                            }))
        << function << " uses " << name;
  }
  for (const OutsideUse& use : reading.uses) {
    if (absl::StrContains(use.user, "4good")) EXPECT_TRUE(is_allowed(use.name)) << use.name;
  }
}

TEST(Seam, SymbolsHaveNames) {
  EXPECT_EQ(entity_of_symbol("pthread_self"), "pthread_self");
  EXPECT_EQ(entity_of_symbol("_ZNSt5mutex4lockEv"), "std::mutex::lock");
  EXPECT_EQ(entity_of_symbol("_ZNKSt6vectorIiSaIiEE4sizeEv"), "std::vector");
  EXPECT_EQ(entity_of_symbol("_ZNSt6chrono3_V212steady_clock3nowEv"), "std::chrono::steady_clock::now");
  EXPECT_EQ(entity_of_symbol("_ZNSsC1EPKc"), "std::basic_string");
  EXPECT_EQ(entity_of_symbol("_ZSteqIcEbRKSaIT_ES3_"), "std::operator");
  EXPECT_EQ(entity_of_symbol("_ZTVSt13runtime_error"), "std::runtime_error");
  EXPECT_EQ(entity_of_symbol("_ZTIi"), "typeinfo");
  EXPECT_EQ(entity_of_symbol("_ZThn16_N7futures4PoolD1Ev"), "futures::Pool");
  EXPECT_EQ(entity_of_symbol("_ZZN7futures3runEvE5count"), "futures::run");
  EXPECT_EQ(entity_of_symbol("_ZGVZN7futures3runEvE5count"), "(static)");
  EXPECT_EQ(entity_of_symbol("_ZN4absl12lts_202407223NowEv"), "absl::Now");
  EXPECT_EQ(entity_of_symbol("_ZdlPvm"), "operator delete");
}

}  // namespace
}  // namespace futures::simulator
