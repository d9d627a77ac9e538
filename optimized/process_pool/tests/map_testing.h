// What the tests of map on processes share: items that do as they are told, and what a map comes to.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_MAP_TESTING_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_MAP_TESTING_H_

#include <signal.h>

#include <exception>
#include <fstream>
#include <ios>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "futures/errors.h"
#include "futures/map.h"
#include "gtest/gtest.h"
#include "optimized/process_pool/tests/pool_testing.h"

namespace futures::testing {

using Ints = std::vector<int>;

// One item of a map: what its call does, in this order.
struct Step {
  int value = 0;
  std::string log = {};   // Appends its value to this file,
  std::string gate = {};  // waits here,
  int signal = 0;         // ends its worker,
  bool throws = false;    // throws std::out_of_range; or returns its value.

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(value, log, gate, signal, throws);
  }
};

inline int take_step(const Step& step) {
  if (!step.log.empty()) std::ofstream(step.log, std::ios::app) << step.value << "\n";
  if (!step.gate.empty()) pass(step.gate, 0);
  if (step.signal != 0) raise(step.signal);
  if (step.throws) throw std::out_of_range("step " + std::to_string(step.value));
  return step.value;
}

// Steps 0, 1, ... that log themselves.
inline std::vector<Step> steps(int count, const GateFile& log) {
  std::vector<Step> all;
  for (int i = 0; i < count; ++i) all.push_back({.value = i, .log = log.path()});
  return all;
}

inline Ints logged(const GateFile& log) {
  Ints values;
  std::ifstream file(log.path());
  for (int value = 0; file >> value;) values.push_back(value);
  return values;
}

// What the range gives, and then throws: "" at its end.
using Outcome = std::pair<Ints, std::string>;
template <typename Range>
Outcome outcome_of(Range&& results) {
  Ints values;
  try {
    for (const auto& value : results) values.push_back(static_cast<int>(value));
  } catch (const WorkerDiedError&) {
    return {values, "WorkerDiedError"};
  } catch (const SerializationError&) {
    return {values, "SerializationError"};
  } catch (const CancelledError&) {
    return {values, "CancelledError"};
  } catch (const TimeoutError&) {
    return {values, "TimeoutError"};
  } catch (const ShutdownError&) {
    return {values, "ShutdownError"};
  } catch (const std::exception& e) {
    return {values, e.what()};
  }
  return {values, ""};
}

// The same read on behind errors: -1 for each item that throws an E.
template <typename E, typename Range>
Ints values_past(Range&& results) {
  Ints values;
  for (auto it = results.begin(); it != results.end(); ++it) {
    try {
      values.push_back(static_cast<int>(*it));
    } catch (const E&) {
      values.push_back(-1);
    }
  }
  return values;
}

template <typename E, typename R>
bool has_error(const Settled<R>& settled) {
  try {
    settled.value();
  } catch (const E&) {
    return true;
  } catch (...) {
  }
  return false;
}

// For each item whether it is an E.
template <typename E, typename Range>
std::vector<bool> errors_of(Range&& results) {
  std::vector<bool> errors;
  for (const auto& settled : results) errors.push_back(has_error<E>(settled));
  return errors;
}

// For each item its value, or -1 if it is an E.
template <typename E, typename Range>
Ints settled_as(Range&& results) {
  Ints values;
  for (const auto& settled : results) {
    EXPECT_TRUE(settled.has_value() || has_error<E>(settled)) << "at item " << values.size();
    values.push_back(settled.has_value() ? static_cast<int>(settled.value()) : -1);
  }
  return values;
}

}  // namespace futures::testing

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_TESTS_MAP_TESTING_H_
