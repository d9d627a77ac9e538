// A kind of executor that the laws and traces are run on, made through one factory.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_EXECUTOR_KIND_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_EXECUTOR_KIND_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "futures/executor.h"
#include "reference/model.h"

namespace futures::spec_tests {

// The options that every kind has to offer.
struct ExecutorOptions {
  std::optional<int> max_workers = std::nullopt;
  std::string thread_name_prefix = "laws";
  std::function<void()> initializer = nullptr;
  std::size_t stack_bytes = 0;                  // 0: the system's default. Law T10.
  OnUnwind on_unwind = OnUnwind::kDrain;        // Law S6.
  ExitPolicy exit_policy = ExitPolicy::kDrain;  // Law S8.
};

struct ExecutorKind {
  std::string name;  // As in the conformance table: "reference", "thread_pool", ...
  std::function<std::unique_ptr<Executor>(const ExecutorOptions&)> make;
  // What it promises; max_workers is set per trace.
  model::Policy policy;
  // Whether calls share the program's memory. Where they do not, a check is not run that says so of itself.
  bool shares_memory = true;
  // The laws that do not apply to this kind, each with the reason, beside those of which no check and no trace is for it.
  // Must equal the table in docs/SPEC.md.
  std::map<std::string, std::string> skips;
  // For a kind that is broken on purpose: the law at which it must be caught. Such a kind runs only when named.
  std::string broken_law = "";
};

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_EXECUTOR_KIND_H_
