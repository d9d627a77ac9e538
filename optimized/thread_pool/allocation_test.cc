// One call costs one allocation: the callable, its arguments and the future's state are one object, and the queue's
// link is in it.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include "gtest/gtest.h"
#include "optimized/thread_pool_executor.h"

namespace {
std::atomic<long> allocations{0};
}

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace futures {
namespace {

TEST(ThreadPoolAllocation, OnePerCall) {
  constexpr int kCalls = 1000;
  ThreadPoolExecutor executor({.max_workers = 2});
  // Both workers start before the count does.
  for (int i = 0; i < 2; ++i) executor.submit([] {}).result();
  std::vector<Future<int>> futures;
  futures.reserve(kCalls);
  long sum = 0;
  const long before = allocations.load();
  for (int i = 0; i < kCalls; ++i) futures.push_back(executor.submit([](int x) { return x; }, i));
  for (const Future<int>& future : futures) sum += future.result();
  const long counted = allocations.load() - before;
  EXPECT_EQ(sum, kCalls * (kCalls - 1) / 2);
  // The second worker may start only now, which costs a few of its own.
  EXPECT_GE(counted, kCalls);
  EXPECT_LE(counted, kCalls + 10);
}

}  // namespace
}  // namespace futures
