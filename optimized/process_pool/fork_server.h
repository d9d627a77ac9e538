// The small process that makes the workers of a pool, and how the program talks to it.
//
// The program starts the fork server by exec of itself through the hook process_main, so that it has one thread and
// little memory; forking it is cheap and safe, which forking the program is not. The server forks a worker for each
// order, tells its pid, and reports its end. It lives as long as the pool; if it dies, workers go on, and another is
// started.
//
// Everybody knows when the program is gone, however that came about: the server's socket ends, and each worker holds
// the reading end of a pipe that only the program can write, set up so that its end kills the worker at once. Children
// that the program makes by fork() keep neither.
//
// A worker starts its work only once the server has told the program of it: if the server dies in between, no worker is
// left that nobody knows of.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_FORK_SERVER_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_FORK_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "futures/encoding/module_address.h"
#include "optimized/process_pool/descriptor.h"
#include "optimized/process_pool_options.h"

namespace futures::internal {

// What a worker has to know. Travels as its bytes.
struct WorkerOrder {
  pid_t kill = 0;  // Set: no worker is ordered; the one of this pid is killed if it is still there.
  std::uint16_t number = 0;  // From 1: the owner in the slots' words.
  bool has_initializer = false;
  ModuleAddress initializer;  // A void(*)().
  bool fresh = false;  // Becomes a fresh exec of the program: StartMethod::kSpawn.
  std::uint64_t calls_max = 0;  // Ends after so many calls; 0: never.
  std::uint64_t arena_bytes = 0;
  std::uint64_t address_space_bytes_max = 0;  // 0: no limit of its own.
  std::uint64_t cpu_seconds_max = 0;  // 0: no limit of its own.
};

// The exit code of a worker whose initializer threw.
inline constexpr int kInitializerFailed = 86;

// What the server reports.
struct WorkerNews {
  enum class Kind : std::uint32_t { kStarted, kNotStarted, kEnded };
  Kind kind = Kind::kStarted;
  std::uint16_t number = 0;  // kStarted, kNotStarted.
  pid_t pid = 0;  // kStarted, kEnded.
  int status = 0;  // kEnded: as waitpid gives it. kNotStarted: errno.
};

// What the program hears from its server. Whatever the bytes are, it is one of these.
struct Received {
  bool server_is_gone = false;
  std::optional<WorkerNews> news;  // Nothing: no news now.
  Descriptor pidfd;  // With kStarted, unless this process has no descriptor free.
};

// The next message on the program's end of a server's socket. Does not block.
Received receive_news(int socket);

// The program's end of a fork server. Not thread-safe. The destructor ends the server.
class ForkServer {
 public:
  ForkServer() = default;
  // Starts one. Throws std::system_error; std::logic_error, naming the line to add, if `method` needs the hook in main
  // and the program has not called it; std::logic_error if kFork is asked for in a program that has threads.
  static ForkServer start(StartMethod method);
  ForkServer(ForkServer&& other) noexcept = default;
  ForkServer& operator=(ForkServer&& other) noexcept = default;
  ~ForkServer() { end(); }

  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  int socket() const noexcept { return socket_.get(); }

  // Orders a worker. Returns false if the server is gone, or does not read what it was sent. Does not block.
  bool order(const WorkerOrder& order, int board, int arena, int bell);
  // Has a worker killed whose pidfd did not arrive. The server is its parent: only it knows that the pid is still the
  // worker's. Does not block.
  void kill_worker(pid_t pid);

  // Ends the server at once, even one that is stopped; its socket says so.
  void kill();
  // The same; ends its workers, too, unless somebody holds `life`. Returns when it is gone: no zombie is left.
  void end();
  // What keeps the server's workers alive while somebody holds it.
  const std::shared_ptr<const PrivateDescriptor>& life() const noexcept { return life_; }

 private:
  void has_started(pid_t pid);

  PrivateDescriptor socket_;
  std::shared_ptr<const PrivateDescriptor> life_;  // The writing end of a pipe; never written.
  Descriptor
      process_;  // A pidfd: a program that waits for any child of its may have freed the pid for another process.
};

// Returns when this program has one thread, at the latest after a moment: one that has been joined may be listed a
// little longer.
void await_joined_threads();

// True once process_main has been called in this program.
bool has_process_main();

// What the server process runs; returns never. `life` is the reading end.
[[noreturn]] void serve_forks(Descriptor socket, Descriptor life);

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_FORK_SERVER_H_
