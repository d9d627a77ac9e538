// The small process that makes the workers of a pool, and how the program talks to it.
//
// The program starts the fork server by exec of itself through the hook process_main, so that it has one thread and little
// memory; forking it is cheap and safe, which forking the program is not. The server forks a worker for each order, tells
// its pid, and reports its end. It lives as long as the pool; if it dies, workers go on, and another is started.
//
// Everybody knows when the program is gone, however that came about: the server's socket ends, and each worker holds the
// reading end of a pipe that only the program can write, set up so that its end kills the worker at once.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_FORK_SERVER_H_
#define CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_FORK_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "futures/internal/module_address.h"
#include "optimized/internal/descriptor.h"
#include "optimized/process_pool_options.h"

namespace futures::internal {

// What a worker has to know. Travels as its bytes.
struct WorkerOrder {
  std::uint16_t number = 0;         // From 1: the owner in the slots' words.
  bool has_initializer = false;
  ModuleAddress initializer;        // A void(*)().
  bool fresh = false;               // Becomes a fresh exec of the program: StartMethod::kSpawn.
  std::uint64_t calls_max = 0;      // Ends after so many calls; 0: never.
  std::uint64_t arena_bytes = 0;
  std::uint64_t address_space_bytes_max = 0;  // 0: no limit of its own.
  std::uint64_t cpu_seconds_max = 0;          // 0: no limit of its own.
};

// The exit code of a worker whose initializer threw.
inline constexpr int kInitializerFailed = 86;

// What the server reports.
struct WorkerNews {
  enum class Kind : std::uint32_t { kStarted, kNotStarted, kEnded };
  Kind kind = Kind::kStarted;
  std::uint16_t number = 0;  // kStarted, kNotStarted.
  pid_t pid = 0;             // kStarted, kEnded.
  int status = 0;            // kEnded: as waitpid gives it. kNotStarted: errno.
};

// The program's end of a fork server. Not thread-safe.
class ForkServer {
 public:
  ForkServer() = default;
  // Starts one. Throws std::system_error; std::logic_error, naming the line to add, if `method` needs the hook in main
  // and the program has not called it; std::logic_error if kFork is asked for in a program that has threads.
  static ForkServer start(StartMethod method);

  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  int socket() const noexcept { return socket_.get(); }
  Descriptor& life() noexcept { return life_; }

  // Orders a worker. Returns false if the server is gone.
  bool order(const WorkerOrder& order, int board, int arena, int bell);

  struct Received {
    bool server_is_gone = false;
    std::optional<WorkerNews> news;  // Nothing: no news now.
    Descriptor pidfd;                // With kStarted.
  };
  // Does not block.
  Received receive();

 private:
  Descriptor socket_;
  Descriptor life_;   // The writing end; never written.
  pid_t pid_ = 0;

 public:
  // Collects the server after its socket has ended, so that it leaves no zombie.
  void reap();
};

// True once process_main has been called in this program.
bool has_process_main();

// What the server process runs; returns never. `life` is the reading end.
[[noreturn]] void serve_forks(Descriptor socket, Descriptor life);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_INTERNAL_FORK_SERVER_H_
