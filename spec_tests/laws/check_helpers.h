// What the checks of all groups share: executors that cannot hang a check, calls that keep workers busy, and
// expectations on futures that wait no longer than the patience.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHECK_HELPERS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHECK_HELPERS_H_

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "futures/encoding/encoding.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/sync.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/law.h"
#include "spec_tests/laws/shared_number.h"
#include "spec_tests/laws/threads.h"

namespace futures::spec_tests {

// An entry of a group's table. An exception that `check` did not expect is a violation. `not_in_processes`: as Law
// says.
template <void (*check)(LawRun&)>
constexpr Law law(std::string_view id, std::string_view name, std::string_view not_in_processes = {}) {
  return {id, name,
          [](LawRun& run) {
            try {
              check(run);
            } catch (const std::exception& e) {
              run.expect(false, absl::StrCat("the check was ended by an exception: ", e.what()));
            } catch (...) {
              run.expect(false, "the check was ended by an exception");
            }
          },
          not_in_processes};
}

// The same for a check in which threads race: where calls run on threads it is repeated until it finds a violation.
template <void (*check)(LawRun&)>
constexpr Law racing_law(std::string_view id, std::string_view name, std::string_view not_in_processes = {}) {
  return {id, name,
          [](LawRun& run) {
            const int races = run.candidate().shares_memory ? kRaces : 1;
            for (int race = 0; race < races && run.violations().empty(); ++race) law<check>({}, {}).check(run);
          },
          not_in_processes};
}

// A fresh executor of the candidate under test. The last owner waits for its destructor no longer than the patience.
std::shared_ptr<Executor> open(const LawRun& run, const ExecutorOptions& options);
std::shared_ptr<Executor> open(const LawRun& run, int max_workers);

// Calls shutdown on a thread of its own. Returns what it returned; nothing, and a violation, if it did not return.
std::optional<bool> shut_down(const LawRun& run, const std::shared_ptr<Executor>& executor,
                              const ShutdownOptions& options);

// Keeps `n` workers busy until it is released, at the latest by its destructor. Its calls return 1.
class BusyWorkers {
 public:
  BusyWorkers(const LawRun& run, Executor& executor, int n = 1);

  void release() const { gate_.open(); }
  const std::vector<Future<int>>& futures() const { return futures_; }

 private:
  Gate gate_;
  std::vector<Future<int>> futures_;
};

// Of a check whose calls use their executor, or another one: why it is not for executors of processes.
inline constexpr std::string_view kNoExecutor = "does not apply: a worker has no executor";

// A call that returns what it is given.
inline int unchanged(int number) { return number; }

using Ints = std::vector<Future<int>>;

// Futures of `n` calls. Call i returns i.
Ints submit_some(Executor& executor, int n);
bool all_done(const Ints& futures);
bool all_cancelled(const Ints& futures);

// How often counted objects were copied and moved in this process, how many there are, and how many there are in other
// processes, where calls run. Copies of this are the same counts.
class CopyCounts {
 public:
  // Of nothing.
  CopyCounts() = default;
  static CopyCounts begin();

  int alive() const { return alive_.value(); }
  int copies() const { return copies_.value(); }
  int moves() const { return moves_.value(); }
  int in_workers() const { return in_workers_.value(); }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(alive_, copies_, moves_, in_workers_);
  }

 private:
  friend class CountedObject;
  void born(int n) const { (alive_.is_own() ? alive_ : in_workers_).add(n); }

  SharedNumber alive_;
  SharedNumber copies_;
  SharedNumber moves_;
  SharedNumber in_workers_;
};

// An object to be captured, passed or returned, which counts its copies. Travels.
class CountedObject {
 public:
  CountedObject() = default;
  explicit CountedObject(const CopyCounts& counts, int number = 0) : counts_(counts), number_(number) {
    counts_.born(1);
  }
  CountedObject(const CountedObject& other) : CountedObject(other.counts_, other.number_) { count(counts_.copies_); }
  CountedObject(CountedObject&& other) noexcept : CountedObject(other.counts_, other.number_) { count(counts_.moves_); }
  CountedObject& operator=(const CountedObject&) = delete;
  ~CountedObject() { counts_.born(-1); }
  int number() const { return number_; }

  template <typename Archive>
  void save(Archive& archive) const {
    archive(counts_, number_);
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(counts_, number_);
    counts_.born(1);
  }

 private:
  static void count(const SharedNumber& copies_or_moves) {
    if (copies_or_moves.is_own()) copies_or_moves.add(1);
  }

  CopyCounts counts_;
  int number_ = 0;
};

// An int that can be moved and not copied. Travels. 0 when it was moved from.
class MoveOnly {
 public:
  MoveOnly() = default;
  explicit MoveOnly(int number) : number_(std::make_unique<int>(number)) {}
  int number() const { return number_ == nullptr ? 0 : *number_; }

  template <typename Archive>
  void save(Archive& archive) const {
    archive(number());
  }
  template <typename Archive>
  void load(Archive& archive) {
    int number = 0;
    archive(number);
    *this = MoveOnly(number);
  }

 private:
  std::unique_ptr<int> number_;
};

// The callable that `bind_travelling` makes.
template <typename Fn, typename... Captured>
class BoundTravelling {
 public:
  BoundTravelling() = default;
  explicit BoundTravelling(Captured... captured) : captured_(std::move(captured)...) {}

  template <typename... Args>
    requires std::is_invocable_v<Fn, const Captured&..., Args...>
  auto operator()(Args&&... args) const {
    return std::apply([&](const Captured&... captured) { return Fn()(captured..., std::forward<Args>(args)...); },
                      captured_);
  }

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(captured_);
  }

 private:
  std::tuple<Captured...> captured_;
};

// A callable that travels with what it captures, as a lambda with captures cannot: bind_travelling(fn, a, b)(c) is
// fn(a, b, c). `fn` is a lambda without captures.
template <typename Fn, typename... Captured>
BoundTravelling<Fn, std::decay_t<Captured>...> bind_travelling(Fn, Captured&&... captured) {
  return BoundTravelling<Fn, std::decay_t<Captured>...>(std::forward<Captured>(captured)...);
}

// Whether calls run in other processes of the program, so that they share no memory with the check but what it shares
// on purpose: gates, counts, copy counts.
inline bool in_processes(const LawRun& run) { return !run.candidate().shares_memory; }

// Whether the process is no more.
bool has_ended(pid_t process);

// The promise is that `action` throws an E.
template <typename E, typename Action>
bool expect_throws(const LawRun& run, Action&& action, std::string_view what) {
  const std::string failure = does_not_throw<E>(std::forward<Action>(action));
  return run.expect(failure.empty(), absl::StrCat(what, failure));
}

// The promise is that the future is done soon.
template <typename R>
bool expect_done(const LawRun& run, const Future<R>& future, std::string_view what) {
  return run.expect(future.wait(kPatience), absl::StrCat(what, "; it is not done in time"));
}

// The promise is that the call returns `value`.
template <typename R, typename V>
bool expect_result(const LawRun& run, const Future<R>& future, const V& value, std::string_view what) {
  try {
    return run.expect(future.result(kPatience) == value, absl::StrCat(what, "; the value is another one"));
  } catch (const std::exception& e) {
    return run.expect(false, absl::StrCat(what, "; its result throws: ", e.what()));
  } catch (...) {
    return run.expect(false, absl::StrCat(what, "; its result throws"));
  }
}

// The promise is that the calls of submit_some return what they should.
void expect_results(const LawRun& run, const Ints& futures, std::string_view what);

// The promise is that the future's result throws an E.
template <typename E, typename R>
bool expect_error(const LawRun& run, const Future<R>& future, std::string_view what) {
  return expect_throws<E>(run, [&] { future.result(kPatience); }, what);
}

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHECK_HELPERS_H_
