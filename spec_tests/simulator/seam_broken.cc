// Each function reaches past the seam, in one of the ways in which a name does not show in the text. seam_test lists
// what must be found in which function. Nothing runs this.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace futures::seam_broken {

template <typename T>
using Word = std::atomic<T>;

int atomic_through_an_alias() {
  Word<int> word{1};
  return word.load(std::memory_order_relaxed);
}

struct Counted {
  std::atomic<long> count;
};
int atomic_in_a_struct(const Counted& counted) { return static_cast<int>(counted.count); }

int atomic_builtin(int* word) { return __atomic_fetch_add(word, 1, __ATOMIC_RELAXED); }

int atomic_ref_through_auto(int& word) {
  const auto ref = std::atomic_ref(word);
  return ref.exchange(2);
}

void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

struct Base : std::mutex {};
void mutex_that_is_inherited() {
  Base base;
  base.lock();
}

void mutex_through_a_generic_lambda(std::mutex& mutex) {
  const auto lock = [](auto& lockable) { lockable.lock(); };
  lock(mutex);
}

void condition_through_auto(std::unique_lock<std::mutex>& lock) {
  const auto condition = std::make_unique<std::condition_variable>();
  condition->wait(lock);
}

void thread_through_auto() {
  auto thread = std::thread([] {});
  thread.join();
}

void future_through_auto() {
  const auto call = std::async([] { return 1; });
  call.wait();
}

void promise_through_an_alias() {
  using Outcome = std::promise<int>;
  Outcome().set_value(1);
}

namespace here = std::this_thread;
void yield_through_a_namespace() { here::yield(); }

void sleep() { here::sleep_for(std::chrono::seconds(1)); }

auto clock_through_an_alias() {
  using Clock = std::chrono::steady_clock;
  return Clock::now();
}

long clock_of_c() { return static_cast<long>(std::time(nullptr)); }

std::once_flag once;
void call_once() {
  std::call_once(once, [] {});
}

std::string make_text() { return "text"; }
std::size_t static_with_a_guard() {
  static const auto text = make_text();
  return text.size();
}

const std::vector<int> global_with_a_destructor(5);

thread_local int number = 0;
int thread_local_variable() { return ++number; }

int thread_local_in_a_function() {
  thread_local int calls = 0;
  return ++calls;
}

pthread_t self_through_a_pointer() {
  const auto self = &pthread_self;
  return self();
}

constexpr std::array<void (*)(void*), 1> kEnds = {&pthread_exit};
void exit_through_a_table(std::size_t i) { kEnds[i](nullptr); }

long system_call() { return syscall(SYS_gettid); }

void exit_hook() {
  std::atexit([] {});
}

bool stop_source() {
  auto source = std::stop_source();
  return source.request_stop();
}

void semaphore() {
  std::binary_semaphore free(1);
  free.acquire();
}

void barrier() {
  std::barrier all(1);
  all.arrive_and_wait();
}

void mutex_of_abseil(absl::Mutex& mutex) { const auto lock = absl::MutexLock(&mutex); }

auto clock_of_abseil() { return absl::Now(); }

long shared_ptr_through_auto() {
  const auto owner = std::make_shared<int>(1);
  const auto other = owner;
  return other.use_count();
}

template <typename T>
using Watched = std::weak_ptr<T>;
bool weak_ptr_through_an_alias(const Watched<int>& watched) {
  const auto owner = watched.lock();
  return owner != nullptr;
}

void assembly() { asm volatile("" ::: "memory"); }

// Nothing is wrong here.
std::size_t good(const std::function<int()>& function) {
  std::vector<int> numbers = {function()};
  return numbers.size();
}

}  // namespace futures::seam_broken
