// The names of production do not change because the sources are built a second time: users see them in error messages
// (law P4), in debuggers and in what they declare. And no type of the simulated build has one of them.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <typeinfo>

#include <cxxabi.h>

#include "futures/errors.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "futures/internal/time.h"
#include "gtest/gtest.h"
#include "optimized/thread_pool_executor.h"
#include "reference/reference_executor.h"
#include "spec_tests/simulator/simulated_names.h"

namespace futures::simulator {
namespace {

template <typename T>
std::string name_of() {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(typeid(T).name(), nullptr, nullptr, &status), &std::free);
  return name.get();
}

TEST(Names, ProductionHasItsOwn) {
  EXPECT_EQ(name_of<CancelledError>(), "futures::CancelledError");
  EXPECT_EQ(name_of<ShutdownError>(), "futures::ShutdownError");
  EXPECT_EQ(name_of<BrokenThreadPool>(), "futures::BrokenThreadPool");
  EXPECT_EQ(name_of<Future<int>>(), "futures::Future<int>");
  EXPECT_EQ(name_of<Promise<std::stop_token>>(), "futures::Promise<std::stop_token>");
  EXPECT_EQ(name_of<Executor>(), "futures::Executor");
  EXPECT_EQ(name_of<ThreadPoolExecutor>(), "futures::ThreadPoolExecutor");
  EXPECT_EQ(name_of<ReferenceExecutor>(), "futures::ReferenceExecutor");
}

// Users declare the standard library's types, not those of a namespace of ours.
static_assert(std::is_same_v<sync::stop_token, std::stop_token>);
static_assert(std::is_same_v<sync::stop_source, std::stop_source>);
static_assert(std::is_same_v<sync::atomic<int>, std::atomic<int>>);
static_assert(std::is_same_v<sync::clock, std::chrono::steady_clock>);

TEST(Names, SimulatedTypesSayThatTheyAre) {
  for (const std::string& name : simulated_names()) EXPECT_EQ(name.rfind("futures::simulated::", 0), 0u) << name;
}

}  // namespace
}  // namespace futures::simulator
