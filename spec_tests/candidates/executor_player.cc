#include "spec_tests/candidates/executor_player.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "spec_tests/candidates/episode.h"

namespace futures::spec_tests {
namespace {

using Clock = std::chrono::steady_clock;

// Gives up a processor first, since the other threads of a quiet machine need microseconds; then sleeps.
class Waiter {
 public:
  void pause() {
    if (++pauses_ < kYields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  bool is_patient() const { return pauses_ > kYields; }

 private:
  static constexpr int kYields = 200;
  int pauses_ = 0;
};

// Whether every thread of the process sleeps, but for `self`, and so do those of its child processes. One that has just
// ended is as good as asleep.
bool all_sleep(const std::string& process, const std::string& self) {
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", process, "/task"), gone)) {
    std::ifstream file(task.path() / "stat");
    std::string stat;
    if (!std::getline(file, stat)) continue;
    // "tid (name) state ...": the name may hold anything.
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || name_end + 2 >= stat.size()) return false;
    const bool sleeps = stat[name_end + 2] == 'S' || stat[name_end + 2] == 'Z';
    if (!sleeps && task.path().filename() != self) return false;
    std::ifstream children(task.path() / "children");
    for (std::string child; children >> child;) {
      if (!all_sleep(child, self)) return false;
    }
  }
  return true;
}

// Whether every thread of this program but the calling one sleeps, its child processes included. Then nothing happens
// any more, unless a sleep is timed. Linux alone tells.
bool others_sleep() { return all_sleep("self", std::to_string(::syscall(SYS_gettid))); }

std::atomic<int> episodes_given_up{0};

// Keeps what a stuck episode's threads use.
void keep_for_ever(std::shared_ptr<Episode> episode) {
  static auto* const kept = new std::vector<std::shared_ptr<Episode>>;
  kept->push_back(std::move(episode));
}

}  // namespace

int stuck_episodes() { return episodes_given_up.load(); }

// A thread that does what it is handed, in order. The thread shares this object.
class ExecutorPlayer::ClientThread {
 public:
  static std::shared_ptr<ClientThread> start() {
    auto client = std::make_shared<ClientThread>();
    std::thread([client] { client->work(); }).detach();
    return client;
  }

  // `what` names the job for reports.
  void post(std::string what, bool is_shutdown, std::function<void()> job) {
    absl::MutexLock lock(&mutex_);
    jobs_.push_back({std::move(what), is_shutdown, std::move(job)});
    unfinished_.fetch_add(1, std::memory_order_relaxed);
  }

  // The thread ends after its jobs.
  void close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  bool busy() const { return unfinished_.load(std::memory_order_acquire) > 0; }

  bool await_idle(Clock::time_point until) {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this] { return unfinished_.load(std::memory_order_relaxed) == 0; };
    return mutex_.AwaitWithDeadline(absl::Condition(&idle), absl::Now() + absl::FromChrono(until - Clock::now()));
  }

  bool in_shutdown() {
    absl::MutexLock lock(&mutex_);
    return busy() && !jobs_.empty() && jobs_.front().is_shutdown;
  }

  std::string current_job() {
    absl::MutexLock lock(&mutex_);
    return jobs_.empty() ? "nothing" : jobs_.front().what;
  }

 private:
  struct Job {
    std::string what;
    bool is_shutdown;
    std::function<void()> run;
  };

  void work() {
    for (;;) {
      std::function<void()> run;
      {
        absl::MutexLock lock(&mutex_);
        const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !jobs_.empty(); };
        mutex_.Await(absl::Condition(&ready));
        if (jobs_.empty()) return;
        run = std::move(jobs_.front().run);
      }
      run();
      run = nullptr;
      absl::MutexLock lock(&mutex_);
      jobs_.pop_front();
      unfinished_.fetch_sub(1, std::memory_order_release);
    }
  }

  absl::Mutex mutex_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);  // The first one is being done.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<int> unfinished_{0};  // Changed under mutex_; release when a job ends, so that its effects are seen.
};

ExecutorPlayer::ExecutorPlayer(Candidate candidate, std::chrono::milliseconds patience)
    : candidate_(std::move(candidate)), patience_(patience) {}

ExecutorPlayer::~ExecutorPlayer() {
  if (running_) finish().IgnoreError();
  for (const auto& client : clients_) client->close();
}

model::Policy ExecutorPlayer::policy(int workers) const {
  model::Policy policy = candidate_.policy;
  policy.max_workers = workers;
  return policy;
}

absl::Status ExecutorPlayer::begin(const Trace& trace) {
  if (running_) finish().IgnoreError();
  if (std::exchange(stuck_, false)) {
    for (const auto& client : clients_) client->close();
    clients_.clear();
  }
  while (static_cast<int>(clients_.size()) < kClientsMax + 1) clients_.push_back(ClientThread::start());
  episode_ = Episode::start(trace, candidate_.make(ExecutorOptions{.max_workers = trace.workers}));
  running_ = true;
  cancelled_ = 0;
  return absl::OkStatus();
}

absl::Status ExecutorPlayer::issue(int index) {
  const Step& step = episode_->trace().steps[index];
  if (step.statement.verb == Verb::kRelease) {
    episode_->release(step.statement.gate);
    return absl::OkStatus();
  }
  episode_->expect(step.statement);
  // The statement lives in the episode's trace, which the job shares.
  clients_[step.client]->post(to_text(step.statement),
                              step.statement.verb == Verb::kShutdown || step.statement.verb == Verb::kDestroy,
                              [episode = episode_, &step] {
                                const auto client = static_cast<model::Client>(step.client);
                                const AsClient as_client(client);
                                episode->perform(client, step.statement);
                              });
  return absl::OkStatus();
}

bool ExecutorPlayer::wait_for(const std::function<bool()>& condition, Clock::time_point until) {
  constexpr int kLooks = 3;  // A thread that hands a lock to another may find both asleep for an instant.
  Waiter waiter;
  int asleep = 0;
  while (!condition()) {
    asleep = waiter.is_patient() && others_sleep() ? asleep + 1 : 0;
    if (asleep >= kLooks || Clock::now() >= until) return false;
    waiter.pause();
  }
  return true;
}

bool ExecutorPlayer::settle() {
  const Clock::time_point until = Clock::now() + patience_;
  // A call that a map has let go of begins, or else it is cancelled: it is if everybody sleeps and it has not begun.
  const model::CallSet let_go = episode_->let_go();
  const auto settled = [this, let_go] { return (episode_->let_go() & let_go & ~cancelled_) == 0; };
  if (!wait_for(settled, until) && Clock::now() < until) cancelled_ |= episode_->let_go() & let_go;
  const bool rests = wait_for([this] { return episode_->rests(); }, until);
  // Whether a shutdown has closed the intake cannot be seen while it waits: it has if its thread sleeps there, and
  // nobody is awake whose lock it may be waiting for.
  wait_for(
      [this] {
        return std::none_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->in_shutdown(); });
      },
      until);
  return rests;
}

Observation ExecutorPlayer::observe() {
  const int clients = episode_->trace().clients;
  const auto look = [&] {
    Observation observation;
    for (int client = 0; client < clients; ++client) {
      observation.busy.push_back(clients_[client]->busy());
      observation.replies.push_back(episode_->last_reply(static_cast<model::Client>(client)));
    }
    episode_->look(observation);
    return observation;
  };
  // All of it only moves forward, so two equal looks in a row were both true at the moment between them; and what
  // rested before them and after them, with no event in between, rested all the time.
  const Clock::time_point until = Clock::now() + patience_;
  for (;;) {
    const bool rested = settle();
    const std::size_t events = episode_->recorder().size();
    const Observation before = look();
    Observation after = look();
    const bool still = after == before && episode_->rests() == rested && episode_->recorder().size() == events &&
                       (episode_->let_go() & ~cancelled_) == 0;
    if (still || Clock::now() >= until) return after;
  }
}

bool ExecutorPlayer::await_client(int client, Clock::time_point until) { return clients_[client]->await_idle(until); }

std::string ExecutorPlayer::describe_stuck() const {
  std::string stuck;
  for (int client = 0; client <= episode_->trace().clients; ++client) {
    if (!clients_[client]->busy()) continue;
    absl::StrAppend(&stuck, stuck.empty() ? "" : ", ", "client ", client, " in ", clients_[client]->current_job());
  }
  return stuck;
}

absl::Status ExecutorPlayer::give_up(const std::string& reason) {
  episodes_given_up.fetch_add(1);
  stuck_ = true;
  episode_->end();
  keep_for_ever(episode_);
  return absl::DeadlineExceededError(reason);
}

absl::Status ExecutorPlayer::finish() {
  running_ = false;
  const int clients = episode_->trace().clients;
  const Clock::time_point until = Clock::now() + patience_;
  episode_->release_all();
  for (int client = 0; client < clients; ++client) {
    if (!await_client(client, until)) return give_up(absl::StrCat("stuck: ", describe_stuck()));
  }
  // What bodies still submit is accepted: the shutdown comes when all is quiet.
  wait_for([this] { return episode_->all_done(); }, until);
  const auto last = static_cast<model::Client>(clients);
  clients_[last]->post("the last shutdown", true, [episode = episode_, last] {
    const AsClient as_client(last);
    episode->end_executor(last);
  });
  if (!await_client(last, until)) return give_up(absl::StrCat("stuck: ", describe_stuck()));
  episode_->end();
  return absl::OkStatus();
}

std::vector<model::Event> ExecutorPlayer::history() { return episode_->recorder().events(); }

}  // namespace futures::spec_tests
