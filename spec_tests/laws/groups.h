// The checks, group by group, each in the order of the laws. A file's name begins with the first law that it holds.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_

#include "absl/types/span.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {

absl::Span<const Law> submit_laws();         // E1, E2, E4
absl::Span<const Law> argument_laws();       // E1 and M1: what a call is given
absl::Span<const Law> exception_laws();      // E3
absl::Span<const Law> order_laws();          // E5 to E7
absl::Span<const Law> call_laws();           // E8 to E10
absl::Span<const Law> future_laws();         // F1 to F5, F12
absl::Span<const Law> promise_laws();        // F6, F7
absl::Span<const Law> callback_laws();       // F8 to F11
absl::Span<const Law> wait_laws();           // W1 to W4
absl::Span<const Law> as_completed_laws();   // W5 to W7
absl::Span<const Law> map_laws();            // M1 to M8
absl::Span<const Law> map_variant_laws();    // M9, and M5: what each form takes when time is up
absl::Span<const Law> shutdown_laws();       // S1 to S7
absl::Span<const Law> lifetime_laws();       // S6 once more: the end of a scope and of the last handle
absl::Span<const Law> exit_laws();           // S8
absl::Span<const Law> deadline_laws();       // S9, S10
absl::Span<const Law> thread_laws();         // T1 to T4
absl::Span<const Law> no_thread_laws();      // T5
absl::Span<const Law> stop_laws();           // T8
absl::Span<const Law> fork_laws();           // T9
absl::Span<const Law> worker_thread_laws();  // T10
absl::Span<const Law> process_pool_laws();   // P1 to P5, P10, P13 to P15
absl::Span<const Law> worker_laws();         // P6 to P9, P12
absl::Span<const Law> hostile_laws();        // P11

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_
