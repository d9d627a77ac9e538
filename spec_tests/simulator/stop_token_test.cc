// Stop tokens in the simulator keep what the standard promises, between threads that the standard library's own cannot
// tell apart.
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "gtest/gtest.h"
#include "spec_tests/simulator/exploration_checks.h"
#include "spec_tests/simulator/machine.h"
#include "spec_tests/simulator/simulator.h"
#include "spec_tests/simulator/sync.h"

namespace futures::simulator {
namespace {

namespace sync = ::futures::simulated::sync;

TEST(StopToken, SaysWhetherStopWasRequested) {
  expect_nothing([] {
    sync::stop_source source;
    const sync::stop_token token = source.get_token();
    expect(token.stop_possible() && !token.stop_requested(), "a new source has requested a stop");
    int first = 0;
    const auto request = [&] { first += source.request_stop() ? 1 : 0; };
    together({request, request});
    expect(first == 1, "not one request was the first one");
    expect(token.stop_requested() && source.stop_requested(), "a request is not seen");
  });
}

TEST(StopToken, StopIsPossibleWhileASourceLives) {
  expect_nothing([] {
    expect(!sync::stop_token().stop_possible(), "a token without a source can be stopped");
    std::optional<sync::stop_source> source(std::in_place);
    std::optional<sync::stop_source> copy(*source);
    const sync::stop_token token = source->get_token();
    together({[&] { source.reset(); }, [&] { expect(token.stop_possible(), "no source is left"); }});
    copy.reset();
    expect(!token.stop_possible(), "a token whose last source has gone can be stopped");
  });
}

TEST(StopToken, ACallbackRunsOnceOnTheRequestingThread) {
  expect_nothing(
      [] {
        sync::stop_source source;
        int runs = 0;
        int thread = kNobody;
        const auto told = [&] {
          ++runs;
          thread = Machine::instance().current();
        };
        std::optional<sync::stop_callback<decltype(told)>> callback;
        int requester = kNobody;
        int adder = kNobody;
        together({[&] {
                    requester = Machine::instance().current();
                    source.request_stop();
                  },
                  [&] {
                    adder = Machine::instance().current();
                    callback.emplace(source.get_token(), told);
                    if (thread == adder) expect(source.stop_requested(), "it ran though nobody has requested a stop");
                  }});
        expect(runs == 1, "a callback did not run exactly once");
        expect(thread == requester || thread == adder, "it ran on another thread");
      },
      {.preemptions = 3});
}

TEST(StopToken, ACallbackOfAStoppedTokenRunsAtOnce) {
  expect_nothing([] {
    sync::stop_source source;
    source.request_stop();
    bool ran = false;
    const sync::stop_callback callback(source.get_token(), [&] { ran = true; });
    expect(ran, "it did not run");
  });
}

// What a callback uses may go once its destructor has returned.
template <typename Source, template <typename> typename Callback>
void destroy_while_it_runs() {
  Source source;
  bool lives = true;
  const auto told = [&lives] {
    pass_time();
    expect(lives, "a callback runs after its destructor");
  };
  std::optional<Callback<decltype(told)>> callback(std::in_place, source.get_token(), told);
  together({[&] { source.request_stop(); },
            [&] {
              callback.reset();
              lives = false;
            }});
}

TEST(StopToken, TheDestructorWaitsForACallbackOnAnotherThread) {
  expect_nothing(&destroy_while_it_runs<sync::stop_source, sync::stop_callback>, {.preemptions = 3});
  // The standard library's takes all simulated threads for one.
  expect_found(Finding::Kind::kBrokenExpectation, &destroy_while_it_runs<std::stop_source, std::stop_callback>);
}

TEST(StopToken, ACallbackMayDestroyItself) {
  expect_nothing([] {
    sync::stop_source source;
    struct Told {
      std::unique_ptr<sync::stop_callback<Told>>& own;
      void operator()() const { own.reset(); }
    };
    std::unique_ptr<sync::stop_callback<Told>> own;
    own = std::make_unique<sync::stop_callback<Told>>(source.get_token(), Told{own});
    together({[&] { source.request_stop(); }, [&] { source.request_stop(); }});
    expect(own == nullptr, "it did not run");
  });
}

TEST(StopToken, ACallbackMayDestroyAnother) {
  expect_nothing([] {
    sync::stop_source source;
    int runs = 0;
    const auto count = [&runs] { ++runs; };
    std::optional<sync::stop_callback<decltype(count)>> other;
    const auto destroy = [&other] { other.reset(); };
    const sync::stop_callback first(source.get_token(), destroy);
    other.emplace(source.get_token(), count);
    const sync::stop_callback last(source.get_token(), destroy);
    source.request_stop();
    expect(runs <= 1, "a callback ran twice");
  });
}

// A destructor that waits for a callback which waits for the destroying thread.
TEST(StopToken, ADestructorThatWaitsForEverIsFound) {
  expect_found(Finding::Kind::kLostWakeUp, [] {
    sync::stop_source source;
    sync::atomic<std::uint32_t> may_go_on{0};
    const auto wait = [&] {
      while (may_go_on.load() == 0) sync::futex_wait(may_go_on, 0, std::nullopt);
    };
    std::optional<sync::stop_callback<decltype(wait)>> callback(std::in_place, source.get_token(), wait);
    together({[&] { source.request_stop(); },
              [&] {
                callback.reset();
                may_go_on.store(1);
                sync::futex_wake_all(may_go_on);
              }});
  });
}

}  // namespace
}  // namespace futures::simulator
