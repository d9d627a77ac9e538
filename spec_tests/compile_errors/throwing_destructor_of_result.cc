// expect: the destructor of the result may throw
#include "concurrent_futures.h"

struct Transaction {
  ~Transaction() noexcept(false) {}
};

void begin(futures::Executor& executor) {
  executor.submit([] { return Transaction(); });
}
