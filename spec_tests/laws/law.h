// A law as an executable check: a small program against the Executor interface alone, run for every candidate.
// The law tests and the conformance tool run the same checks.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LAW_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LAW_H_

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/config.h"
#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/internal/time.h"
#include "spec_tests/candidates/candidate.h"

namespace futures::spec_tests {

// How long a check waits for what a law promises to happen. Raising it makes a check on a broken executor slower,
// lowering it makes a check on a busy machine see a violation where there is none.
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
inline constexpr std::chrono::milliseconds kPatience{10'000};
#else
inline constexpr std::chrono::milliseconds kPatience{5'000};
#endif

// Waits until `condition` holds, at most for the patience. Returns whether it does. Polls.
bool soon(const std::function<bool()>& condition);

// One run of one check on one candidate. Collects how often the law's premise held and what broke it.
// Thread-safe: bodies and callbacks may call expect. Copies share one collection, so a body that may outlive its check
// on a broken executor holds a copy.
class LawRun {
 public:
  // `candidate` must outlive all copies. `on_violation` is called at each violation, on the thread that saw it.
  explicit LawRun(const Candidate& candidate, std::function<void(std::string_view what)> on_violation = nullptr);

  // A fresh executor of the candidate under test.
  std::unique_ptr<Executor> make(const ExecutorOptions& options = {}) const;
  std::unique_ptr<Executor> make(int max_workers) const { return make(ExecutorOptions{.max_workers = max_workers}); }
  const Candidate& candidate() const { return candidate_; }

  // The law's premise held and its promise was looked at: a violation if `kept` is false. `what` says in words what the
  // law promised here. Returns `kept`.
  bool expect(bool kept, std::string_view what) const;

  // expect(condition becomes true within the patience): for what happens soon but at no defined moment. Polls.
  bool expect_soon(const std::function<bool()>& condition, std::string_view what) const;

  int checked() const;
  std::vector<std::string> violations() const;

 private:
  const Candidate& candidate_;
  struct Counts;
  std::shared_ptr<Counts> counts_;
};

// In words, how `action` fails to throw an E: for a report that begins with what the law promised. Empty if it throws
// one.
template <typename E, typename Action>
std::string does_not_throw(Action&& action) {
  try {
    action();
  } catch (const E&) {
    return "";
  } catch (const std::exception& e) {
    return std::string("; it threw instead: ") + e.what();
  }
  return "; it did not throw";
}

struct Law {
  std::string_view id;  // "S3"
  std::string_view name;  // "CancelFuturesCancelsWhatHasNotStarted"; a law may have several checks
  void (*check)(LawRun& run);  // Throws nothing.
  // Why this check is not for executors whose calls run in other processes. Empty if it is.
  std::string_view not_in_processes = {};
};

// Why the check is not for the candidate; empty if it is. Group P is for executors whose calls run in other processes,
// group T for those whose calls run on threads, and what is left for all but where the check itself says no.
inline std::string_view why_not(const Law& law, const Candidate& candidate) {
  if (candidate.shares_memory) return law.id.starts_with('P') ? "a law of process pools" : "";
  return law.id.starts_with('T') ? "a law of thread pools" : law.not_in_processes;
}
inline bool can_run(const Law& law, const Candidate& candidate) { return why_not(law, candidate).empty(); }

// Every check, in the order of the laws. Defined in //spec_tests/laws.
std::vector<Law> all_laws();

// The ids and one-line titles of all laws, whether or not there is a check for them here.
struct LawTitle {
  std::string_view id;
  std::string_view title;
};
absl::Span<const LawTitle> law_titles();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_LAW_H_
