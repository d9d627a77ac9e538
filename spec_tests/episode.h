// One trace on one executor: the bodies' interpreter, the gates, the futures, the recorder.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_EPISODE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_EPISODE_H_

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "futures/executor.h"
#include "reference/model.h"
#include "spec_tests/recorder.h"
#include "spec_tests/subject.h"
#include "spec_tests/trace.h"

namespace futures::spec_tests {

// What bodies throw.
class NumberedError : public std::runtime_error {
 public:
  explicit NumberedError(int number) : std::runtime_error(absl::StrCat("error number ", number)), number_(number) {}
  int number() const { return number_; }

 private:
  int number_;
};

// The body of every call of every trace, as a named function with plain arguments: it can be called from anywhere,
// other processes included. Returns 0 if the episode is over.
int run_body(int episode_id, int call);

// Where this thread is: a client of the program, the body of a call, or kWorker.
model::Client current_client();

// Says for its lifetime that this thread is `client`.
class AsClient {
 public:
  explicit AsClient(model::Client client);
  ~AsClient();
  AsClient(const AsClient&) = delete;
  AsClient& operator=(const AsClient&) = delete;

 private:
  const model::Client before_;
};

// Thread-safe, except where said otherwise. Bodies find it by its number and share it, so that it outlives them.
class Episode {
 public:
  // Makes the episode and enters it into the table that run_body looks into.
  static std::shared_ptr<Episode> start(const Trace& trace, std::unique_ptr<Executor> executor);
  Episode(const Episode&) = delete;
  Episode& operator=(const Episode&) = delete;

  // Bodies that start from now on find nothing.
  void end();

  // Does one operation as `client`, on this thread, and records it. Skips it, and returns false, if it names a call that
  // has no future here. Gates are not for this.
  bool perform(model::Client client, const Statement& statement);

  void release(int gate);
  void release_all();

  // Destroys the executor. No thread may be in it.
  void destroy_executor() { executor_.reset(); }

  // Whether nothing is under way that cannot be seen: every body that runs waits at a closed gate, and every callback on
  // a done call has run. By the thread that opens the gates.
  bool rests() const;

  // Whether it rests with every call done.
  bool all_done() const;

  // The part of an observation that is about calls and callbacks. By one thread at a time.
  void look(Observation& observation);

  model::Reply last_reply(model::Client client) const { return replies_[client].load(std::memory_order_acquire); }
  const Recorder& recorder() const { return recorder_; }
  const Trace& trace() const { return trace_; }

 private:
  friend int run_body(int episode_id, int call);

  static constexpr int kNotStarted = -3;
  static constexpr int kActive = -2;
  static constexpr int kEnded = -1;

  struct Slot {
    Future<int> future;                    // Written once, before has_future.
    std::atomic<bool> has_future{false};
    std::atomic<bool> started{false};
    std::atomic<int> at{kNotStarted};      // Where the body is: one of the above, or the gate it waits at.
    model::Reply outcome;                  // The observer's alone: what the finished call was seen to have come to.
  };

  Episode(const Trace& trace, std::unique_ptr<Executor> executor);

  int run(int call);
  model::Reply do_operation(model::Client client, const model::Operation& operation);
  model::Reply submit(model::Call call);
  model::Reply await(model::Call call, Timeout timeout);
  void add_callback(model::Call call, int registration);
  model::Reply shut_down(bool wait, bool cancel_futures);

  const Trace trace_;
  const std::vector<const Body*> bodies_;
  int id_ = 0;  // Constant after start.
  std::unique_ptr<Executor> executor_;
  Recorder recorder_;
  std::array<absl::Notification, kGatesMax> gates_;
  std::vector<Slot> slots_;                                              // By call.
  std::vector<std::atomic<int>> callback_calls_;                         // By registration: the call, once it is added.
  std::vector<std::atomic<bool>> callbacks_ran_;                         // By registration.
  std::array<std::atomic<model::Reply>, kClientsMax + 1> replies_;       // By client.
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_EPISODE_H_
