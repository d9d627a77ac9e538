// One trace on one executor: the bodies' interpreter, the gates, the futures, the recorder.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_H_

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "futures/executor.h"
#include "reference/model.h"
#include "spec_tests/candidates/episode_memory.h"
#include "spec_tests/candidates/recorder.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

// The body of a call of an episode, as a named function with plain arguments: it can be called from anywhere, also in
// another process of the program, where it does what needs no executor: it passes gates. Returns 0 if the episode is
// over.
int run_body(std::uint64_t packed_key, int call);
// The same in another process than that which made the episode.
int run_body_elsewhere(std::uint64_t packed_key, int call);
bool is_of_this_process(std::uint64_t packed_key);

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
  // Makes the episode and enters it into the table that run_body looks into. Throws as EpisodeMemory::create.
  static std::shared_ptr<Episode> start(const Trace& trace, std::unique_ptr<Executor> executor);
  Episode(const Episode&) = delete;
  Episode& operator=(const Episode&) = delete;

  // Bodies that start from now on find nothing.
  void end();

  // `statement` will be performed, perhaps on another thread: what it does unseen is under way from now on. Once for
  // each statement of a step, by the thread that looks.
  void expect(const Statement& statement);

  // Does one statement as `client`, on this thread, and records its operations. Skips it if it makes no sense here: see
  // trace.h. Gates are not for this.
  void perform(model::Client client, const Statement& statement);

  void release(int gate) { memory_->release(gate); }
  void release_all() {
    for (int gate = 0; gate < kGatesMax; ++gate) release(gate);
  }

  // The epilogue of the trace, as `client`: shuts down with wait, and destroys the executor, unless that has been done.
  void end_executor(model::Client client);

  // Whether nothing is under way that cannot be seen: every body that runs waits at a closed gate, every statement
  // that was expected has begun, and every callback on a done call has run. By the thread that opens the gates.
  bool rests() const;

  // Whether it rests with every call done.
  bool all_done() const;

  // The calls that a map has let go of and whose bodies have not begun. Nobody has a future of them to look at: each is
  // cancelled, or about to begin.
  model::CallSet let_go() const;

  // The part of an observation that is about calls and callbacks. By one thread at a time.
  void look(Observation& observation);

  model::Reply last_reply(model::Client client) const { return replies_[client].load(std::memory_order_acquire); }
  const Recorder& recorder() const { return memory_->recorder(); }
  const Trace& trace() const { return trace_; }

 private:
  friend int run_body(std::uint64_t packed_key, int call);

  struct Slot {
    Future<int> future;  // Written once, before has_future.
    std::atomic<bool> has_future{false};
    model::Reply outcome;  // The observer's alone: what the finished call was seen to have come to.
  };

  // Whether the statement does something before it blocks that nobody can see: a map submits its inputs, a wait finds
  // out which of its calls have futures.
  static bool begins_unseen(Verb verb);
  class Beginning;
  // Inside the executor: it will not be destroyed meanwhile. Converts to false if it has been.
  class InExecutor;

  static constexpr int kDestroyed = -1;

  Episode(const Trace& trace, std::unique_ptr<Executor> executor);

  int run(int call);
  void invoke(model::Client client, const model::Operation& operation);
  void reply(model::Client client, const model::Reply& reply);
  // One operation, from its invoke to its return.
  void perform(model::Client client, const model::Operation& operation);
  model::Reply do_operation(const model::Operation& operation);
  model::Reply submit(model::Call call);
  model::Reply await(model::Call call, Timeout timeout);
  void add_callback(model::Call call, int registration);
  model::Reply shut_down(bool wait, bool cancel_futures);
  model::Reply wait(const model::Operation& operation);
  void destroy(model::Client client);
  void go_through_completed(model::Client client, model::CallSet calls, bool poll);
  void map(model::Client client, const Statement& statement, Beginning& beginning, InExecutor& in_executor);
  // Those of `calls` that have a future.
  model::CallSet known(model::CallSet calls) const;
  std::vector<Future<int>> futures_of(model::CallSet calls) const;
  model::Call call_of(const Future<int>& future) const;

  const Trace trace_;
  const std::vector<const Body*> bodies_;
  const std::shared_ptr<EpisodeMemory> memory_;
  std::unique_ptr<Executor> executor_;
  std::atomic<int> users_{0};  // How many are in the executor; kDestroyed once it is, or is being, destroyed.
  std::atomic<int> beginnings_{0};  // How many statements that were expected have not had their unseen beginning.
  std::vector<Slot> slots_;  // By call.
  std::vector<std::atomic<int>> callback_calls_;  // By registration: the call, once it is added.
  std::vector<std::atomic<bool>> callbacks_ran_;  // By registration.
  std::atomic<model::CallSet> let_go_{0};  // Whether or not they have begun.
  std::array<std::atomic<model::Reply>, kClientsMax + 1> replies_;  // By client.
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EPISODE_H_
