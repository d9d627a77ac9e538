#include "spec_tests/cpython/python_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "futures/internal/time.h"

namespace futures::spec_tests {
namespace {

using Clock = std::chrono::steady_clock;

absl::Status ended() { return absl::UnavailableError("the child process has ended"); }

// Starts the program with `socket` as its standard input and output. Returns an error number.
int spawn(const std::vector<std::string>& arguments, int socket, pid_t& pid) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const absl::Cleanup free_both = [&] {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, socket, STDOUT_FILENO);
  // A process group of its own: Ctrl-C is for us, and we end it.
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  return posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environ);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PythonProcess>> PythonProcess::start(const std::vector<std::string>& arguments) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::UnavailableError(absl::StrCat("socketpair: ", std::strerror(errno)));
  }
  pid_t pid = -1;
  const int error = spawn(arguments, sockets[1], pid);
  close(sockets[1]);
  if (error != 0) {
    close(sockets[0]);
    return absl::UnavailableError(absl::StrCat("cannot start ", arguments[0], ": ", std::strerror(error)));
  }
  return absl::WrapUnique(new PythonProcess(pid, sockets[0]));
}

PythonProcess::~PythonProcess() {
  close(socket_);
  kill(-pid_, SIGKILL);  // Its process group: a pool's workers are children of it.
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status PythonProcess::write(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t sent = send(socket_, lines.data(), lines.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return ended();
    lines.remove_prefix(static_cast<std::size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PythonProcess::read_line(std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (true) {
    const std::size_t end = unread_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      searched_ = 0;
      return line;
    }
    searched_ = unread_.size();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
    const int ready = poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return absl::DeadlineExceededError("the child process does not answer");
    char received[16 * 1024];  // A history of a trace takes about 4 KiB.
    const ssize_t size = read(socket_, received, sizeof received);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return ended();
    unread_.append(received, static_cast<std::size_t>(size));
  }
}

}  // namespace futures::spec_tests
