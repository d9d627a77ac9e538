// expect: the destructor of the callback may throw
#include "concurrent_futures.h"

struct Transaction {
  ~Transaction() noexcept(false) {}
};

void commit_when_done(const futures::Future<int>& future, const Transaction& transaction) {
  future.add_done_callback([transaction](const futures::Future<int>&) {});
}
