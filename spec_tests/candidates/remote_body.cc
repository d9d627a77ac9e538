// Bodies in other processes than the checker's.
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "futures/encoding/encoding.h"
#include "spec_tests/candidates/episode.h"
#include "spec_tests/candidates/episode_memory.h"
#include "spec_tests/candidates/numbered_error.h"
#include "spec_tests/traces/trace.h"

namespace futures::spec_tests {
namespace {

const ExceptionRegistration<NumberedError> numbered_error_travels;

// What this process has of the episode whose bodies it ran last.
struct RemoteEpisode {
  std::shared_ptr<EpisodeMemory> memory;
  Trace trace;
  std::vector<const Body*> bodies;
};

std::shared_ptr<const RemoteEpisode> remote_episode(const EpisodeKey& key) {
  static absl::Mutex mutex;
  static std::shared_ptr<const RemoteEpisode> last;
  absl::MutexLock lock(&mutex);
  if (last == nullptr || last->memory->key().packed() != key.packed()) {
    last = nullptr;
    auto episode = std::make_shared<RemoteEpisode>();
    episode->memory = EpisodeMemory::attach(key);
    if (episode->memory == nullptr) return nullptr;
    episode->trace = episode->memory->trace();
    episode->bodies = bodies_of(episode->trace);
    last = std::move(episode);
  }
  return last;
}

}  // namespace

bool is_of_this_process(std::uint64_t packed_key) { return EpisodeKey::of(packed_key).process == ::getpid(); }

int run_body_elsewhere(std::uint64_t packed_key, int call) {
  const std::shared_ptr<const RemoteEpisode> episode = remote_episode(EpisodeKey::of(packed_key));
  if (episode == nullptr) return 0;
  return episode->memory->play(static_cast<model::Call>(call), *episode->bodies[call], [](const Statement&) {});
}

}  // namespace futures::spec_tests
