// Descriptors that children made by fork() do not keep: those whose last holder's end tells a process pool's workers
// and fork server of the program's.
#ifndef CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CLOSED_IN_CHILDREN_H_
#define CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CLOSED_IN_CHILDREN_H_

namespace futures::internal {

// While one lives, fork() in other threads of this process waits: a descriptor that is made, or closed, meanwhile is in
// no child between the two. Not for long, and not around a fork() of one's own.
class NoForks {
 public:
  NoForks();
  ~NoForks();
  NoForks(const NoForks&) = delete;
  NoForks& operator=(const NoForks&) = delete;
};

// A child made by fork() closes `fd` before fork() returns there, until it is taken back: who waits for the last holder
// to close it does not wait for children. Under a NoForks that also covers the descriptor's birth, or its closing.
void close_in_children(int fd);
void keep_in_children(int fd) noexcept;

}  // namespace futures::internal

#endif  // CONCURRENT_FUTURES_OPTIMIZED_PROCESS_POOL_CLOSED_IN_CHILDREN_H_
