#include "spec_tests/candidates/episode_memory.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "spec_tests/candidates/numbered_error.h"

namespace futures::spec_tests {
namespace {

using model::ActionKind;
using model::ReplyKind;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::uint32_t next_number() {
  static std::atomic<std::uint32_t> numbers{0};
  return numbers.fetch_add(1, std::memory_order_relaxed) & 0xffff;
}

// Between processes too.
void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

}  // namespace

EpisodeMemory::Shared* EpisodeMemory::map(int descriptor) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

std::shared_ptr<EpisodeMemory> EpisodeMemory::create(const Trace& trace) {
  const std::vector<std::uint8_t> bytes = encode_trace(trace);
  CHECK_LE(bytes.size(), kTraceBytesMax);
  const int descriptor = ::memfd_create("episode", MFD_CLOEXEC);
  if (descriptor < 0) fail("memfd_create");
  Shared* const memory = ::ftruncate(descriptor, sizeof(Shared)) == 0 ? map(descriptor) : nullptr;
  if (memory == nullptr) {
    const int error = errno;
    ::close(descriptor);
    errno = error;
    fail("memory of an episode");
  }
  Shared* const shared = new (memory) Shared;
  const EpisodeKey key{::getpid(), descriptor, next_number()};
  shared->number = key.number;
  shared->trace_bytes = static_cast<std::uint32_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), shared->trace.begin());
  return std::shared_ptr<EpisodeMemory>(new EpisodeMemory(key, /*owns_descriptor=*/true, shared));
}

std::shared_ptr<EpisodeMemory> EpisodeMemory::attach(const EpisodeKey& key) {
  const std::string path = absl::StrCat("/proc/", key.process, "/fd/", key.descriptor);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  Shared* const shared = map(descriptor);
  ::close(descriptor);
  if (shared == nullptr) return nullptr;
  std::shared_ptr<EpisodeMemory> memory(new EpisodeMemory(key, /*owns_descriptor=*/false, shared));
  return shared->number == key.number ? memory : nullptr;
}

EpisodeMemory::~EpisodeMemory() {
  ::munmap(shared_, sizeof(Shared));
  if (owns_descriptor_) ::close(key_.descriptor);
}

Recorder& EpisodeMemory::recorder() { return shared_->recorder; }

Trace EpisodeMemory::trace() const {
  return decode_trace(absl::MakeConstSpan(shared_->trace.data(), shared_->trace_bytes));
}

void EpisodeMemory::release(int gate) {
  if (shared_->gates[gate].exchange(1, std::memory_order_release) == 0)
    futex(shared_->gates[gate], FUTEX_WAKE, INT_MAX);
}

void EpisodeMemory::pass(int gate) {
  while (!is_released(gate)) futex(shared_->gates[gate], FUTEX_WAIT, 0);
}

void EpisodeMemory::begin(model::Call call) {
  set_position(call, kActive);
  recorder().record({.kind = ActionKind::kBodyStart, .call = call});
  shared_->bodies[call].started.store(true, std::memory_order_release);
}

void EpisodeMemory::end(model::Call call, const Body& body) {
  recorder().record({.kind = ActionKind::kBodyEnd,
                     .call = call,
                     .reply = {.kind = body.throws ? ReplyKind::kError : ReplyKind::kValue,
                               .value = static_cast<std::int16_t>(body.value)}});
  set_position(call, kEnded);
}

void EpisodeMemory::throw_number(int number) { throw NumberedError(number); }

}  // namespace futures::spec_tests
