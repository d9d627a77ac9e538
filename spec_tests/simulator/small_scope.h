// Every small program, as a trace: two clients, each with a few operations, none twice.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SMALL_SCOPE_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SMALL_SCOPE_H_

#include <functional>

#include "spec_tests/traces/trace.h"

namespace futures::simulator {

struct SmallScope {
  int workers = 1;
  int operations_per_client = 2;
  int operations_in_all = 4;
};

// Calls visit(trace) for each program of the scope: submit, cancel, result, poll, callback, shutdown in its four forms,
// and the destructor, in every order. Bodies return at once.
//
// Left out are programs that do the same as one that is visited: the clients are exchanged, calls have other numbers,
// an operation is about a call that cannot have been submitted by then (it would be skipped), or follows its client's
// own `destroy` and needs the executor.
void visit_programs(const SmallScope& scope, const std::function<void(const spec_tests::Trace&)>& visit);

}  // namespace futures::simulator

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_SIMULATOR_SMALL_SCOPE_H_
