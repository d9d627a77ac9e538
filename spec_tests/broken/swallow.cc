#include "spec_tests/broken/swallow.h"

#include "futures/executor.h"

namespace futures::spec_tests {
namespace {

// What submitting run_body makes. The interface gives an executor no way to come between a call and its future, as it
// should; this fault has to name the call's type.
using Body = int (*)(int, int);
using BodyCall = internal::Call<int, /*kTakesStopToken=*/false, internal::encoding_of_t<Body, int, int>, Body, int, int>;

}  // namespace

bool run_swallowing(Task& task) {
  auto* const call = dynamic_cast<BodyCall*>(&task.state());
  if (call == nullptr) return false;
  const auto [body, episode, number] = call->parts();
  int value = 0;
  try {
    value = body(episode, number);
  } catch (...) {
  }
  call->emplace_from([&] { return value; });
  call->publish();
  return true;
}

}  // namespace futures::spec_tests
