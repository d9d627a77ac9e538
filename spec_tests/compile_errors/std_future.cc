// What concurrent_futures.h is compared with: the standard library's header for the same thing.
#include <future>
