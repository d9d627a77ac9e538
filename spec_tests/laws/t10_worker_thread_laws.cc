// Law T10: the signals that workers block, and the size of their stacks.
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "absl/types/span.h"
#include "futures/executor.h"
#include "futures/future.h"
#include "spec_tests/laws/check_helpers.h"
#include "spec_tests/laws/groups.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// --- T10

void workers_block_asynchronous_signals(LawRun& run) {
  const auto executor = open(run, {.max_workers = 1});
  const Future<std::vector<int>> open_signals = executor->submit([] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::vector<int> open;
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
      // What lies between is the C library's own.
      const bool is_ours = signal < __SIGRTMIN || signal >= SIGRTMIN;
      if (is_ours && signal != SIGKILL && signal != SIGSTOP && sigismember(&mask, signal) == 0) open.push_back(signal);
    }
    return open;
  });
  if (!expect_done(run, open_signals, "the call ends")) return;
  std::vector<int> synchronous = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  std::sort(synchronous.begin(), synchronous.end());
  run.expect(open_signals.result() == synchronous, "workers block every signal but the synchronous ones");
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  run.expect(sigismember(&own, SIGUSR1) == 0, "the mask of the thread that submits is left alone");
}

std::size_t own_stack_bytes() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* lowest = nullptr;
  std::size_t bytes = 0;
  pthread_attr_getstack(&attributes, &lowest, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes;
}

void workers_have_the_stack_size_asked_for(LawRun& run) {
  constexpr std::size_t kMargin = 1 << 20;  // The system rounds up, and a sanitizer adds some.
  for (const std::size_t asked : {std::size_t{1} << 20, std::size_t{64} << 20}) {
    const auto executor = open(run, {.max_workers = 1, .stack_bytes = asked});
    const Future<std::size_t> bytes = executor->submit(own_stack_bytes);
    if (!expect_done(run, bytes, "the call ends")) return;
    run.expect(bytes.result() + kMargin / 16 >= asked && bytes.result() <= asked + kMargin,
               "workers have the stack size asked for");
  }
  expect_throws<std::invalid_argument>(
      run, [&] { open(run, {.max_workers = 1, .stack_bytes = 1}); }, "a stack too small for any thread is refused");
}

constexpr Law kLaws[] = {
    law<workers_block_asynchronous_signals>("T10", "WorkersBlockAsynchronousSignals"),
    law<workers_have_the_stack_size_asked_for>("T10", "WorkersHaveTheStackSizeAskedFor"),
};

}  // namespace

absl::Span<const Law> worker_thread_laws() { return kLaws; }

}  // namespace futures::spec_tests
