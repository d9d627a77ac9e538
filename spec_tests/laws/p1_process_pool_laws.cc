// Laws P1 to P5, P10 and P13 to P15, for executors whose calls run in other processes. Bodies are functions with plain
// arguments; what they find where they run comes back as their result.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"

namespace futures::spec_tests {
namespace {

// ---------------------------------------------------------------------------------------------- P1

int add_one(const SharedCount& count) { return count.add(); }

void P1_ACallIsPendingUntilAWorkerHasIt(LawRun& run) {
  const auto executor = open(run, 1);
  const SharedCount ran;
  {
    const Gate gate;
    const Future<void> running = executor->submit(&pass, gate.entrance());
    run.expect(gate.await_arrivals(1), "a free worker starts a call");
    run.expect(running.running(), "a call whose body has begun is running");
    std::vector<Future<int>> queued;
    for (int i = 0; i < 3; ++i) queued.push_back(executor->submit(&add_one, ran));
    for (Future<int>& future : queued) {
      run.expect(!future.running() && !future.done(), "a call that no worker has is pending");
      run.expect(future.cancel(), "cancel of a call that no worker has succeeds");
    }
  }
  expect_result(run, executor->submit([](int n) { return n; }, 7), 7, "the pool lives on");
  run.expect(ran.value() == 0, "what was cancelled does not run");
}

// ---------------------------------------------------------------------------------------------- P2, P3

struct Point {
  int x = 0;
  std::string label;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(x, label);
  }
  friend bool operator==(const Point&, const Point&) = default;
};

enum class Colour : std::uint8_t { kRed, kGreen };

Point moved_right(Point point, int by) {
  point.x += by;
  return point;
}

std::map<std::string, std::vector<double>> halves(const std::map<std::string, std::vector<double>>& numbers) {
  std::map<std::string, std::vector<double>> result = numbers;
  for (auto& [name, values] : result) {
    for (double& value : values) value /= 2;
  }
  return result;
}

std::tuple<Colour, std::array<int, 3>, std::optional<std::string>> as_they_came(Colour colour,
                                                                                std::array<int, 3> numbers,
                                                                                std::optional<std::string> text) {
  return {colour, numbers, std::move(text)};
}

void P2_CallsOfEveryKindTravel(LawRun& run) {
  const auto executor = open(run, 2);
  expect_result(run, executor->submit(&moved_right, Point{1, "a"}, 2), Point{3, "a"},
                "a type with a serialize travels");
  const std::map<std::string, std::vector<double>> numbers = {{"a", {2, 4}}, {"b", {}}};
  expect_result(run, executor->submit(&halves, numbers),
                std::map<std::string, std::vector<double>>{{"a", {1, 2}}, {"b", {}}}, "containers travel");
  const std::array<int, 3> three = {1, 2, 3};
  expect_result(run, executor->submit(&as_they_came, Colour::kGreen, three, std::optional<std::string>("x")),
                std::tuple(Colour::kGreen, three, std::optional<std::string>("x")),
                "enums, arrays and optionals travel");
  expect_result(run, executor->submit([](int n) { return n + 1; }, 41), 42, "a lambda without captures travels");
}

void P2_WhatCannotTravelFailsAlone(LawRun& run) {
  const auto executor = open(run, 1);
  int local = 1;
  const Future<int> captures = executor->submit([&local] { return local; });
  expect_error<SerializationError>(run, captures, "a lambda with a capture cannot travel");
  const Future<int> points = executor->submit([](int* p) { return *p; }, &local);
  expect_error<SerializationError>(run, points, "a pointer cannot travel");
  expect_result(run, executor->submit([](int n) { return n; }, 7), 7, "the pool lives on");
}

// Throws where and when it is told to.
struct Brittle {
  enum When : int { kNever, kWhenWritten, kWhenRead };
  int when = kNever;

  template <typename Archive>
  void save(Archive& archive) const {
    if (when == kWhenWritten) throw std::runtime_error("cannot be written");
    archive(when);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(when);
    if (when == kWhenRead) throw std::runtime_error("cannot be read");
  }
};

Brittle brittle(int when) { return Brittle{when}; }
int when_of(const Brittle& brittle) { return brittle.when; }

void P3_WhatCannotBeEncodedOrDecodedFailsAlone(LawRun& run) {
  const auto executor = open(run, 1);
  for (const int when : {Brittle::kWhenWritten, Brittle::kWhenRead}) {
    const char* const does = when == Brittle::kWhenWritten ? "be encoded" : "be decoded";
    const Future<int> argument = executor->submit(&when_of, Brittle{when});
    expect_error<std::runtime_error>(run, argument, absl::StrCat("an argument that cannot ", does, " fails its call"));
    const Future<Brittle> result = executor->submit(&brittle, when);
    expect_error<std::runtime_error>(run, result, absl::StrCat("a result that cannot ", does, " fails its call"));
  }
  expect_result(run, executor->submit(&when_of, Brittle{}), 0, "the pool lives on");
}

// ---------------------------------------------------------------------------------------------- P4

class OwnError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
const ExceptionRegistration<OwnError> own_error_travels;

class StrangeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Throws : int { kOutOfRange, kSystemError, kOwn, kStrange, kInt };

int throws(Throws what) {
  switch (what) {
    case Throws::kOutOfRange:
      throw std::out_of_range("out of range");
    case Throws::kSystemError:
      throw std::system_error(ENOENT, std::generic_category(), "gone");
    case Throws::kOwn:
      throw OwnError("own");
    case Throws::kStrange:
      throw StrangeError("strange");
    case Throws::kInt:
      throw 7;
  }
  return 0;
}

template <typename E>
void expect_what(const LawRun& run, Executor& executor, Throws what, std::string_view text) {
  const Future<int> future = executor.submit(&throws, what);
  try {
    future.result(kPatience);
    run.expect(false, absl::StrCat(text, ": its result throws"));
  } catch (const E& e) {
    run.expect(absl::StrContains(e.what(), text), absl::StrCat(text, ": it says so; it says: ", e.what()));
  } catch (const std::exception& e) {
    run.expect(false, absl::StrCat(text, ": it arrives as its type; it is: ", e.what()));
  }
}

void P4_ExceptionsCrossAsTheirType(LawRun& run) {
  const auto executor = open(run, 1);
  expect_what<std::out_of_range>(run, *executor, Throws::kOutOfRange, "out of range");
  expect_what<std::system_error>(run, *executor, Throws::kSystemError, "gone");
  expect_what<OwnError>(run, *executor, Throws::kOwn, "own");
}

void P4_OthersArriveAsRemoteError(LawRun& run) {
  const auto executor = open(run, 1);
  const int worker = executor->submit(&::getpid).result(kPatience);
  for (const auto& [what, name] : {std::pair(Throws::kStrange, "StrangeError"), std::pair(Throws::kInt, "int")}) {
    const Future<int> future = executor->submit(&throws, what);
    try {
      future.result(kPatience);
      run.expect(false, "what a call throws is thrown by its result");
    } catch (const RemoteError& e) {
      run.expect(absl::StrContains(e.type_name(), name), absl::StrCat("RemoteError names the type ", name));
      run.expect(e.worker_pid() == worker, "RemoteError names the worker");
    } catch (const std::exception& e) {
      run.expect(false, absl::StrCat("a type that nobody registered arrives as RemoteError; it is: ", e.what()));
    }
  }
}

// ---------------------------------------------------------------------------------------------- P5

int end_by(int signal) {
  ::raise(signal);
  return 0;
}
int exit_with(int code) { ::_exit(code); }

void expect_death(const LawRun& run, Executor& executor, bool by_signal, int number) {
  const int worker = executor.submit(&::getpid).result(kPatience);
  const Future<int> dying = by_signal ? executor.submit(&end_by, number) : executor.submit(&exit_with, number);
  const Future<int> behind = executor.submit([](int n) { return n; }, 3);
  try {
    dying.result(kPatience);
    run.expect(false, "a call whose worker dies fails");
  } catch (const WorkerDiedError& e) {
    run.expect(e.pid() == worker, "WorkerDiedError names the worker");
    run.expect((by_signal ? e.signal() : e.exit_code()) == number, "WorkerDiedError says what ended it");
  } catch (const std::exception& e) {
    run.expect(false, absl::StrCat("a call whose worker dies gets WorkerDiedError; it gets: ", e.what()));
  }
  expect_result(run, behind, 3, "the call behind it is not lost");
  run.expect(executor.submit(&::getpid).result(kPatience) != worker, "the worker is replaced");
}

void P5_ADeathCostsOneCall(LawRun& run) {
  const auto executor = open(run, 1);
  expect_death(run, *executor, /*by_signal=*/true, SIGKILL);
  expect_death(run, *executor, /*by_signal=*/true, SIGSEGV);
  expect_death(run, *executor, /*by_signal=*/false, 3);
}

int count_and_die(const SharedCount& begun) {
  begun.add();
  return end_by(SIGKILL);
}

void P5_ADeathCostsNoOtherCall(LawRun& run) {
  const auto executor = open(run, 2);
  const SharedCount begun;
  const Gate gate;
  const Future<void> beside = executor->submit(&pass, gate.entrance());
  run.expect(gate.await_arrivals(1), "a free worker starts a call");
  const Future<int> dying = executor->submit(&count_and_die, begun);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 3; ++i) behind.push_back(executor->submit([](int n) { return n; }, i));
  expect_error<WorkerDiedError>(run, dying, "a call whose worker dies gets WorkerDiedError");
  for (int i = 0; i < 3; ++i) expect_result(run, behind[i], i, "a call in the queue is not lost with a worker");
  expect_result(run, executor->submit([](int n) { return n; }, 7), 7, "submits after a death are accepted");
  run.expect(begun.value() == 1, "a call whose worker died is not run again");
  run.expect(beside.running(), "a call on another worker goes on");
  gate.open();
  expect_done(run, beside, "a call on another worker comes to its end");
}

// ---------------------------------------------------------------------------------------------- P10

std::set<std::string> children_of_program() {
  std::set<std::string> children;
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", gone)) {
    std::ifstream list(thread.path() / "children");
    for (std::string child; list >> child;) children.insert(child);
  }
  return children;
}

// The memory that the program has mapped and others can map too, in any order.
std::multiset<std::string> shared_memory() {
  std::multiset<std::string> names;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    for (const std::string_view where : {"/memfd:", "/dev/shm/"}) {
      if (const std::size_t name = line.find(where); name != std::string::npos) names.insert(line.substr(name));
    }
  }
  return names;
}

int count_descriptors() {
  std::error_code gone;
  const std::filesystem::directory_iterator folder("/proc/self/fd", gone);
  return static_cast<int>(std::distance(folder, std::filesystem::directory_iterator()));
}

void P10_NothingStaysBehind(LawRun& run) {
  const std::set<std::string> children_before = children_of_program();
  const std::multiset<std::string> memory_before = shared_memory();
  const int descriptors_before = count_descriptors();
  {
    const auto executor = open(run, 2);
    expect_result(run, executor->submit([](int n) { return n; }, 7), 7, "a call runs");
    expect_error<WorkerDiedError>(run, executor->submit(&end_by, SIGKILL),
                                  "a call whose worker dies gets WorkerDiedError");
  }
  run.expect_soon(
      [&] {
        const std::set<std::string> children = children_of_program();
        return std::includes(children_before.begin(), children_before.end(), children.begin(), children.end());
      },
      "no process stays behind");
  run.expect_soon([&] { return count_descriptors() <= descriptors_before; }, "no descriptor stays behind");
  run.expect_soon(
      [&] {
        const std::multiset<std::string> memory = shared_memory();
        return std::includes(memory_before.begin(), memory_before.end(), memory.begin(), memory.end());
      },
      "no shared memory stays behind");
}

// ---------------------------------------------------------------------------------------------- P13 to P15

std::string link_of_descriptor(int descriptor) {
  std::error_code none;
  return std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", descriptor), none).string();
}

void P13_StdoutIsTheProgramsAndStdinIsNot(LawRun& run) {
  const auto executor = open(run, 1);
  expect_result(run, executor->submit(&link_of_descriptor, 0), std::string("/dev/null"),
                "a worker's stdin is /dev/null");
  expect_result(run, executor->submit(&link_of_descriptor, 1), link_of_descriptor(1),
                "a worker's stdout is the program's");
  expect_result(run, executor->submit(&link_of_descriptor, 2), link_of_descriptor(2),
                "a worker's stderr is the program's");
}

// The worker's blocked, ignored and caught signals, bit by bit.
std::array<std::uint64_t, 3> signals_of_worker() {
  std::array<std::uint64_t, 3> sets{};
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "SigBlk:") status >> std::hex >> sets[0];
    if (word == "SigIgn:") status >> std::hex >> sets[1];
    if (word == "SigCgt:") status >> std::hex >> sets[2];
  }
  return sets;
}

void P14_WorkersIgnoreCtrlCAndStartWithDefaultHandlers(LawRun& run) {
  // What the program does with its own signals must not reach its workers.
  struct sigaction ignore = {};
  struct sigaction before;
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR2, &ignore, &before);
  {
    const auto executor = open(run, 1);
    const auto bit = [](int signal) { return std::uint64_t{1} << (signal - 1); };
    const auto [blocked, ignored, caught] = executor->submit(&signals_of_worker).result(kPatience);
    run.expect(blocked == 0, "a worker blocks no signal");
    run.expect((ignored & bit(SIGINT)) != 0, "a worker ignores SIGINT");
    run.expect((ignored & (bit(SIGUSR2) | bit(SIGTERM) | bit(SIGPIPE) | bit(SIGCHLD))) == 0,
               "a worker ignores nothing else");
    run.expect((caught & (bit(SIGUSR1) | bit(SIGTERM) | bit(SIGINT))) == 0, "a worker starts with default handlers");
  }
  ::sigaction(SIGUSR2, &before, nullptr);
}

std::vector<std::string> files_of_worker() {
  std::vector<std::string> files;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", gone)) {
    files.push_back(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  return files;
}

void P15_WorkersHoldNoDescriptorOfTheProgram(LawRun& run) {
  // Without close-on-exec, as a careless library opens it.
  const int careless = ::memfd_create("careless", 0);
  {
    const auto executor = open(run, 1);
    const std::vector<std::string> files = executor->submit(&files_of_worker).result(kPatience);
    run.expect(!files.empty(), "a worker has descriptors");
    for (const std::string& file : files) {
      run.expect(!absl::StrContains(file, "careless"), absl::StrCat("a worker holds ", file));
    }
  }
  ::close(careless);
}

constexpr Law kLaws[] = {
    law<P1_ACallIsPendingUntilAWorkerHasIt>("P1", "ACallIsPendingUntilAWorkerHasIt"),
    law<P2_CallsOfEveryKindTravel>("P2", "CallsOfEveryKindTravel"),
    law<P2_WhatCannotTravelFailsAlone>("P2", "WhatCannotTravelFailsAlone"),
    law<P3_WhatCannotBeEncodedOrDecodedFailsAlone>("P3", "WhatCannotBeEncodedOrDecodedFailsAlone"),
    law<P4_ExceptionsCrossAsTheirType>("P4", "ExceptionsCrossAsTheirType"),
    law<P4_OthersArriveAsRemoteError>("P4", "OthersArriveAsRemoteError"),
    law<P5_ADeathCostsOneCall>("P5", "ADeathCostsOneCall"),
    law<P5_ADeathCostsNoOtherCall>("P5", "ADeathCostsNoOtherCall"),
    law<P10_NothingStaysBehind>("P10", "NothingStaysBehind"),
    law<P13_StdoutIsTheProgramsAndStdinIsNot>("P13", "StdoutIsTheProgramsAndStdinIsNot"),
    law<P14_WorkersIgnoreCtrlCAndStartWithDefaultHandlers>("P14", "WorkersIgnoreCtrlCAndStartWithDefaultHandlers"),
    law<P15_WorkersHoldNoDescriptorOfTheProgram>("P15", "WorkersHoldNoDescriptorOfTheProgram"),
};

}  // namespace

absl::Span<const Law> process_pool_laws() { return kLaws; }

}  // namespace futures::spec_tests
