// Law P11: calls that overwrite all the memory that their worker shares with the program, and then return, die, hang,
// or go on with it. The program does not crash, no call of it waits for ever, it comes to its end; and where the kind
// confines its workers, no call suffers that was not given to the hostile one.
//
// The calls here know no executor: they find the memory in /proc/self/maps.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/groups.h"

namespace futures::spec_tests {
namespace {

// Workers that do not leave are killed at last. That takes longer than the patience with what behaves.
bool soon_at_last(const std::function<bool()>& condition) {
  for (int patience = 0; patience < 10; ++patience) {
    if (soon(condition)) return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------- What the worker does.

// Memory that others write at the same time.
using Words = std::span<volatile std::uint64_t>;

// What this process can write and others can read, but what the checks themselves share with their calls.
std::vector<Words> shared_memory() {
  constexpr std::size_t kBytesMax = std::size_t{8} << 20;  // Of one mapping.
  std::vector<Words> all;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (!absl::StrContains(line, " rw-s ") || absl::StrContains(line, "/memfd:numbers")) continue;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2) continue;
    all.emplace_back(reinterpret_cast<volatile std::uint64_t*>(begin),
                     std::min<std::size_t>(end - begin, kBytesMax) / sizeof(std::uint64_t));
  }
  return all;
}

enum class Garbage : int { kZeros, kOnes, kRandom, kTwisted };

// Overwrites all that its process shares. The worker's first thread may use it at the same time: a race on purpose.
class Scribbler {
 public:
  explicit Scribbler(Garbage garbage) : garbage_(garbage) {}

  void act() {
    for (const Words memory : all_) garbage_ == Garbage::kTwisted ? twist(memory) : fill(memory);
  }

 private:
  ABSL_ATTRIBUTE_NO_SANITIZE_THREAD void fill(Words memory) {
    const std::uint64_t fixed = garbage_ == Garbage::kOnes ? ~std::uint64_t{0} : 0;
    for (volatile std::uint64_t& word : memory) word = garbage_ == Garbage::kRandom ? random_() : fixed;
  }

  // Each word that says something says something else, perhaps what another one says.
  ABSL_ATTRIBUTE_NO_SANITIZE_THREAD void twist(Words memory) {
    std::vector<std::size_t> telling;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      if (memory[i] != 0) telling.push_back(i);
    }
    for (const std::size_t i : telling) {
      const std::uint64_t word = memory[i];
      switch (random_() % 4) {
        case 0:
          memory[i] = memory[telling[random_() % telling.size()]];
          break;
        case 1:
          memory[i] = word ^ std::uint64_t{1} << random_() % 64;
          break;
        case 2:
          memory[i] = word + random_() % 5 - 2;
          break;
        default:
          break;
      }
    }
  }

  const std::vector<Words> all_ = shared_memory();
  const Garbage garbage_;
  std::mt19937_64 random_{11};
};

enum class Ending : int { kReturns, kReturnsAndGoesOn, kDies, kHangs };

// Begins when the gate is open, and says so when all has been overwritten once.
std::vector<std::string> overwrite(Garbage garbage, Ending ending, const Gate::Entrance& at, const SharedCount& begun) {
  at.pass();
  const auto scribbler = std::make_shared<Scribbler>(garbage);
  if (ending == Ending::kReturnsAndGoesOn) {
    std::thread([scribbler, begun] {
      for (;; begun.add()) scribbler->act();
    }).detach();
    begun.reaches(1, kPatience);
  } else {
    scribbler->act();
    begun.add();
  }
  if (ending == Ending::kDies) ::_exit(9);
  while (ending == Ending::kHangs) ::pause();
  return {"as", "if", "nothing", "had", "happened"};
}

// ---------------------------------------------------------------------------------------------- What the program sees.

// What the other calls are given and return: some of it needs room beside the slots of calls.
std::vector<std::string> texts(int number) {
  return {absl::StrCat("text ", number), std::string(number % 4 == 0 ? 8'000 : 10, 'x')};
}

std::vector<std::string> as_it_came(const std::vector<std::string>& given) { return given; }

std::vector<std::string> as_it_came_at(const Gate::Entrance& at, const std::vector<std::string>& given) {
  at.pass();
  return given;
}

using Call = Future<std::vector<std::string>>;

// An executor that may break refuses calls then.
std::vector<Call> submit_calls(Executor& executor, int count) {
  std::vector<Call> calls;
  try {
    for (int i = 0; i < count; ++i) calls.push_back(executor.submit(&as_it_came, texts(i)));
  } catch (const BrokenExecutor&) {
  }
  return calls;
}

// Whether the call has its own result. An error, or the result of nobody, is borne; that it never ends is not.
bool expect_ends(const LawRun& run, const Call& call, const std::vector<std::string>& own) {
  if (!run.expect(soon_at_last([&call] { return call.done(); }), "every call ends, whatever a worker writes"))
    return false;
  try {
    return call.result() == own;
  } catch (const std::exception&) {
    return false;
  }
}

int expect_all_end(const LawRun& run, const std::vector<Call>& calls) {
  int right = 0;
  for (int i = 0; const Call& call : calls) right += expect_ends(run, call, texts(i++)) ? 1 : 0;
  return right;
}

// A client that waits for the call for as long as it takes, and sleeps now.
std::unique_ptr<WatchedThread> sleeping_client(const LawRun& run, const Call& call) {
  auto client = std::make_unique<WatchedThread>(run, "who waits for a call is woken, whatever a worker writes", [call] {
    try {
      call.result();
    } catch (const std::exception&) {
    }
  });
  client->falls_asleep();
  return client;
}

void expect_destroyed(const LawRun& run, std::unique_ptr<Executor> executor) {
  const WatchedThread destroyer(
      run, "the destructor returns, whatever a worker has written",
      [executor = std::shared_ptr<Executor>(std::move(executor))]() mutable { executor.reset(); });
  soon_at_last([&destroyer] { return destroyer.has_ended(); });
}

long peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// One hostile call, others that run beside it, and others behind it.
void run_hostile(const LawRun& run, Garbage garbage, Ending ending) {
  constexpr int kBeside = 2;
  constexpr int kBehind = 20;
  constexpr long kKilobytesMax = 256 << 10;  // Nothing here is larger than a few megabytes.
  // One call for each worker: what seems to return is given no second one, and confines what it does to itself.
  const ProcessOptions processes{
      .max_calls_per_worker = 1, .call_timeout = kPatience / 2, .payload_bytes_max = std::size_t{1} << 20};
  const long kilobytes_before = peak_kilobytes();
  std::unique_ptr<Executor> executor = run.make({.max_workers = kBeside + 1, .processes = processes});
  {
    const Gate gate;
    const Gate begin;
    const SharedCount begun;
    std::vector<Call> beside;
    for (int i = 0; i < kBeside; ++i) beside.push_back(executor->submit(&as_it_came_at, gate.entrance(), texts(i)));
    const Call hostile = executor->submit(&overwrite, garbage, ending, begin.entrance(), begun);
    const std::vector<Call> behind = submit_calls(*executor, kBehind);
    run.expect(gate.await_arrivals(kBeside) && begin.await_arrivals(1),
               "free workers start the calls that are submitted");
    const std::array clients = {sleeping_client(run, hostile), sleeping_client(run, beside[0])};
    begin.open();
    // It may be found out and ended before it has come to that.
    run.expect_soon([&] { return begun.value() > 0 || hostile.done(); }, "the hostile call runs");
    gate.open();
    const int right = expect_all_end(run, beside) + expect_all_end(run, behind);
    expect_ends(run, hostile, {});
    for (const auto& client : clients) soon_at_last([&client] { return client->has_ended(); });
    if (run.candidate().confines_workers) {
      run.expect(right == kBeside + kBehind, "a hostile call costs no other call");
      const int right_later = expect_all_end(run, submit_calls(*executor, kBehind));
      run.expect(right_later == kBehind, "the executor is as good as new");
    }
  }
  expect_destroyed(run, std::move(executor));
  run.expect(peak_kilobytes() - kilobytes_before <= kKilobytesMax, "the program takes no memory that a worker made up");
}

void run_hostile(const LawRun& run, Ending ending) {
  for (const Garbage garbage : {Garbage::kZeros, Garbage::kOnes, Garbage::kRandom, Garbage::kTwisted}) {
    run_hostile(run, garbage, ending);
  }
}

void P11_OverwritesAllAndReturns(LawRun& run) { run_hostile(run, Ending::kReturns); }
void P11_OverwritesAllAndGoesOn(LawRun& run) { run_hostile(run, Ending::kReturnsAndGoesOn); }
void P11_OverwritesAllAndDies(LawRun& run) { run_hostile(run, Ending::kDies); }
void P11_OverwritesAllAndHangs(LawRun& run) { run_hostile(run, Ending::kHangs); }

constexpr Law kLaws[] = {
    law<P11_OverwritesAllAndReturns>("P11", "OverwritesAllAndReturns"),
    law<P11_OverwritesAllAndGoesOn>("P11", "OverwritesAllAndGoesOn"),
    law<P11_OverwritesAllAndDies>("P11", "OverwritesAllAndDies"),
    law<P11_OverwritesAllAndHangs>("P11", "OverwritesAllAndHangs"),
};

}  // namespace

absl::Span<const Law> hostile_laws() { return kLaws; }

}  // namespace futures::spec_tests
