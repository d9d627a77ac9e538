// A done callback gets the future, not the value.
// expect: add_done_callback: the callback must be callable with the future, as in [](const Future<R>& f) {...}
#include <string>

#include "concurrent_futures.h"

void misuse(const futures::Future<std::string>& future) {
  future.add_done_callback([](const std::string& text) { static_cast<void>(text); });
}
