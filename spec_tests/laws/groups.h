// The checks, group by group, each in the order of the laws.
#ifndef CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_
#define CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_

#include "absl/types/span.h"
#include "spec_tests/laws/law.h"

namespace futures::spec_tests {

absl::Span<const Law> executor_laws();  // E1 to E7
absl::Span<const Law> argument_laws();  // E1, M1 and T8: what a call is given
absl::Span<const Law> call_laws();      // E8 to E10
absl::Span<const Law> future_laws();    // F1 to F7, F12
absl::Span<const Law> callback_laws();  // F8 to F11
absl::Span<const Law> wait_laws();      // W
absl::Span<const Law> map_laws();       // M1 to M8
absl::Span<const Law> map_variant_laws();  // M9
absl::Span<const Law> shutdown_laws();  // S
absl::Span<const Law> lifetime_laws();  // S6, T8, T10
absl::Span<const Law> process_laws();   // S8, T5, T9
absl::Span<const Law> thread_laws();    // T
absl::Span<const Law> process_pool_laws();  // P1 to P5, P10, P13 to P15
absl::Span<const Law> worker_laws();        // P6 to P9, P12
absl::Span<const Law> hostile_laws();       // P11

}  // namespace futures::spec_tests

#endif  // CONCURRENT_FUTURES_SPEC_TESTS_LAWS_GROUPS_H_
