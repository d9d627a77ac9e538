#include "spec_tests/laws/process_gate.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <new>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {
namespace {

// Between processes too.
void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

}  // namespace

ProcessGate::Shared* ProcessGate::map(int descriptor) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

ProcessGate::ProcessGate() : descriptor_(::memfd_create("gate", MFD_CLOEXEC)) {
  if (descriptor_ >= 0 && ::ftruncate(descriptor_, sizeof(Shared)) == 0) shared_ = map(descriptor_);
  if (shared_ == nullptr) {
    const int error = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw std::system_error(error, std::generic_category(), "memory of a gate");
  }
  new (shared_) Shared;
}

ProcessGate::~ProcessGate() {
  open();
  ::munmap(shared_, sizeof(Shared));
  ::close(descriptor_);
}

std::uint64_t ProcessGate::name() const {
  return static_cast<std::uint64_t>(::getpid()) << 32 | static_cast<std::uint32_t>(descriptor_);
}

int ProcessGate::pass(std::uint64_t name) { return enter(name, /*waits=*/true); }
int ProcessGate::arrive(std::uint64_t name) { return enter(name, /*waits=*/false); }

int ProcessGate::enter(std::uint64_t name, bool waits) {
  const std::string path = absl::StrCat("/proc/", name >> 32, "/fd/", name & 0xffffffff);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return 0;
  Shared* const shared = map(descriptor);
  ::close(descriptor);
  if (shared == nullptr) return 0;
  shared->arrived.fetch_add(1, std::memory_order_acq_rel);
  // Acquire: pairs with the release in open.
  while (waits && shared->opened.load(std::memory_order_acquire) == 0) futex(shared->opened, FUTEX_WAIT, 0);
  ::munmap(shared, sizeof(Shared));
  return 1;
}

void ProcessGate::open() {
  shared_->opened.store(1, std::memory_order_release);
  futex(shared_->opened, FUTEX_WAKE, INT_MAX);
}

int ProcessGate::arrived() const { return shared_->arrived.load(std::memory_order_acquire); }

bool ProcessGate::await_arrivals(int n) const {
  return soon([&] { return arrived() >= n; });
}

}  // namespace futures::spec_tests
