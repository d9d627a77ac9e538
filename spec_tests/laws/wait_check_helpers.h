// What the checks of wait and as_completed share: calls that end one by one, and futures that are done.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_WAIT_CHECK_HELPERS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_WAIT_CHECK_HELPERS_H_

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/gate.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {

// Calls that end when the check says so, each on a worker of its own. Call i returns i, or throws if it is in
// `failing`.
class Steered {
 public:
  Steered(const LawRun& run, int n, const std::set<int>& failing = {}) : executor_(open(run, n)), gates_(n) {
    for (int i = 0; i < n; ++i) {
      futures_.push_back(executor_->submit(be_steered, i, failing.contains(i), gates_[i].entrance()));
      run.expect(gates_[i].await_arrivals(1), "each call has a worker of its own");
    }
  }

  // Call i ends now.
  void end(int i) const {
    gates_[i].open();
    futures_[i].wait(kPatience);
  }
  const Ints& futures() const { return futures_; }
  const Future<int>& operator[](int i) const { return futures_[i]; }
  const std::shared_ptr<Executor>& executor() const { return executor_; }

 private:
  static int be_steered(int number, bool fails, const Gate::Entrance& at) {
    at.pass();
    if (fails) throw std::runtime_error("as it was told");
    return number;
  }

  std::shared_ptr<Executor> executor_;
  std::vector<Gate> gates_;
  Ints futures_;
};

inline Ints finished(const LawRun& run, int n) {
  const auto executor = open(run, 2);
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor->submit(unchanged, i));
  for (const Future<int>& future : futures) expect_done(run, future, "a call ends");
  return futures;
}

inline bool contains(const Ints& futures, const Future<int>& future) {
  return std::find(futures.begin(), futures.end(), future) != futures.end();
}

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_WAIT_CHECK_HELPERS_H_
