#include "spec_tests/laws/check_helpers.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace futures::spec_tests {

std::shared_ptr<Executor> open(const LawRun& run, const ExecutorOptions& options) {
  return std::shared_ptr<Executor>(run.make(options).release(), [run](Executor* executor) {
    const WatchedThread destroyer(run, "the executor's destructor returns", [executor] { delete executor; });
  });
}

std::shared_ptr<Executor> open(const LawRun& run, int max_workers) {
  return open(run, ExecutorOptions{.max_workers = max_workers});
}

std::optional<bool> shut_down(const LawRun& run, const std::shared_ptr<Executor>& executor,
                              const ShutdownOptions& options) {
  struct Reply {
    sync::mutex mutex;
    std::optional<bool> all_done ABSL_GUARDED_BY(mutex);
  };
  const auto reply = std::make_shared<Reply>();
  {
    const WatchedThread caller(run, "shutdown returns", [executor, options, reply] {
      const bool all_done = executor->shutdown(options);
      const sync::mutex_lock lock(reply->mutex);
      reply->all_done = all_done;
    });
  }
  const sync::mutex_lock lock(reply->mutex);
  return reply->all_done;
}

BusyWorkers::BusyWorkers(const LawRun& run, Executor& executor, int n) {
  for (int i = 0; i < n; ++i) {
    futures_.push_back(executor.submit(
        [](const Gate::Entrance& at) {
          at.pass();
          return 1;
        },
        gate_.entrance()));
  }
  run.expect(gate_.await_arrivals(n), "free workers start the calls that are submitted");
}

CopyCounts CopyCounts::begin() {
  CopyCounts counts;
  for (SharedNumber* const number : {&counts.alive_, &counts.copies_, &counts.moves_, &counts.in_workers_}) {
    *number = SharedNumber::create();
  }
  return counts;
}

bool has_ended(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/stat"));
  std::string line;
  if (!std::getline(file, line)) return true;
  const std::size_t end_of_name = line.rfind(')');
  return line.size() > end_of_name + 2 && (line[end_of_name + 2] == 'Z' || line[end_of_name + 2] == 'X');
}

Ints submit_some(Executor& executor, int n) {
  Ints futures;
  for (int i = 0; i < n; ++i) futures.push_back(executor.submit(unchanged, i));
  return futures;
}

bool all_done(const Ints& futures) {
  return std::all_of(futures.begin(), futures.end(), [](const Future<int>& f) { return f.done(); });
}

bool all_cancelled(const Ints& futures) {
  return std::all_of(futures.begin(), futures.end(), [](const Future<int>& f) { return f.cancelled(); });
}

void expect_results(const LawRun& run, const Ints& futures, std::string_view what) {
  for (int i = 0; i < static_cast<int>(futures.size()); ++i) expect_result(run, futures[i], i, what);
}

}  // namespace futures::spec_tests
