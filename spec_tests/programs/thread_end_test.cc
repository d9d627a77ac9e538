// Laws S6, S7 and S8 on whole programs: one of an executor's own threads ends, and a thread_local of it then uses the
// executor or exits.
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "gtest/gtest.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/programs/program.h"

namespace futures::spec_tests {
namespace {

// --- The programs.

// One of the executor's own threads ends when the intake has closed, and a thread_local of it then does `last_words`.
// Its executor must not wait for it (laws S6, S7), and the statics that are older than the executor must wait.
struct LastWords {
  std::function<void()> say;
  ~LastWords() {
    if (say == nullptr) return;
    if (flag("statics die").comes()) print("statics die");
    say();
  }
};

using Box = std::shared_ptr<std::unique_ptr<Executor>>;

// The main thread goes on to `then`.
int end_with_last_words(const Candidate& candidate, const std::function<void(const Box&)>& last_words,
                        const std::function<int(const Box&)>& then) {
  struct LateStatic {
    ~LateStatic() { flag("statics die").raise(); }
  };
  static LateStatic late_static;
  const Box box = std::make_shared<std::unique_ptr<Executor>>(candidate.make({.max_workers = 1}));
  submit_wait(**box, "submitted").add_done_callback([box, last_words](const Future<void>&) {
    thread_local LastWords own;
    own.say = [box, last_words] { last_words(box); };
    flag("known").raise();
  });
  submit_calls(**box, 4);
  flag("submitted").raise();
  flag("known").wait();
  return then(box);
}

int leave_main(const Box&) { return 7; }

int thread_local_last_handle(const Candidate& candidate) {
  return end_with_last_words(candidate, [](const Box& box) { box->reset(); }, leave_main);
}

int thread_local_shuts_down(const Candidate& candidate) {
  const auto shut_down = [](const Box& box) {
    try {
      (*box)->shutdown();
      print("no error");
    } catch (const DeadlockError&) {
    }
    leak(std::move(*box));
  };
  return end_with_last_words(candidate, shut_down, leave_main);
}

// While the main thread joins the thread that exits.
int thread_local_exits(const Candidate& candidate) {
  const auto shut_down = [](const Box& box) {
    (*box)->shutdown();
    return 1;
  };
  return end_with_last_words(candidate, [](const Box&) { std::exit(7); }, shut_down);
}

// --- The tests.

class ThreadEnd : public ProgramTest {};

TEST_P(ThreadEnd, S6_AThreadLocalHeldTheLastHandle) { expect_calls("thread_local_last_handle", 4); }
TEST_P(ThreadEnd, S7_AThreadLocalShutsDown) { expect_calls("thread_local_shuts_down", 4); }
TEST_P(ThreadEnd, S8_ExitInAThreadLocal) { expect_calls("thread_local_exits", 4); }

INSTANTIATE_TEST_SUITE_P(Candidates, ThreadEnd, testing::ValuesIn(candidate_names(all_candidates())),
                         [](const auto& info) { return info.param; });

}  // namespace

const std::map<std::string, Part>& parts() {
  static const auto* const parts = new std::map<std::string, Part>{
      {"thread_local_last_handle", thread_local_last_handle},
      {"thread_local_shuts_down", thread_local_shuts_down},
      {"thread_local_exits", thread_local_exits},
  };
  return *parts;
}

}  // namespace futures::spec_tests
