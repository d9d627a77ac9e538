// Threads share the exception of a future, and the last of them frees it. Under ThreadSanitizer that is reported as a
// race by a program that does not link //:thread_sanitizer.
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "futures/future.h"
#include "gtest/gtest.h"

namespace futures {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 100;

// Has a member with memory of its own.
struct ParseError : std::runtime_error {
  explicit ParseError(const std::string& what) : std::runtime_error(what), line(100, 'x') {}
  std::string line;
};

// Several threads get the exception of one future. Each reads it after it has dropped its future, so that nothing but
// the exception's own count orders the last read and the end of the exception.
template <typename E>
void share(const E& error) {
  for (int round = 0; round < kRounds; ++round) {
    Promise<int> promise;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([future = promise.future()]() mutable {
        try {
          future.result();
          ADD_FAILURE();
        } catch (const E& e) {
          future = Future<int>();
          const E copy = e;
          EXPECT_STRNE(copy.what(), "");
        }
      });
    }
    promise.set_exception(std::make_exception_ptr(error));
    promise = Promise<int>();  // The threads alone have the future.
    for (std::thread& thread : threads) thread.join();
  }
}

const std::string& text() {
  static const std::string text(100, 't');
  return text;
}

TEST(ThreadSanitizer, ARuntimeErrorIsShared) { share(std::runtime_error(text())); }
TEST(ThreadSanitizer, ALogicErrorIsShared) { share(std::invalid_argument(text())); }
TEST(ThreadSanitizer, ASystemErrorIsShared) {
  share(std::system_error(std::make_error_code(std::errc::io_error), text()));
}
TEST(ThreadSanitizer, AnErrorWithoutATextIsShared) { share(std::bad_alloc()); }
TEST(ThreadSanitizer, AnErrorWithAMemberIsShared) { share(ParseError(text())); }

}  // namespace
}  // namespace futures
