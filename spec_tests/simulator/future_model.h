// What clients may see of one Promise and its Future: laws F1 to F12 as a small machine that reads a history.
//
// An operation takes effect in one or two steps between its invocation and its return. Setting an outcome has two: the
// future first shows as running, then is done. Whoever makes the future done runs the callbacks that are there, in
// their order, before it returns; a callback that comes later runs at once, in its own client's thread.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_MODEL_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_MODEL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace futures::simulator {

enum class FutureOperation : std::uint8_t {
  kSetResult,
  kSetException,
  kSetRunning,  // set_running_or_notify_cancel
  kCancel,
  kResult,
  kPoll,  // result with a timeout of zero
  kWait,  // futures::wait
  kCallback,
  kDrop,  // The end of the promise. No client's: it comes when all rest.
};
inline constexpr int kFutureOperations = 8;  // Of clients.

std::string_view to_text(FutureOperation operation);

struct FutureEvent {
  enum class Kind : std::uint8_t { kInvoke, kReturn, kCallback };
  enum class Reply : std::uint8_t {
    kNone,
    kOk,
    kTrue,
    kFalse,
    kInvalid,
    kValue,
    kError,
    kCancelled,
    kBroken,
    kTimeout
  };
  Kind kind;
  std::int8_t client;
  FutureOperation operation = FutureOperation::kDrop;
  Reply reply = Reply::kNone;
  std::int8_t number = 0;  // Of the operation, in the text of the program: also what it sets, and what its reply has.
};

std::string to_text(const FutureEvent& event);

// Returns what is wrong with the history; empty if the machine has it.
std::string judge_future_history(const std::vector<FutureEvent>& history);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_FUTURE_MODEL_H_
