// A check's part in a child process made by fork(): what would end this program, change it for good, or is about
// fork().
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHILD_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHILD_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "futures/encoding/encoding.h"
#include "futures/executor.h"
#include "spec_tests/laws/law.h"

namespace futures {
namespace spec_tests {

// The child's side: what it says reaches the check in the parent, also when the child ends by std::exit or is killed.
// Copies say it to the same check, from processes of the child's, too: a call gets one as an argument. Any thread.
class ChildReport {
 public:
  // Of this process.
  explicit ChildReport(int descriptor);

  // As LawRun::expect.
  bool expect(bool kept, std::string_view what) const;
  // For the parent to look at. One line, short.
  void note(std::string_view line) const;

  // The promise is that `action` throws an E.
  template <typename E, typename Action>
  bool expect_throws(Action&& action, std::string_view what) const {
    const std::string failure = does_not_throw<E>(std::forward<Action>(action));
    return expect(failure.empty(), std::string(what) + failure);
  }

 private:
  void say(char kind, std::string_view line) const;
  pid_t process_;  // Whose descriptor it is.
  int descriptor_;
};

// ThreadSanitizer neither starts threads nor ends them in a child that was forked while the program had several.
#if defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr bool kChildMayHaveThreads = false;
#else
inline constexpr bool kChildMayHaveThreads = true;
#endif

// How a child has ended.
struct ChildEnd {
  bool in_time = false;  // Otherwise it was killed when the patience was over: a violation already.
  int status = -1;       // What it gave to exit; minus the signal that killed it.
  std::vector<std::string> notes;
};

// Runs `body` in a child and waits for its end. What it expects counts as expected by `run`. When `body` returns, the
// child ends by _exit(0). It may end by std::exit before: what was registered before the first executor, by anyone but
// this file, is then skipped, so that the child does not end what belongs to the parent.
ChildEnd in_child(const LawRun& run, std::string_view promise, const std::function<void(const ChildReport&)>& body);

// The promise is that a child that runs `body` ends by itself, with `status`, and has noted "call" `calls` times.
void expect_exit(const LawRun& run, int status, int calls, const std::function<void(const ChildReport&)>& body,
                 std::string_view what);

// Submits `n` calls that note "call".
void submit_notes(Executor& executor, const ChildReport& report, int n);

// For a child that a check has forked by itself: from here on its exit, too, ends as in_child says.
void exit_as_child();

}  // namespace spec_tests

template <>
inline constexpr bool travels_bitwise<spec_tests::ChildReport> = true;

}  // namespace futures

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_CHILD_H_
