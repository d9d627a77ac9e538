// expect: a destructor of the callable or of an argument may throw
#include "concurrent_futures.h"

struct Transaction {
  ~Transaction() noexcept(false) {}
};

void commit(futures::Executor& executor, const Transaction& transaction) {
  executor.submit([transaction] {});
}
