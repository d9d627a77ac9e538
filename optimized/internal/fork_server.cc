#include "optimized/internal/fork_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "optimized/internal/worker.h"
#include "optimized/process_main.h"

extern char** environ;

namespace futures {
namespace internal {
namespace {

constexpr char kRoleVariable[] = "CONCURRENT_FUTURES_ROLE";
constexpr int kSocketNumber = 3;  // Where a server finds its two descriptors, and a spawned worker its four.
constexpr int kLifeNumber = 4;

bool process_main_called = false;

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// One message with up to three descriptors.
struct Message {
  std::array<int, 3> descriptors = {-1, -1, -1};
  int descriptor_count = 0;
};

template <typename T>
bool send_message(int socket, const T& body, const Message& message) {
  iovec io = {const_cast<T*>(&body), sizeof(body)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  if (message.descriptor_count > 0) {
    const std::size_t bytes = sizeof(int) * static_cast<std::size_t>(message.descriptor_count);
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(part), message.descriptors.data(), bytes);
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof(body));
}

// Returns what recvmsg does: 0 when the peer is gone. What is not a whole T is taken for that.
template <typename T>
ssize_t receive_message(int socket, T& body, Message& message, int flags) {
  iovec io = {&body, sizeof(body)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t received;
  do {
    received = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    message.descriptor_count = static_cast<int>((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(message.descriptors.data(), CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
  }
  return received > 0 && received != static_cast<ssize_t>(sizeof(body)) ? 0 : received;
}

int thread_count() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

// Moves the descriptors to `first`, `first` + 1, ..., and closes every other one from `first` on.
void keep_only(std::vector<int> descriptors, int first) {
  const int safe = first + static_cast<int>(descriptors.size());
  for (int& fd : descriptors) fd = fcntl(fd, F_DUPFD, safe);  // Out of the way of the targets.
  for (std::size_t i = 0; i < descriptors.size(); ++i) dup2(descriptors[i], first + static_cast<int>(i));
  syscall(SYS_close_range, safe, ~0u, 0);
}

void default_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  }
  ::signal(SIGINT, SIG_IGN);  // Law P14: Ctrl-C is the program's business.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The order goes along in the environment, as hexadecimal digits.
constexpr std::string_view kWorkerRole = "worker:";

[[noreturn]] void exec_worker(const WorkerOrder& order) {
  const std::string_view bytes(reinterpret_cast<const char*>(&order), sizeof(order));
  setenv(kRoleVariable, absl::StrCat(kWorkerRole, absl::BytesToHexString(bytes)).c_str(), 1);
  std::string name = "concurrent_futures_worker";
  std::array<char*, 2> arguments = {name.data(), nullptr};
  execv("/proc/self/exe", arguments.data());
  _exit(127);
}

// The process's life from here on.
[[noreturn]] void become_worker(const WorkerOrder& order, const Message& message, int life) {
  keep_only({life, message.descriptors[0], message.descriptors[1], message.descriptors[2]}, kSocketNumber);
  default_signals();
  if (order.fresh) exec_worker(order);
  run_worker(order, Descriptor(kSocketNumber), Descriptor(kSocketNumber + 1), Descriptor(kSocketNumber + 2),
             Descriptor(kSocketNumber + 3));
}

void start_worker(int socket, int life, const WorkerOrder& order, const Message& message) {
  const pid_t pid = fork();
  if (pid == 0) become_worker(order, message, life);
  WorkerNews news{.kind = WorkerNews::Kind::kStarted, .number = order.number, .pid = pid, .status = 0};
  Message reply;
  Descriptor pidfd(pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
  if (pid < 0 || !pidfd) {
    news.kind = WorkerNews::Kind::kNotStarted;
    news.status = errno;
    if (pid > 0) kill(pid, SIGKILL);
  } else {
    reply.descriptors[0] = pidfd.get();
    reply.descriptor_count = 1;
  }
  send_message(socket, news, reply);
}

void report_ended_workers(int socket) {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    send_message(socket, WorkerNews{.kind = WorkerNews::Kind::kEnded, .number = 0, .pid = pid, .status = status}, {});
  }
}

// Starts this program again, as a server, with its two descriptors.
pid_t spawn_self(int socket, int life) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Out of the way first: either may have the other's target number.
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, socket, 1000);
  posix_spawn_file_actions_adddup2(&actions, life, kLifeNumber);
  posix_spawn_file_actions_adddup2(&actions, 1000, kSocketNumber);
  posix_spawn_file_actions_addclosefrom_np(&actions, kLifeNumber + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  std::string role = std::string(kRoleVariable) + "=fork_server";
  environment.push_back(role.data());
  environment.push_back(nullptr);
  std::string name = "concurrent_futures_fork_server";
  std::array<char*, 2> arguments = {name.data(), nullptr};

  pid_t pid = 0;
  const int rc = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) throw std::system_error(rc, std::generic_category(), "cannot start the fork server");
  return pid;
}

}  // namespace

bool has_process_main() { return process_main_called; }

ForkServer ForkServer::start(StartMethod method) {
  if (method != StartMethod::kFork && !has_process_main()) {
    throw std::logic_error(
        "worker processes start in this program's main: add `futures::process_main(argc, argv);` as its first line");
  }
  if (method == StartMethod::kFork && thread_count() > 1) {
    throw std::logic_error("StartMethod::kFork is for programs with one thread: this one has more");
  }
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("cannot make a socket");
  ForkServer server;
  server.socket_ = Descriptor(ends[0]);
  Descriptor far_socket(ends[1]);
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
  Descriptor far_life(ends[0]);
  server.life_ = Descriptor(ends[1]);
  if (method == StartMethod::kFork) {
    server.pid_ = fork();
    if (server.pid_ < 0) throw_errno("cannot fork");
    if (server.pid_ == 0) {
      keep_only({far_socket.get(), far_life.get()}, kSocketNumber);
      const int null = open("/dev/null", O_RDONLY);
      dup2(null, 0);
      close(null);
      serve_forks(Descriptor(kSocketNumber), Descriptor(kLifeNumber));
    }
  } else {
    server.pid_ = spawn_self(far_socket.get(), far_life.get());
  }
  return server;
}

bool ForkServer::order(const WorkerOrder& order, int board, int arena, int bell) {
  return send_message(socket(), order, {.descriptors = {board, arena, bell}, .descriptor_count = 3});
}

ForkServer::Received ForkServer::receive() {
  WorkerNews news;
  Message message;
  const ssize_t received = receive_message(socket(), news, message, MSG_DONTWAIT);
  Received result;
  if (message.descriptor_count > 0) result.pidfd = Descriptor(message.descriptors[0]);
  if (received > 0) {
    result.news = news;
  } else {
    result.server_is_gone = received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
  return result;
}

void ForkServer::reap() {
  socket_ = Descriptor();
  life_ = Descriptor();
  if (pid_ > 0) {
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = 0;
}

void serve_forks(Descriptor socket, Descriptor life) {
  prctl(PR_SET_NAME, "fork_server");
  signal(SIGINT, SIG_IGN);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child_ended, nullptr);
  const Descriptor children(signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK));
  for (;;) {
    std::array<pollfd, 2> waiting = {pollfd{socket.get(), POLLIN, 0}, pollfd{children.get(), POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) _exit(1);
    if (waiting[1].revents != 0) {
      signalfd_siginfo ignored;
      while (read(children.get(), &ignored, sizeof(ignored)) > 0) {
      }
      report_ended_workers(socket.get());
    }
    if (waiting[0].revents == 0) continue;
    WorkerOrder order;
    Message message;
    if (receive_message(socket.get(), order, message, 0) <= 0) _exit(0);  // The pool, or the program, has ended.
    start_worker(socket.get(), life.get(), order, message);
    for (int i = 0; i < message.descriptor_count; ++i) close(message.descriptors[static_cast<std::size_t>(i)]);
  }
}

}  // namespace internal

void process_main([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
  using namespace internal;
  const char* const variable = std::getenv(kRoleVariable);
  if (variable == nullptr) {
    process_main_called = true;
    return;
  }
  const std::string role = variable;
  unsetenv(kRoleVariable);
  if (!role.starts_with(kWorkerRole)) serve_forks(Descriptor(kSocketNumber), Descriptor(kLifeNumber));
  WorkerOrder order;
  std::string bytes;
  if (!absl::HexStringToBytes(std::string_view(role).substr(kWorkerRole.size()), &bytes) || bytes.size() != sizeof(order)) {
    _exit(127);
  }
  std::memcpy(&order, bytes.data(), sizeof(order));
  run_worker(order, Descriptor(kSocketNumber), Descriptor(kSocketNumber + 1), Descriptor(kSocketNumber + 2),
             Descriptor(kSocketNumber + 3));
}

}  // namespace futures
