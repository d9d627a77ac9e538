#include "spec_tests/broken/swallow.h"

#include <cstdint>

#include "futures/encoding/encoding.h"  // As where the bodies are submitted: it is part of the call's type.
#include "futures/executor.h"

namespace futures::spec_tests {
namespace {

// What submitting run_body makes. The interface gives an executor no way to come between a call and its future, as it
// should; this fault has to name the call's type.
using Body = int (*)(std::uint64_t, int);
using BodyCall = internal::Call<int, /*kTakesStopToken=*/false, internal::encoding_of_t<Body, std::uint64_t, int>, Body,
                                std::uint64_t, int>;

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
