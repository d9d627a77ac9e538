#include "spec_tests/laws/threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace futures::spec_tests {
namespace {

// Says what it has been given when it is destroyed.
struct Words {
  std::vector<std::function<void()>> to_say;
  ~Words() {
    for (const std::function<void()>& say : to_say) say();
  }
};

pthread_key_t make_key() {
  pthread_key_t key;
  pthread_key_create(&key, [](void* words) { delete static_cast<Words*>(words); });
  return key;
}

Words& words_of_key() {
  static const pthread_key_t key = make_key();
  if (void* const words = pthread_getspecific(key)) return *static_cast<Words*>(words);
  auto* const words = new Words;
  pthread_setspecific(key, words);
  return *words;
}

}  // namespace

pid_t own_tid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

bool is_asleep(pid_t tid) {
  std::ifstream file(absl::StrCat("/proc/self/task/", tid, "/stat"));
  std::string line;
  std::getline(file, line);
  // The state is the field after the name, which is in parentheses and may hold any character.
  const std::size_t end_of_name = line.rfind(')');
  return end_of_name != std::string::npos && line.size() > end_of_name + 2 && line[end_of_name + 2] == 'S';
}

bool is_alive(pid_t tid) { return access(absl::StrCat("/proc/self/task/", tid).c_str(), F_OK) == 0; }

void sleep_for(std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); }

void yield() { std::this_thread::yield(); }

void when_this_thread_ends(AtEnd where, std::function<void()> last_words) {
  if (where == AtEnd::kKey) {
    words_of_key().to_say.push_back(std::move(last_words));
    return;
  }
  thread_local Words words;
  words.to_say.push_back(std::move(last_words));
}

}  // namespace futures::spec_tests
