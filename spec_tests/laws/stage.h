// What the checks of all groups share: executors that cannot hang a check, calls that keep workers busy, and expectations
// on futures that wait no longer than the patience.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_STAGE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_STAGE_H_

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/law.h"
#include "spec_tests/laws/gate.h"

namespace futures::spec_tests {

// An entry of a group's table. An exception that `check` did not expect is a violation.
template <void (*check)(LawRun&)>
constexpr Law law(std::string_view id, std::string_view name) {
  return {id, name, [](LawRun& run) {
            try {
              check(run);
            } catch (const std::exception& e) {
              run.expect(false, absl::StrCat("the check was ended by an exception: ", e.what()));
            } catch (...) {
              run.expect(false, "the check was ended by an exception");
            }
          }};
}

// A fresh executor of the kind under test. The last owner waits for its destructor no longer than the patience.
std::shared_ptr<Executor> open(const LawRun& run, const ExecutorOptions& options);
std::shared_ptr<Executor> open(const LawRun& run, int max_workers);

// Calls shutdown on a thread of its own. Returns what it returned; nothing, and a violation, if it did not return.
std::optional<bool> shut_down(const LawRun& run, const std::shared_ptr<Executor>& executor, const ShutdownOptions& options);

// Keeps `n` workers busy until it is released, at the latest by its destructor. Its calls return 1.
class Held {
 public:
  Held(const LawRun& run, Executor& executor, int n = 1);

  void release() const { gate_.open(); }
  const std::vector<Future<int>>& futures() const { return futures_; }

 private:
  Gate gate_;
  std::vector<Future<int>> futures_;
};

// How often objects that bear witness were copied and moved, and how many there are.
struct Census {
  std::atomic<int> alive{0};
  std::atomic<int> copies{0};
  std::atomic<int> moves{0};
};

// An object to be captured, passed or returned.
class Witness {
 public:
  explicit Witness(std::shared_ptr<Census> census, int number = 0) : census_(std::move(census)), number_(number) {
    ++census_->alive;
  }
  Witness(const Witness& other) : Witness(other.census_, other.number_) { ++census_->copies; }
  Witness(Witness&& other) noexcept : Witness(other.census_, other.number_) { ++census_->moves; }
  Witness& operator=(const Witness&) = delete;
  ~Witness() { --census_->alive; }
  int number() const { return number_; }

 private:
  std::shared_ptr<Census> census_;
  int number_;
};

// What was logged while it lives, by any thread.
class LogCapture final : public absl::LogSink {
 public:
  LogCapture();
  ~LogCapture() override;
  void Send(const absl::LogEntry& entry) override;
  bool holds(std::string_view text) const;

 private:
  mutable absl::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

// The promise is that `action` throws an E.
template <typename E, typename Action>
bool expect_throws(const LawRun& run, Action&& action, std::string_view what) {
  try {
    action();
  } catch (const E&) {
    return run.expect(true, what);
  } catch (const std::exception& e) {
    return run.expect(false, absl::StrCat(what, "; it threw instead: ", e.what()));
  }
  return run.expect(false, absl::StrCat(what, "; it did not throw"));
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

// The promise is that the future's result throws an E.
template <typename E, typename R>
bool expect_error(const LawRun& run, const Future<R>& future, std::string_view what) {
  return expect_throws<E>(run, [&] { future.result(kPatience); }, what);
}

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_STAGE_H_
