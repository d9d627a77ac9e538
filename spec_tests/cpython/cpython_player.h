// CPython's concurrent.futures as executors under test: ThreadPoolExecutor and ProcessPoolExecutor.
//
// The traces run in a child process, python3 with driver.py, which stays for the player's life and is started anew
// after a trace that hung in it. Whatever happens there, this side only waits for a line of text, and never for ever.
// The text of the driver is part of the program, so that the program runs from any place.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_CPYTHON_PLAYER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_CPYTHON_PLAYER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "futures/internal/time.h"
#include "reference/model.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

class PythonProcess;

// Driven by one thread; not thread-safe. Not to be copied or moved.
class CPythonPlayer : public TracePlayer {
 public:
  // Where threads of CPython are held, until `finish` where nothing else is said: places where the operating system
  // could hold them as well.
  enum class Hold {
    kNowhere,
    kTaken,    // A worker that has taken a call and not yet made its future running.
    kDrained,  // A shutdown with cancel_futures that has taken a call off the queue and not yet cancelled its future.
    kIdle,  // A worker that has found the queue empty and not yet said so, until another one has been started for
            // the call that it takes then.
    kClosing,  // Of processes: the first shutdown, when it has seen a queue that it is to close, until another one has
               // ended.
    kForEver,  // As kTaken, and `finish` does not let go: an executor that hangs.
  };

  enum class Pool {
    kThreads,
    kProcesses,  // Bodies run in its workers, which are forks of the child process.
  };

  struct Options {
    std::string python = "python3";  // A path, or a name to be found on PATH.
    std::chrono::milliseconds patience{10'000};  // How long `finish` waits. A trace takes a few milliseconds.
    Hold hold = Hold::kNowhere;
    Pool pool = Pool::kThreads;
  };

  CPythonPlayer();
  explicit CPythonPlayer(Options options);
  CPythonPlayer(const CPythonPlayer&) = delete;
  CPythonPlayer& operator=(const CPythonPlayer&) = delete;
  ~CPythonPlayer() override;  // Ends the child process, whatever it does, and reaps it.

  const std::string& name() const override { return name_; }

  // What CPython does: the model with this policy accepts it, but for what docs/SPEC.md lists.
  model::Policy policy(int workers) const override;

  // What the laws demand. It differs from `policy` where a law of the model is marked "differs", S3, S6, M3, M4, and
  // where the laws go past Python: a map that is refused cancels what it has submitted, and as_completed without time
  // yields what is done.
  static model::Policy strict_policy(int workers);

  // Whether the model says where every step of `trace` ends. Not where several workers and a body's shutdown(wait)
  // meet: CPython joins its threads in the order of a set, its own among them, and is refused only there (law S7).
  // Before that it waits for those that come first. The history is the model's all the same. Nor, of processes, where a
  // shutdown with cancel_futures follows another one: the pool's thread is not woken for that, and cancels when it next
  // has news.
  static bool is_stepwise(const Trace& trace, Pool pool = Pool::kThreads);

  // Whether `trace` is run on CPython at all. Not where a call that a wait or an as_completed names may be cancelled:
  // it counts as done for them when a worker comes by it, and after a shutdown that cancelled it never (law W4). Nor,
  // on processes, where several clients shut the executor down: two shutdowns at once may end in an AttributeError (law
  // S5).
  static bool is_asked(const Trace& trace, Pool pool = Pool::kThreads);

  // Unavailable: there is no such python3, or it does not start. The first call takes the time that Python needs to
  // start.
  absl::Status begin(const Trace& trace) override;

  // Unavailable: the child process has ended. Its error output says why.
  absl::Status issue(int index) override;

  // Waits until no body is between two gates and no shutdown has yet to close the intake, and then up to a millisecond
  // for something to change since the last observation, so that a caller may simply call again. Repeats the last
  // observation if the child process has ended.
  Observation observe() override;

  // DeadlineExceeded: CPython is stuck; its process is killed. Unavailable: its process had ended by itself.
  absl::Status finish() override;

  // After finish also what happened before a deadline was exceeded.
  std::vector<model::Event> history() override;

 private:
  absl::Status start();
  // Law M3, by the version of this Python: 3.16 goes on behind an error.
  bool map_ends_at_error() const;
  absl::StatusOr<std::string> ask(std::string_view command, std::string_view answer,
                                  std::chrono::milliseconds patience);
  absl::Status fetch_history();

  const Options options_;
  const std::string name_;
  std::unique_ptr<PythonProcess> process_;  // Null before the first trace, and after one that hung.
  Observation observation_;  // The last one.
  std::vector<model::Event> history_;  // Complete after finish, until the next begin.
  bool running_ = false;  // Between begin and finish.
  mutable std::optional<bool> map_ends_at_error_;  // Nothing until it was asked for.
};

std::unique_ptr<TracePlayer> make_cpython_thread_pool();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CPYTHON_CPYTHON_PLAYER_H_
