// Runs traces on a C++ executor: clients are threads, bodies run in the executor.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EXECUTOR_PLAYER_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EXECUTOR_PLAYER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "futures/internal/time.h"
#include "reference/model.h"
#include "spec_tests/candidates/candidate.h"
#include "spec_tests/candidates/trace_player.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {

class Episode;

// Client threads serve one episode after the other. An episode that gets stuck is given up with its threads and its
// executor, which stay as they are until the program ends.
//
// observe() waits until no body is between two gates, no callback is due, no client on its way into a shutdown, and it
// is settled which calls of a map that has been let go still begin: an invisible step that is still to come would make
// two situations look alike that are not.
//
// Example:
//   ExecutorPlayer player(candidate);
//   player.begin(trace).IgnoreError();
//   for (int i = 0; i < std::ssize(trace.steps); ++i) player.issue(i).IgnoreError();
//   absl::Status ended = player.finish();
class ExecutorPlayer final : public TracePlayer {
 public:
  // `patience` is how long finish waits for what should take no time at all. Lower it and a loaded machine looks like a
  // broken executor; raise it and a broken executor takes longer to report.
  explicit ExecutorPlayer(Candidate candidate, std::chrono::milliseconds patience = std::chrono::seconds(5));
  ~ExecutorPlayer() override;

  const std::string& name() const override { return candidate_.name; }
  model::Policy policy(int workers) const override;
  absl::Status begin(const Trace& trace) override;
  absl::Status issue(int index) override;
  Observation observe() override;
  absl::Status finish() override;
  std::vector<model::Event> history() override;

  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }

 private:
  class ClientThread;

  // Waits until the client has done all it was handed.
  bool await_client(int client, std::chrono::steady_clock::time_point until);
  // Waits until `condition` holds; returns false if all other threads of the program sleep without it, so that it never
  // will, or if time is up.
  bool wait_for(const std::function<bool()>& condition, std::chrono::steady_clock::time_point until);
  absl::Status give_up(const std::string& reason);
  std::string describe_stuck() const;
  // Waits for the rest that observe speaks of. Returns whether it came, or else nothing moves any more.
  bool settle();

  const Candidate candidate_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<Episode> episode_;
  bool running_ = false;  // Between begin and finish.
  model::CallSet cancelled_ = 0;  // Calls that a map has let go of, and that never begin.
  bool stuck_ = false;  // The episode was given up.
  std::vector<std::shared_ptr<ClientThread>> clients_;
};

// How many episodes were given up in this program. Their threads still run: a program in which there are some ends by
// std::_Exit, since they may use what static destructors destroy.
int stuck_episodes();

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_CANDIDATES_EXECUTOR_PLAYER_H_
