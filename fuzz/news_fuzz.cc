// Fuzz target for the messages of a fork server. The input is what arrives on its socket, with descriptors. Whatever
// it is, receiving it gives news or the end of the server, and no descriptor leaks.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/input.h"
#include "optimized/process_pool/descriptor.h"
#include "optimized/process_pool/fork_server.h"

namespace futures::fuzz {
namespace {

using internal::Descriptor;
using internal::Received;
using internal::WorkerNews;

void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "\n" << what << std::endl;
  std::abort();
}

// The lowest number that is free. If a descriptor leaks, the number is higher afterwards.
int free_descriptor() {
  const Descriptor descriptor(fcntl(1, F_DUPFD_CLOEXEC, 0));
  return descriptor.get();
}

void send_message(int socket, std::string_view body, int descriptors) {
  constexpr int kDescriptorsMax = 8;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> control{};
  iovec io = {const_cast<char*>(body.data()), body.size()};
  msghdr header{};
  header.msg_iov = &io;
  header.msg_iovlen = 1;
  if (descriptors > 0) {
    const std::size_t bytes = sizeof(int) * static_cast<std::size_t>(descriptors);
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    for (int i = 0; i < descriptors; ++i) std::memcpy(CMSG_DATA(part) + i * sizeof(int), &socket, sizeof(socket));
  }
  sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A message with news, of which the input may overwrite parts.
std::string news_of(Input& input) {
  WorkerNews news{.kind = static_cast<WorkerNews::Kind>(input.below(4)),
                  .number = input.number<std::uint16_t>(),
                  .pid = input.number<pid_t>(),
                  .status = input.number<int>()};
  return {reinterpret_cast<const char*>(&news), sizeof(news)};
}

void hear_all(int socket, bool may_have_ended) {
  constexpr int kMessagesMax = 1000;
  for (int i = 0; i < kMessagesMax; ++i) {
    const Received received = internal::receive_news(socket);
    if (received.news) require(received.news->kind <= WorkerNews::Kind::kEnded, "news of no kind");
    if (received.server_is_gone) return require(!received.news, "news of a server that is gone");
    if (!received.news) return require(!may_have_ended, "the end of the server is not heard");
  }
  require(false, "there is no end to what is heard");
}

void run(Input input) {
  const int free_before = free_descriptor();
  {
    std::array<int, 2> ends{};
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0, "no socket");
    const Descriptor program(ends[0]);
    Descriptor server(ends[1]);
    while (!input.empty()) {
      const std::uint8_t what = input.number<std::uint8_t>();
      const int descriptors = what >> 2 & 7;
      switch (what & 3) {
        case 0:
          send_message(server.get(), news_of(input), descriptors);
          break;
        case 1:
          send_message(server.get(), input.bytes(input.number<std::uint8_t>()), descriptors);
          break;
        case 2:
          hear_all(program.get(), false);
          break;
        case 3:  // Which the program has not read.
          send_message(program.get(), input.bytes(input.below(40)), descriptors);
          break;
      }
    }
    server = Descriptor();  // Its end.
    hear_all(program.get(), true);
  }
  require(free_descriptor() == free_before, "a descriptor is left open");
}

}  // namespace
}  // namespace futures::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  futures::fuzz::run(futures::fuzz::Input(data, size));
  return 0;
}
