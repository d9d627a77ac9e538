#include "optimized/process_pool/fork_server.h"

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
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "optimized/process_main.h"
#include "optimized/process_pool/worker.h"

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
bool send_message(int socket, const T& body, const Message& message, int flags = 0) {
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
    sent = sendmsg(socket, &header, MSG_NOSIGNAL | flags);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof(body));
}

// Returns what recvmsg does: 0 when the peer is gone. What is not a whole T is taken for that.
template <typename T>
ssize_t receive_message(int socket, T& body, Message& message, int flags) {
  iovec io = {&body, sizeof(body)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(3 * sizeof(int))> control{};
  msghdr header{};
  ssize_t received;
  do {
    header = {};
    header.msg_iov = &io;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    received = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    // A peer that dies with messages unread is said once before the messages that it had sent, which still count.
  } while (received < 0 && (errno == EINTR || errno == ECONNRESET));
  if (received < 0) return received;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
      if (message.descriptor_count < static_cast<int>(message.descriptors.size())) {
        message.descriptors[static_cast<std::size_t>(message.descriptor_count++)] = fd;
      } else {
        close(fd);  // For alignment there is room for one more than asked for.
      }
    }
  }
  return received != static_cast<ssize_t>(sizeof(body)) || (header.msg_flags & MSG_TRUNC) != 0 ? 0 : received;
}

int thread_count() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

// Moves the descriptors to `first`, `first` + 1, ..., and closes every other one from `first` on.
void keep_only(std::vector<int> descriptors, int first) {
  const int safe = first + static_cast<int>(descriptors.size());
  for (int& fd : descriptors) {
    fd = fcntl(fd, F_DUPFD, safe);  // Out of the way of the targets.
    if (fd < 0) _exit(1);  // Too few may be open. With one of them missing, it would take something else for it.
  }
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

// The child of a fork waits until its news have been sent.
[[noreturn]] void begin_worker(const WorkerOrder& order, const Message& message, int life, int news_sent) {
  prctl(PR_SET_NAME, "worker");
  char byte = 0;
  ssize_t bytes;
  do {
    bytes = read(news_sent, &byte, 1);
  } while (bytes < 0 && errno == EINTR);
  if (bytes != 1) _exit(0);
  become_worker(order, message, life);
}

void start_worker(int socket, int life, const WorkerOrder& order, const Message& message) {
  WorkerNews news{.kind = WorkerNews::Kind::kNotStarted, .number = order.number, .pid = 0, .status = 0};
  Message reply;
  std::array<int, 2> news_sent{-1, -1};
  Descriptor pidfd;
  if (message.descriptor_count == 3 && pipe2(news_sent.data(), O_CLOEXEC) == 0) {
    news.pid = fork();
    if (news.pid == 0) {
      close(news_sent[1]);
      begin_worker(order, message, life, news_sent[0]);
    }
    if (news.pid > 0) pidfd = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, news.pid, 0)));
  }
  news.status = errno;
  const Descriptor waiting(news_sent[0]);
  const Descriptor go(news_sent[1]);  // Closed without a word, it sends the child away.
  if (pidfd) {
    news.kind = WorkerNews::Kind::kStarted;
    reply = {.descriptors = {pidfd.get(), -1, -1}, .descriptor_count = 1};
  }
  if (send_message(socket, news, reply) && pidfd) {
    [[maybe_unused]] const ssize_t written = write(go.get(), "", 1);
  }
}

// Those that the program has closed lead nowhere, also in workers.
void open_standard_descriptors() {
  int null;
  do {
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && null <= STDERR_FILENO) fcntl(null, F_SETFD, 0);
  } while (null >= 0 && null <= STDERR_FILENO);
  if (null >= 0) close(null);
}

// If it is still there: what has not been waited for keeps its pid.
void kill_child(pid_t pid) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0) kill(pid, SIGKILL);
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
  // Out of the way first: either may have the other's target number. A low number, since a high one may be out of
  // bounds.
  const int aside = life == kLifeNumber + 1 ? kLifeNumber + 2 : kLifeNumber + 1;
  int rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  for (const auto& [from, to] :
       {std::pair(socket, aside), std::pair(life, kLifeNumber), std::pair(aside, kSocketNumber)}) {
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(&actions, from, to);
  }
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
  if (rc == 0) rc = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) throw std::system_error(rc, std::generic_category(), "cannot start the fork server");
  return pid;
}

}  // namespace

bool has_process_main() { return process_main_called; }

void await_joined_threads() {
  constexpr int kLooks = 200;
  for (int look = 0; look < kLooks && thread_count() > 1; ++look) usleep(1000);
}

ForkServer ForkServer::start(StartMethod method) {
  if (method != StartMethod::kFork && !has_process_main()) {
    throw std::logic_error(
        "worker processes start in this program's main: add `futures::process_main(argc, argv);` as its first line");
  }
  if (method == StartMethod::kFork && thread_count() > 1) {
    throw std::logic_error("StartMethod::kFork is for programs with one thread: this one has more");
  }
  ForkServer server;
  PrivateDescriptor far_socket;
  PrivateDescriptor near_life;
  PrivateDescriptor far_life;
  {
    const NoForks no_forks;
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("cannot make a socket");
    server.socket_ = PrivateDescriptor(ends[0], no_forks);
    far_socket = PrivateDescriptor(ends[1], no_forks);
    if (!server.socket_ || !far_socket) throw_errno("cannot make a socket");
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
    far_life = PrivateDescriptor(ends[0], no_forks);
    near_life = PrivateDescriptor(ends[1], no_forks);
    if (!near_life || !far_life) throw_errno("cannot make a pipe");
  }
  server.life_ = std::make_shared<const PrivateDescriptor>(std::move(near_life));
  if (method != StartMethod::kFork) {
    server.has_started(spawn_self(far_socket.get(), far_life.get()));
    return server;
  }
  const Descriptor kept_socket = far_socket.release();
  const Descriptor kept_life = far_life.release();
  const pid_t pid = fork();
  if (pid < 0) throw_errno("cannot fork");
  if (pid > 0) {
    server.has_started(pid);
    return server;
  }
  keep_only({kept_socket.get(), kept_life.get()}, kSocketNumber);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  close(null);
  serve_forks(Descriptor(kSocketNumber), Descriptor(kLifeNumber));
}

void ForkServer::has_started(pid_t pid) {
  process_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (process_) return;
  const int why = errno;
  ::kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  throw std::system_error(why, std::generic_category(), "cannot watch the fork server");
}

bool ForkServer::order(const WorkerOrder& order, int board, int arena, int bell) {
  return send_message(socket(), order, {.descriptors = {board, arena, bell}, .descriptor_count = 3}, MSG_DONTWAIT);
}

void ForkServer::kill_worker(pid_t pid) {
  WorkerOrder order;
  order.kill = pid;
  send_message(socket(), order, {}, MSG_DONTWAIT);
}

Received receive_news(int socket) {
  WorkerNews news;
  Message message;
  const ssize_t received = receive_message(socket, news, message, MSG_DONTWAIT);
  Received result;
  for (int i = 0; i < message.descriptor_count; ++i) {
    Descriptor descriptor(message.descriptors[static_cast<std::size_t>(i)]);
    if (i == 0) result.pidfd = std::move(descriptor);
  }
  if (received > 0 && news.kind <= WorkerNews::Kind::kEnded) {
    result.news = news;
  } else {
    result.server_is_gone = received >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
  return result;
}

void ForkServer::kill() {
  if (process_) syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

void ForkServer::end() {
  socket_.reset();
  life_.reset();
  kill();  // It may be stopped, and then it would not see that its socket has ended.
  siginfo_t info{};
  while (process_ && waitid(P_PIDFD, static_cast<id_t>(process_.get()), &info, WEXITED) != 0 && errno == EINTR) {
  }
  process_ = Descriptor();
}

void serve_forks(Descriptor socket, Descriptor life) {
  prctl(PR_SET_NAME, "fork_server");
  open_standard_descriptors();
  signal(SIGINT, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // Else it would not be told how workers end.
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
    if (order.kill > 0) {
      kill_child(order.kill);
    } else {
      start_worker(socket.get(), life.get(), order, message);
    }
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
  process_main_called = true;  // A call may have a pool of its own.
  if (!role.starts_with(kWorkerRole)) serve_forks(Descriptor(kSocketNumber), Descriptor(kLifeNumber));
  WorkerOrder order;
  std::string bytes;
  if (!absl::HexStringToBytes(std::string_view(role).substr(kWorkerRole.size()), &bytes) ||
      bytes.size() != sizeof(order)) {
    _exit(127);
  }
  std::memcpy(&order, bytes.data(), sizeof(order));
  run_worker(order, Descriptor(kSocketNumber), Descriptor(kSocketNumber + 1), Descriptor(kSocketNumber + 2),
             Descriptor(kSocketNumber + 3));
}

}  // namespace futures
