#include "spec_tests/mutants/sample/counter.h"

namespace futures::mutants {

bool Counter::count() {
  mutex_.lock();
  const bool has_room = counted_ < limit_;
  if (has_room) ++counted_;
  mutex_.unlock();
  return has_room;
}

int Counter::counted() {
  mutex_.lock();
  const int counted = counted_;
  mutex_.unlock();
  return counted;
}

}  // namespace futures::mutants
